package hosts

import (
	"maps"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/proc"
)

func spaces(of string) map[string]string {
	m := map[string]string{}
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		m[n] = n + of
	}
	return m
}

// goodTree is a window as it is, by its parts.
func goodTree() []process {
	status := proc.Status{UID: proc.IDs{7, 7, 7, 7}, NoNewPrivs: true, Seccomp: 2, Filters: 1}
	inner := status
	inner.Filters = 2
	page := spaces("page")
	page["ipc"] = "ipcwindow"
	return []process{
		{1, "bailey-window", status, spaces("window")},
		{2, netProcess, status, spaces("window")},
		{3, bubblewrap, status, spaces("window")},
		{4, bubblewrap, inner, page},
		{5, webProcess, inner, page},
	}
}

// TestJudgeTree: every deviation alone is seen, and a window without a process
// for its page has not passed.
func TestJudgeTree(t *testing.T) {
	ours := spaces("core")
	if bad := judgeTree(goodTree(), ours); len(bad) > 0 {
		t.Error(bad)
	}
	for what, change := range map[string]func([]process) []process{
		"no page":                     func(ps []process) []process { return ps[:4] },
		"a page without a filter":     func(ps []process) []process { ps[4].status.Filters = 1; return ps },
		"a page in the window's":      func(ps []process) []process { ps[4].namespaces = spaces("window"); return ps },
		"a page in the window's pids": func(ps []process) []process { ps[4].namespaces["pid"] = "pidwindow"; return ps },
		"a page with capabilities":    func(ps []process) []process { ps[4].status.Effective = 1; return ps },
		"a page as root":              func(ps []process) []process { ps[4].status.UID = proc.IDs{}; return ps },
		"an unknown program":          func(ps []process) []process { return append(ps, process{6, "sh", ps[0].status, spaces("window")}) },
		"new privileges":              func(ps []process) []process { ps[1].status.NoNewPrivs = false; return ps },
		"the core's network":          func(ps []process) []process { ps[1].namespaces["net"] = "netcore"; return ps },
		"the core's network inside":   func(ps []process) []process { ps[4].namespaces["net"] = "netcore"; return ps },
		"no filter":                   func(ps []process) []process { ps[1].status.Seccomp = 0; return ps },
		"a capability of the window":  func(ps []process) []process { ps[0].status.Bounding = 1; return ps },
	} {
		ps := goodTree()
		for i := range ps {
			ps[i].namespaces = maps.Clone(ps[i].namespaces)
		}
		if bad := judgeTree(change(ps), ours); len(bad) == 0 {
			t.Errorf("%s passes", what)
		}
	}
	if err := CheckTree(1 << 30); err == nil {
		t.Error("a window that is not there passes")
	}
}
