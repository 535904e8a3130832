package window

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
	"github.com/bailey-run/bailey/test/window/driver"
)

// person is who has Bailey at a desk, with a home of their own.
type person struct {
	t    testing.TB
	d    *desk.Desk
	bin  string
	home string
}

// sit has a person begin at a desk. driven takes the programs whose window a test
// can drive, instead of the released ones.
func sit(t testing.TB, d *desk.Desk, driven bool) *person {
	t.Helper()
	p := &person{t: t, d: d, bin: filepath.Join(desk.Dir(), release), home: d.Home + "/b"}
	if driven {
		p.bin = filepath.Join(desk.Dir(), automated)
	}
	if _, err := os.Stat(filepath.Join(p.bin, "apps", "studio.tar")); err != nil {
		t.Skip("needs Studio, which is built by npm: install Node 20.19 or later")
	}
	must(t, os.MkdirAll(p.home, 0o700))
	t.Cleanup(func() {
		if t.Failed() {
			d.Shot("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
			if b, err := os.ReadFile(p.home + "/state/core.log"); err == nil {
				t.Logf("the core's log:\n%s", b)
			}
		}
	})
	return p
}

func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, "bailey"), append(args, "--home", p.home)...)
	cmd.Env, cmd.Dir = p.d.Env(), "/"
	return cmd
}

// bailey runs a command of the terminal to its end.
func (p *person) bailey(args ...string) (string, error) {
	out, err := p.command(args...).CombinedOutput()
	return string(out), err
}

// library puts a folder of documents into the person's home and returns its path.
func (p *person) library(name string, many int) string {
	p.t.Helper()
	dir := filepath.Join(p.d.Home, name)
	files := map[string]string{
		"release.md":      "# Release\n\nA release is signed by the release key, which lives on a hardware token. Two people must approve it.\n\n## Roll back\n\nA release that fails is rolled back within one hour by the person on duty.\n",
		"notes.txt":       "The meeting room has a blue door.\n\nLunch is served at noon in the canteen on the second floor.\n",
		"عربي/ملاحظات.md": "# ملاحظات الاجتماع\n\nيوقع الإصدار بمفتاح محفوظ على جهاز خاص، ويوافق عليه شخصان.\n",
		"a/very/deep/place/with a name that goes on for much longer than any column could ever be wide enough to show it whole.md": "# Depth\n\nThe deepest folder holds the plan for the archive, which is kept for ten years in two places.\n",
	}
	for i := range many {
		var b strings.Builder
		for j := range 200 {
			fmt.Fprintf(&b, "Paragraph %d of file %d speaks of subject %d, which differs from subject %d in number %d.\n\n", j, i, (i*31+j)%997, (i+j*17)%991, i*j)
		}
		files[fmt.Sprintf("many/%03d.txt", i)] = b.String()
	}
	for n, text := range files {
		path := filepath.Join(dir, n)
		must(p.t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(p.t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// page is an open window of Bailey's.
type page struct {
	*driver.Session
	p    *person
	w    desk.Window
	pid  int
	proc *desk.Process
}

// opened is the process of the window that a command has opened, as its words
// say.
func opened(words string) int {
	for _, l := range strings.Split(words, "\n") {
		var e struct {
			Event string
			PID   int
		}
		if json.Unmarshal([]byte(l), &e) == nil && e.Event == "opened" {
			return e.PID
		}
	}
	return 0
}

// start has the person start Studio, or a panel of it, and waits for its process.
func (p *person) start(args ...string) (*desk.Process, int) {
	p.t.Helper()
	c := p.d.Run(p.command(append([]string{"studio", "--json"}, args...)...))
	var pid int
	until(p.t, "the window's process", func() bool {
		if c.Ended() {
			p.t.Fatalf("it ended: %s", c.Words())
		}
		pid = opened(c.Words())
		return pid != 0
	})
	return c, pid
}

// studio opens Studio and drives it.
func (p *person) studio() *page {
	p.t.Helper()
	c, pid := p.start()
	s := driver.Attach(p.t, desk.Dir(), pid)
	w := p.d.Await("Bailey Studio")
	p.d.AwaitActive(w)
	return &page{Session: s, p: p, w: w, pid: pid, proc: c}
}

// click presses what has a name, by the pointer.
func (g *page) click(name string) {
	g.p.t.Helper()
	var r driver.Rect
	until(g.p.t, fmt.Sprintf("%q in the page", name), func() bool {
		var err error
		r, err = g.Place("", name)
		return err == nil
	})
	x, y := r.Middle()
	at := g.at()
	g.p.d.Click(at.Min.X+x, at.Min.Y+y)
}

// at is where the page is on the screen now.
func (g *page) at() image.Rectangle {
	g.p.t.Helper()
	for _, w := range g.p.d.Windows() {
		if w.ID == g.w.ID {
			g.w = w
		}
	}
	return g.p.d.Content(g.w, g.Inner)
}

// core is the core's process.
func (p *person) core() int {
	p.t.Helper()
	for _, pid := range p.ours() {
		if args, err := proc.Cmdline(pid); err == nil && filepath.Base(args[0]) == "bailey-core" {
			return pid
		}
	}
	p.t.Fatal("no core runs")
	return 0
}

// ours are the living processes that have the person's home on their command
// line.
func (p *person) ours() []int {
	entries, err := os.ReadDir("/proc")
	must(p.t, err)
	var out []int
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil || !proc.Alive(pid) {
			continue
		}
		args, err := proc.Cmdline(pid)
		if err == nil && len(args) > 0 && strings.HasPrefix(filepath.Base(args[0]), "bailey") && strings.Contains(strings.Join(args, " "), p.home) {
			out = append(out, pid)
		}
	}
	return out
}

// windows are the processes of the core's windows.
func (p *person) windows() []int {
	p.t.Helper()
	kids, err := proc.Children(p.core())
	must(p.t, err)
	return slices.DeleteFunc(kids, func(pid int) bool {
		s, err := proc.ReadStatus(pid)
		args, _ := proc.Cmdline(pid)
		return err != nil || !proc.Alive(pid) || len(args) == 0 || filepath.Base(args[0]) != hostWindow || s.Name == ""
	})
}

// panel opens Permissions or Activity by Studio's own button, and drives it.
func (g *page) panel(name string) *page {
	g.p.t.Helper()
	before := g.p.windows()
	g.click(name)
	var pid int
	until(g.p.t, "the panel's process", func() bool {
		for _, w := range g.p.windows() {
			if !slices.Contains(before, w) {
				pid = w
			}
		}
		return pid != 0
	})
	s := driver.Attach(g.p.t, desk.Dir(), pid)
	var w desk.Window
	until(g.p.t, "the panel's window", func() bool {
		for _, o := range g.p.d.Windows() {
			if o.ID != g.w.ID && strings.HasPrefix(o.Title, "Bailey") {
				w = o
			}
		}
		return w.ID != 0
	})
	g.p.d.AwaitActive(w)
	return &page{Session: s, p: g.p, w: w, pid: pid}
}

// pick answers the dialog of folders by the keyboard.
func (p *person) pick(path string) {
	p.t.Helper()
	w := p.d.Await("Choose a folder")
	p.d.AwaitActive(w)
	// It takes keys once it has painted.
	p.still(w)
	p.d.Key("Control+l")
	p.d.Type(path)
	p.d.Key("Return")
	p.d.Gone("Choose a folder")
}

// The prompt's buttons, from its lower right corner.
const (
	yesFromRight = 77
	noFromRight  = 225
	fromBottom   = 38
)

// answer answers the prompt that comes by the pointer, as often as it takes: what
// is pressed too early answers nothing.
func (p *person) answer(fromRight int, shot string) {
	p.t.Helper()
	w := p.prompt()
	p.d.AwaitActive(w)
	for tries := range 10 {
		w = p.still(w)
		if shot != "" && tries == 0 {
			p.d.Shot(shot)
		}
		v := w.Visible()
		p.d.Click(v.Max.X-fromRight, v.Max.Y-fromBottom)
		// Gone for longer than a window takes to come anew.
		last := time.Now()
		for began := last; time.Since(began) < time.Second; <-time.After(10 * time.Millisecond) {
			if _, ok := p.prompted(); ok {
				last = time.Now()
			} else if time.Since(last) > 300*time.Millisecond {
				return
			}
		}
	}
	p.t.Fatal("the prompt cannot be answered")
}

// still waits until a window has looked the same for longer than a prompt's
// delay, which it shows.
func (p *person) still(w desk.Window) desk.Window {
	p.t.Helper()
	const delay = 700 * time.Millisecond
	var last []byte
	since := time.Now()
	until(p.t, "the window to stand still", func() bool {
		// It may still be moved to its place.
		for _, o := range p.d.Windows() {
			if o.ID == w.ID {
				w = o
			}
		}
		im := p.d.Screen().SubImage(w.Visible().Intersect(p.d.Screen().Rect)).(*image.RGBA)
		if desk.Colours(im, 20) < 20 {
			since = time.Now()
		}
		var now []byte
		for y := im.Rect.Min.Y; y < im.Rect.Max.Y; y++ {
			now = append(now, im.Pix[im.PixOffset(im.Rect.Min.X, y):im.PixOffset(im.Rect.Max.X, y)]...)
		}
		if !bytes.Equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since) > delay
	})
	return w
}

// prompted finds the window of a prompt.
func (p *person) prompted() (desk.Window, bool) {
	for _, w := range p.d.Windows() {
		if w.Class == "bailey-prompt" && w.Title != "" && !strings.Contains(w.Title, "Choose a folder") {
			return w, true
		}
	}
	return desk.Window{}, false
}

func (p *person) prompt() (w desk.Window) {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			p.d.Shot("no-prompt")
			p.t.Logf("there are %v", p.d.Windows())
		}
	}()
	until(p.t, "a prompt", func() (ok bool) { w, ok = p.prompted(); return ok })
	return w
}
