package hosts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// process is what is seen of one process of a window.
type process struct {
	pid        int
	program    string
	status     proc.Status
	namespaces map[string]string
}

// Programs of WebKit by what the window's own namespaces hold of them: the
// others, and the page's above all, stand in namespaces of their own.
const (
	webProcess = "WebKitWebProcess"
	netProcess = "WebKitNetworkProcess"
	bubblewrap = "bwrap"
	busProxy   = "xdg-dbus-proxy"
)

// CheckTree looks at the processes of a window from outside, once its page is
// there. It returns nil when each of them has no new privileges, no capability
// outside of a namespace of its own, and another network than the core's, and
// when what runs pages stands in WebKit's own sandbox besides: filtered once more
// than the window, in user, mount and pid namespaces that are not the window's. A
// window without such a process has not passed either. The error is
// errs.PostureFailed, and the window must then be killed.
func CheckTree(pid int) error {
	const op = "hosts.tree"
	ours, err := proc.Namespaces(os.Getpid())
	if err != nil {
		return errs.Wrap(errs.PostureFailed, op, err)
	}
	tree, err := readTree(pid)
	if err != nil {
		return errs.Wrap(errs.PostureFailed, op, err)
	}
	if bad := judgeTree(tree, ours); len(bad) > 0 {
		return errs.New(errs.PostureFailed, op).With(strings.Join(bad, "; "))
	}
	return nil
}

// readTree reads a process and everything below it.
func readTree(pid int) ([]process, error) {
	var tree []process
	for pids := []int{pid}; len(pids) > 0; pids = pids[1:] {
		if len(tree) == limits.WindowTree {
			return nil, errors.New("too many processes")
		}
		p, err := readProcess(pids[0])
		if errors.Is(err, fs.ErrNotExist) && len(tree) > 0 {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		tree = append(tree, p)
		children, err := proc.Children(pids[0])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		pids = append(pids, children...)
	}
	return tree, nil
}

func readProcess(pid int) (p process, err error) {
	p.pid = pid
	if p.status, err = proc.ReadStatus(pid); err != nil {
		return p, err
	}
	if p.namespaces, err = proc.Namespaces(pid); err != nil {
		return p, err
	}
	exe, err := proc.Exe(pid)
	p.program = path.Base(exe)
	return p, err
}

// judgeTree judges a window's processes; the first is the window itself.
func judgeTree(tree []process, ours map[string]string) (bad []string) {
	pages := 0
	window := tree[0]
	for i, p := range tree {
		note := func(ok bool, format string, a ...any) {
			if !ok {
				bad = append(bad, p.program+": "+fmt.Sprintf(format, a...))
			}
		}
		s := p.status
		own := p.namespaces["user"] != window.namespaces["user"]
		note(s.NoNewPrivs, "new privileges are possible")
		note(s.UID[0] != 0 && s.UID[1] != 0 && s.UID[2] != 0 && s.UID[3] != 0, "host id 0")
		note(own || s.Permitted|s.Effective|s.Bounding|s.Ambient == 0, "capabilities are left")
		note(s.Seccomp == 2, "seccomp mode %d", s.Seccomp)
		for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
			note(p.namespaces[n] != "" && p.namespaces[n] != ours[n], "%s namespace is shared with the core", n)
		}
		if i == 0 || p.program == netProcess || p.program == bubblewrap || p.program == busProxy {
			continue
		}
		if p.program == webProcess {
			pages++
		}
		note(s.Permitted|s.Effective|s.Ambient == 0, "capabilities are left")
		note(s.Filters > window.status.Filters || s.Filters == -1, "not filtered by WebKit's sandbox")
		for _, n := range []string{"user", "mnt", "pid"} {
			note(p.namespaces[n] != window.namespaces[n], "%s namespace is shared with the window", n)
		}
	}
	if pages == 0 {
		bad = append(bad, "no process of a page is seen")
	}
	return bad
}
