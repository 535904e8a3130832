package window

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
)

// reading opens Studio and has it read a folder that takes a while.
func reading(t *testing.T, d *desk.Desk) (*person, *page) {
	t.Helper()
	p := sit(t, d, true)
	folder := p.library("Archive", 600)
	g := p.studio()
	g.click("Choose a folder")
	p.pick(folder)
	p.answer(yesFromRight, "")
	g.AwaitText("Reading ")
	return p, g
}

// workers are the core's children that are no windows.
func (p *person) workers() []int {
	p.t.Helper()
	kids, err := proc.Children(p.core())
	must(p.t, err)
	windows := p.windows()
	return slices.DeleteFunc(kids, func(pid int) bool { return !proc.Alive(pid) || slices.Contains(windows, pid) })
}

// TestWindowKilled: with a window die its task, its grants and their workers, and
// that is on the record; the command that opened it says so.
func TestWindowKilled(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p, g := reading(t, d)
	before := p.workers()
	must(t, syscall.Kill(g.pid, syscall.SIGKILL))
	until(t, "the command to end", g.proc.Ended)
	if g.proc.ProcessState.Success() {
		t.Errorf("the command is content: %s", g.proc.Words())
	}
	if !strings.Contains(g.proc.Words(), `"worker-crashed"`) {
		t.Errorf("it does not say how the window ended: %s", g.proc.Words())
	}
	until(t, "its workers to be gone", func() bool {
		return !slices.ContainsFunc(before, func(pid int) bool { return proc.Alive(pid) })
	})
	out, err := p.bailey("grant", "list", "--json")
	must(t, err)
	if strings.Contains(out, `"live"`) {
		t.Errorf("a grant outlives its window: %s", out)
	}
	out, err = p.bailey("audit", "show", "--json")
	must(t, err)
	if !strings.Contains(out, "worker-crash") {
		t.Errorf("the record does not have it: %s", out)
	}
	if out, err := p.bailey("audit", "verify"); err != nil {
		t.Errorf("the record is damaged: %s", out)
	}
}

// TestCoreKilled: with the core goes everything of its tree, the window and all of
// its page within a second, even a hostile one; the command that opened the window
// says so, by a notice on the screen and by its code.
func TestCoreKilled(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p, g := reading(t, d)
	tree := descendants(t, p.core())
	if !slices.Contains(tree, g.pid) || len(tree) < 5 {
		t.Fatalf("the core's tree is %v, without its window, %d", tree, g.pid)
	}
	// A window that stands still never sees that its connection has ended.
	must(t, syscall.Kill(g.pid, syscall.SIGSTOP))
	must(t, syscall.Kill(p.core(), syscall.SIGKILL))
	within(t, 10*time.Second, "the core's tree to be gone", func() bool {
		return !slices.ContainsFunc(tree, func(pid int) bool { return proc.Alive(pid) })
	})
	w := d.Await("A notice from Bailey")
	d.AwaitActive(w)
	until(t, "the notice to be painted", func() bool { return desk.Colours(d.Screen(), 20) == 20 })
	d.Shot("core-gone")
	if g.proc.Ended() {
		t.Error("the command did not wait for its notice")
	}
	d.Close(w)
	until(t, "the command to end", g.proc.Ended)
	if code := g.proc.ProcessState.ExitCode(); code != errs.ExitUnavailable || !strings.Contains(g.proc.Words(), `"core-unavailable"`) {
		t.Errorf("code %d: %s", code, g.proc.Words())
	}
}

// TestCoreKilledUnread: a notice that nobody closes ends by itself, and without the
// program that shows it there is the line on the terminal.
func TestCoreKilledUnread(t *testing.T) {
	for _, missing := range []bool{false, true} {
		t.Run(fmt.Sprint("missing=", missing), func(t *testing.T) {
			if testing.Short() && !missing {
				t.Skip("the notice stands for 30 seconds: make test-full")
			}
			d := desk.Start(t, desk.Options{})
			p := sit(t, d, false)
			if missing {
				bin := d.Home + "/bin"
				must(t, os.CopyFS(bin, os.DirFS(p.bin)))
				must(t, os.Remove(bin+"/bailey-prompt"))
				p.bin = bin
			}
			c, pid := p.start()
			d.Await("Bailey Studio")
			began := time.Now()
			must(t, syscall.Kill(p.core(), syscall.SIGKILL))
			if !missing {
				d.Await("A notice from Bailey")
				// The half of what it stands for.
				for time.Since(began) < limits.NoticeTimeout/2 {
					if c.Ended() {
						t.Fatal("the notice did not stand")
					}
					<-time.After(time.Second)
				}
			}
			until(t, "the command to end", c.Ended)
			if code := c.ProcessState.ExitCode(); code != errs.ExitUnavailable || !strings.Contains(c.Words(), `"core-unavailable"`) {
				t.Errorf("code %d: %s", code, c.Words())
			}
			until(t, "the window to be gone", func() bool { return !proc.Alive(pid) })
		})
	}
}

// descendants are the processes below one.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	kids, err := proc.Children(pid)
	must(t, err)
	out := slices.Clone(kids)
	for _, kid := range kids {
		out = append(out, descendants(t, kid)...)
	}
	return out
}

// TestDisplayGone: the display goes in mid-run. The window ends, the core lives
// on without it, and what the page had is over.
func TestDisplayGone(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p, g := reading(t, d)
	core := p.core()
	d.Kill()
	until(t, "the command to end", g.proc.Ended)
	if g.proc.ProcessState.Success() {
		t.Errorf("the command is content: %s", g.proc.Words())
	}
	until(t, "the window to end", func() bool { return !proc.Alive(g.pid) })
	if proc.Alive(core) {
		out, err := p.bailey("grant", "list", "--json")
		must(t, err)
		if strings.Contains(out, `"live"`) {
			t.Errorf("a grant outlives the display: %s", out)
		}
	}
}

// TestSecondStart: a second start raises the window that there is, and nothing
// but that asks for the keyboard: a new window that did so when its page is set up
// would take it from the one that was asked for meanwhile.
func TestSecondStart(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	asked := d.Asked()
	p := sit(t, d, false)
	first, pid := p.start()
	w := d.Await("Bailey Studio")
	d.AwaitActive(w)
	p.start("--panel", "activity")
	var panel desk.Window
	until(t, "the panel to have the keyboard", func() bool {
		for _, o := range d.Windows() {
			if o.ID != w.ID && d.Active() == o.ID {
				panel = o
			}
		}
		return panel.ID != 0
	})
	second := d.Run(p.command("studio", "--json"))
	until(t, "the second start to end", second.Ended)
	if !strings.Contains(second.Words(), `"raised":true`) || !second.ProcessState.Success() {
		t.Errorf("the second start said %s", second.Words())
	}
	d.AwaitActive(w)
	if who := asked(); !slices.Equal(who, []xproto.Window{w.ID}) {
		t.Errorf("the keyboard was asked for by %x, the first window is %x", who, w.ID)
	}
	if ws := p.windows(); len(ws) != 2 || !slices.Contains(ws, pid) {
		t.Errorf("the windows are %v, the first was %d", ws, pid)
	}
	if first.Ended() {
		t.Error("the first start has ended")
	}
}

// TestClosedDuringPrompt: who closes the window while a prompt is open has
// answered no; the prompt goes.
func TestClosedDuringPrompt(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p := sit(t, d, true)
	folder := p.library("Documents", 0)
	g := p.studio()
	g.click("Choose a folder")
	p.pick(folder)
	p.prompt()
	// The page goes on answering meanwhile.
	g.AwaitText("Bailey is asking you")
	d.Close(g.w)
	until(t, "the prompt to go", func() bool { _, ok := p.prompted(); return !ok })
	until(t, "the command to end", g.proc.Ended)
	out, err := p.bailey("grant", "list", "--all", "--json")
	must(t, err)
	if strings.Contains(out, `"live"`) {
		t.Errorf("a grant was made: %s", out)
	}
	out, err = p.bailey("audit", "show", "--json")
	must(t, err)
	if strings.Contains(out, `"kind":"mint"`) {
		t.Errorf("a grant was made: %s", out)
	}
}

// TestRendererCrash: the page's process is killed; the page comes again and
// works, and what the old one had is over.
func TestRendererCrash(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p, g := reading(t, d)
	workers := p.workers()
	killed := false
	for _, pid := range tree(t, g.pid) {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && strings.HasSuffix(exe, "WebKitWebProcess") {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
			killed = true
		}
	}
	if !killed {
		t.Fatal("there is no process of a page")
	}
	until(t, "its workers to be gone", func() bool {
		return !slices.ContainsFunc(workers, func(pid int) bool { return proc.Alive(pid) && strings.Contains(nameOf(pid), "index") })
	})
	until(t, "the record of it", func() bool {
		out, _ := p.bailey("audit", "show", "--json")
		return strings.Contains(out, "worker-crash")
	})
	until(t, "the page to be back", func() bool { return len(p.windows()) == 1 && desk.Colours(d.Screen(), 12) == 12 })
	out, err := p.bailey("grant", "list", "--json")
	must(t, err)
	if strings.Contains(out, `"live"`) {
		t.Errorf("a grant outlives its page: %s", out)
	}
	d.Shot("renderer-crash")
}

func nameOf(pid int) string {
	args, err := proc.Cmdline(pid)
	if err != nil {
		return ""
	}
	return strings.Join(args, " ")
}
