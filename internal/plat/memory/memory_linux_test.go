package memory

import (
	"os"
	"path/filepath"
	"testing"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAvailable(t *testing.T) {
	const info = "MemTotal:       24635012 kB\nMemFree:         1000000 kB\nMemAvailable:    2000000 kB\n"
	const mib = 1 << 20
	for _, c := range []struct {
		what  string
		files map[string]string
		want  uint64
	}{
		{"no control group", map[string]string{"proc/meminfo": info}, 2000000 << 10},
		{"no limit", map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "0::/user.slice/s.scope\n",
			"sys/fs/cgroup/user.slice/s.scope/memory.max": "max\n", "sys/fs/cgroup/user.slice/s.scope/memory.current": "1000\n",
		}, 2000000 << 10},
		{"a limit above, files that can be dropped", map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "0::/user.slice/s.scope\n",
			"sys/fs/cgroup/user.slice/memory.max": "536870912\n", "sys/fs/cgroup/user.slice/memory.current": "314572800\n",
			"sys/fs/cgroup/user.slice/memory.stat":        "anon 1\ninactive_file 104857600\nactive_file 7\n",
			"sys/fs/cgroup/user.slice/s.scope/memory.max": "max\n", "sys/fs/cgroup/user.slice/s.scope/memory.current": "1000\n",
		}, (512 - 300 + 100) * mib},
		{"the limit is used up", map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "100\n", "sys/fs/cgroup/a/memory.current": "200\n",
		}, 0},
		{"version 1", map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "12:cpu,cpuacct:/x\n5:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "1048576\n", "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": "524288\n",
			"sys/fs/cgroup/memory/docker/abc/memory.stat": "total_inactive_file 262144\n",
		}, 786432},
		{"a group of another namespace", map[string]string{"proc/meminfo": info, "proc/self/cgroup": "0::/../../a\nrubbish\n"}, 2000000 << 10},
	} {
		got, err := available(tree(t, c.files))
		if err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.what, got, err, c.want)
		}
	}
	for what, text := range map[string]string{"an old kernel": "MemTotal: 1 kB\n", "rubbish": "MemAvailable:\n"} {
		if _, err := available(tree(t, map[string]string{"proc/meminfo": text})); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if n, err := Available(); err != nil || n == 0 {
		t.Error(n, err)
	}
}
