package window

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
	"github.com/bailey-run/bailey/test/window/driver"
)

// tree is a process and all below it.
func tree(t testing.TB, pid int) []int {
	t.Helper()
	below, err := proc.Descendants(pid)
	must(t, err)
	return append([]int{pid}, below...)
}

// listeners lists who of some processes listens on TCP or UDP. The table of a
// process is that of its own network namespace.
func listeners(t testing.TB, pids []int) []string {
	t.Helper()
	var out []string
	for _, pid := range pids {
		for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
			if err != nil {
				continue
			}
			for _, l := range strings.Split(string(b), "\n")[1:] {
				f := strings.Fields(l)
				// TCP in the state of listening, and every socket of UDP.
				if len(f) > 3 && (f[3] == "0A" || strings.HasPrefix(table, "udp")) {
					out = append(out, fmt.Sprintf("process %d: %s %s", pid, table, f[1]))
				}
			}
		}
	}
	return out
}

// inOtherNetworks keeps the processes whose network is not this test's: the
// table of this one shows what others on the machine listen on.
func inOtherNetworks(t testing.TB, pids []int) (own, shared []int) {
	t.Helper()
	ours, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	for _, pid := range pids {
		if n, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil && n != ours {
			own = append(own, pid)
		} else if err == nil {
			shared = append(shared, pid)
		}
	}
	return own, shared
}

// TestR12R22R24Posture: the window that is shipped, idle and at work, started with
// every switch in its environment that would open it: no process of it listens,
// each is confined, the page's twice, and none of the switches arrives.
func TestR12R22R24Posture(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	p := sit(t, d, false)
	bad := []string{
		"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1", "WEBKIT_FORCE_SANDBOX=0", "WEBKIT_INSPECTOR_SERVER=127.0.0.1:2997", "WEBKIT_INSPECTOR_HTTP_SERVER=127.0.0.1:2998",
		"GTK_MODULES=evil", "GTK_DEBUG=interactive", "GTK_PATH=/tmp", "GIO_MODULE_DIR=/tmp", "GIO_EXTRA_MODULES=/tmp", "LD_PRELOAD=/nonexistent/evil.so", "LD_LIBRARY_PATH=/tmp",
		"GDK_PIXBUF_MODULE_FILE=/tmp/x", "XDG_DATA_DIRS=/tmp", "FONTCONFIG_FILE=/tmp/x", "GST_PLUGIN_PATH=/tmp", "JSC_useJIT=0", "G_MESSAGES_DEBUG=all", "NODE_OPTIONS=--inspect",
		"WEBVIEW2_ADDITIONAL_BROWSER_ARGUMENTS=--remote-debugging-port=9", "GODEBUG=x", "http_proxy=http://127.0.0.1:1",
	}
	cmd := p.command("studio", "--json")
	cmd.Env = d.Env(bad...)
	c := d.Run(cmd)
	w := d.Await("Bailey Studio")
	d.AwaitActive(w)
	until(t, "the page", func() bool { return strings.Contains(c.Words(), `"shown"`) })
	pid := opened(c.Words())
	check := func(when string) {
		t.Helper()
		// The client, the core and whatever it started.
		all := append(tree(t, p.core()), p.ours()...)
		own, shared := inOtherNetworks(t, all)
		if l := listeners(t, own); len(l) > 0 {
			t.Errorf("%s: %v", when, l)
		}
		for _, pid := range shared {
			ls, err := proc.Listeners(pid)
			if err == nil && len(ls) > 0 {
				for _, l := range ls {
					if l.Network != "unix" {
						t.Errorf("%s: process %d listens: %v", when, pid, l)
					}
				}
			}
		}
		if err := hosts.CheckTree(pid); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if len(own) < 3 {
			t.Errorf("%s: only %d processes have a network of their own", when, len(own))
		}
	}
	check("idle")
	for _, pid := range tree(t, pid) {
		env, err := proc.Environ(pid)
		if err != nil {
			continue
		}
		for _, e := range env {
			for _, b := range bad {
				name, _, _ := strings.Cut(b, "=")
				if strings.HasPrefix(e, name+"=") && !strings.HasPrefix(name, "XDG_DATA") {
					t.Errorf("process %d has %s", pid, e)
				}
			}
		}
	}
	// At work: a folder is read meanwhile.
	folder := p.library("Documents", 200)
	busy := d.Run(p.command("summarize", folder, "--allow-read", folder, "--json"))
	until(t, "a worker for the folder", func() bool {
		own, _ := inOtherNetworks(t, tree(t, p.core()))
		return len(own) > 5 || busy.Ended()
	})
	check("at work")
	until(t, "the work to end", busy.Ended)
	d.Close(w)
	until(t, "the command to end", c.Ended)

	// The control: the window for tests listens, and a bare host takes the switches.
	t.Run("control", func(t *testing.T) {
		h := showHost(t, d, site{"/index.html": "<h1>Here</h1>"}, hostOptions{driven: true})
		s := driver.Attach(t, desk.Dir(), h.proc.PID())
		s.AwaitText("Here")
		if l := listeners(t, []int{h.proc.PID()}); len(l) == 0 {
			t.Error("a window that listens is not seen to listen")
		}
		h.end()
		cmd := exec.Command(filepath.Join(desk.Dir(), bareHost), t.TempDir())
		cmd.Env = d.Env("GDK_BACKEND=x11", "GTK_A11Y=none", bad[0])
		b := &bare{t, d.Run(cmd)}
		until(t, "the bare host's page", func() bool { return len(b.of("document")) > 0 })
		if err := hosts.CheckTree(b.proc.Process.Pid); err == nil {
			t.Error("a bare host passes for confined")
		}
		open := false
		for _, pid := range tree(t, b.proc.Process.Pid) {
			exe, _ := proc.Exe(pid)
			s, err := proc.ReadStatus(pid)
			if err == nil && filepath.Base(exe) == "WebKitWebProcess" && s.Seccomp == 0 {
				open = true
			}
		}
		if !open {
			t.Error("the switch does not open the sandbox of a bare host either")
		}
	})
}
