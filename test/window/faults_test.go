package window

import (
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

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

// TestCoreKilled: a window whose core is gone says so, in a native text, and
// ends; nothing of the core's is left.
func TestCoreKilled(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	p, g := reading(t, d)
	workers := p.workers()
	w, err := d.Find("Bailey Studio")
	must(t, err)
	// The middle of the page's left edge, which its text never covers.
	at := image.Pt(w.Visible().Min.X+8, w.Visible().Min.Y+w.Visible().Dy()/2)
	page := d.Screen().At(at.X, at.Y)
	began := time.Now()
	must(t, syscall.Kill(p.core(), syscall.SIGKILL))
	until(t, "the workers to be gone", func() bool {
		return !slices.ContainsFunc(workers, func(pid int) bool { return proc.Alive(pid) })
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("workers lived on for %v", took)
	}
	until(t, "the command to end", g.proc.Ended)
	if g.proc.ProcessState.Success() {
		t.Error("the command is content without its core")
	}
	// It is the only one left that can tell the person.
	if !proc.Alive(g.pid) {
		t.Fatal("the window is gone without a word")
	}
	until(t, "the window to say so", func() bool {
		now := d.Screen()
		return now.At(at.X, at.Y) != page && desk.Colours(now, 20) == 20
	})
	d.Shot("core-gone")
	d.Close(w)
	until(t, "the window to end", func() bool { return !proc.Alive(g.pid) })
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

// TestSecondStart: a second start raises the window that there is.
func TestSecondStart(t *testing.T) {
	d := desk.Start(t, desk.Options{})
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
