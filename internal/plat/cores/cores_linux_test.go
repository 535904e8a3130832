package cores

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func put(t *testing.T, text string, path ...string) {
	t.Helper()
	p := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPhysical(t *testing.T) {
	dir := t.TempDir()
	for cpu := range 8 {
		put(t, fmt.Sprintf("%d,%d\n", cpu%4, cpu%4+4), dir, fmt.Sprintf("cpu%d", cpu), "topology", "thread_siblings_list")
	}
	for _, c := range []struct {
		allowed []int
		want    int
	}{{[]int{0, 1, 2, 3, 4, 5, 6, 7}, 4}, {[]int{0, 4}, 1}, {[]int{0, 1, 5}, 2}, {[]int{12, 13}, 2}} {
		is := map[int]bool{}
		for _, cpu := range c.allowed {
			is[cpu] = true
		}
		if got := physical(dir, func(cpu int) bool { return is[cpu] }, len(c.allowed)); got != c.want {
			t.Errorf("%v: %d cores, want %d", c.allowed, got, c.want)
		}
	}
}

func TestQuota(t *testing.T) {
	root := t.TempDir()
	put(t, "max 100000\n", root, "cpu.max")
	put(t, "400000 100000\n", root, "a", "cpu.max")
	put(t, "250000 100000\n", root, "a", "b", "cpu.max")
	put(t, "50000 100000\n", root, "small", "cpu.max")
	for _, c := range []struct {
		groups string
		want   int
		found  bool
	}{{"0::/\n", 0, false}, {"0::/a\n", 4, true}, {"1:cpu:/x\n0::/a/b\n", 2, true}, {"0::/a/none\n", 4, true}, {"0::/small\n", 1, true}, {"", 0, false}} {
		if got, found := quota(root, c.groups); got != c.want || found != c.found {
			t.Errorf("%q: %d %v, want %d %v", c.groups, got, found, c.want, c.found)
		}
	}
}

func TestDefault(t *testing.T) {
	if n := Default(); n < 1 || n > Usable() {
		t.Errorf("%d threads of %d cores", n, Usable())
	}
}
