package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
)

// patience bounds everything that is awaited.
const patience = 60 * time.Second

// sitter is what a desk asks of a test.
type sitter struct {
	testing.TB
	mu   sync.Mutex
	done []func()
}

// failure is what ends the run.
type failure struct{ error }

func (s *sitter) Helper()             {}
func (s *sitter) Failed() bool        { return false }
func (s *sitter) Name() string        { return "bench" }
func (s *sitter) Logf(string, ...any) {}
func (s *sitter) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, f)
}
func (s *sitter) Setenv(k, v string)           { _ = os.Setenv(k, v) }
func (s *sitter) Error(args ...any)            { fmt.Fprintln(os.Stderr, args...) }
func (s *sitter) Errorf(f string, args ...any) { fmt.Fprintf(os.Stderr, f+"\n", args...) }
func (s *sitter) Fatal(args ...any)            { panic(failure{errors.New(fmt.Sprint(args...))}) }
func (s *sitter) Fatalf(f string, args ...any) { panic(failure{fmt.Errorf(f, args...)}) }
func (s *sitter) Skip(args ...any)             { s.Fatal(args...) }
func (s *sitter) Skipf(f string, args ...any)  { s.Fatalf(f, args...) }
func (s *sitter) Context() context.Context     { return context.Background() }

func (s *sitter) close() {
	for _, f := range slices.Backward(s.done) {
		f()
	}
	s.done = nil
}

// bench is the run.
type bench struct {
	o    options
	t    *sitter
	d    *desk.Desk
	bins string
	part part
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{desk.Dir()}, parts...)...)
}

func (b *bench) display() desktop.Display {
	return desktop.Display{X11: b.d.Display, XAuthority: b.d.XAuthority, SessionBus: b.d.Bus, Language: "en_GB.UTF-8"}
}

// monotonic is the clock that all processes of the machine share.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

func until(what string, ok func() bool) error {
	over := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(over) {
			return fmt.Errorf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// lines notes when each line of a program came.
type lines struct {
	mu   sync.Mutex
	rest []byte
	all  []line
}

type line struct {
	text string
	at   int64
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	at := monotonic()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		text, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.all = append(l.all, line{string(text), at})
		l.rest = rest
	}
}

func (l *lines) find(words string) (line, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if strings.Contains(x.text, words) {
			return x, true
		}
	}
	return line{}, false
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.all)
}

// program is one that runs at the desk.
type program struct {
	cmd   *exec.Cmd
	out   *lines
	began int64
	ended chan struct{}
}

// run starts a program; stamp has it told the time of its start.
func (b *bench) run(stamp bool, path string, args ...string) (*program, error) {
	p := &program{out: &lines{}, ended: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env, p.cmd.Dir = b.d.Env(), "/"
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.began = monotonic()
	if stamp {
		p.cmd.Args = slices.Insert(p.cmd.Args, 1, fmt.Sprint(p.began))
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// await waits for a line with the words.
func (p *program) await(words string) (line, error) {
	var l line
	err := until(fmt.Sprintf("%q of %s", words, filepath.Base(p.cmd.Path)), func() (ok bool) {
		if l, ok = p.out.find(words); ok {
			return true
		}
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	if err == nil && l.text == "" {
		err = errors.New("it ended")
	}
	if err != nil {
		err = fmt.Errorf("%w: %s said %v", err, filepath.Base(p.cmd.Path), p.out)
	}
	return l, err
}

// close ends a program by a signal and waits for it and for all below it.
func (p *program) close(s os.Signal) error {
	below, err := proc.Descendants(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	_ = p.cmd.Process.Signal(s)
	<-p.ended
	return until("processes to end", func() bool { return !slices.ContainsFunc(below, proc.Alive) })
}

// hello runs a host that prints when it has painted, and leaves it open.
func (b *bench) hello(name string) (ms float64, p *program, err error) {
	if p, err = b.run(true, b.path(name), "stay"); err != nil {
		return 0, nil, err
	}
	l, err := p.await("first_paint_ms")
	if err != nil {
		return 0, nil, err
	}
	var got struct {
		First float64 `json:"first_paint_ms"`
	}
	return got.First, p, json.Unmarshal([]byte(l.text), &got)
}

// processor is the time in seconds that a process and all below it have used.
func processor(root int) (seconds float64) {
	below, _ := proc.Descendants(root)
	for _, pid := range append(below, root) {
		// One that has ended counts nothing.
		t, _ := live.CPU(pid)
		seconds += t
	}
	return seconds
}

// home is one arm with a state of its own.
type home struct {
	b    *bench
	dir  string
	home *live.Home
	// client keeps the core from ending by itself.
	client *client.Client
}

func (b *bench) newHome(arm string) (*home, error) {
	h, err := live.Stage{Dir: b.path(arm)}.NewHome(context.Background(), b.d.Home)
	if err != nil {
		return nil, err
	}
	return &home{b: b, dir: b.path(arm), home: h}, nil
}

// core starts the core, if it does not run, and returns its process.
func (h *home) core() (int, error) {
	if h.client != nil {
		return h.client.PID, nil
	}
	c, err := h.home.Dial(context.Background())
	if err != nil {
		return 0, err
	}
	h.client = c
	return c.PID, nil
}

func (h *home) stop() error {
	if h.client != nil {
		// What it says of its end says nothing.
		_ = h.client.Close()
		h.client = nil
	}
	cmd := h.home.Command(context.Background(), "stop")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// shown is an open window of Bailey's, and when what happened.
type shown struct {
	*program
	core, pid int
	// Nanoseconds of the monotonic clock: the window's process was made, its
	// program began, it had painted.
	made, began, painted int64
}

// open runs `bailey studio` until the page has painted. Without a running core
// the steps within the core are not seen.
func (h *home) open(core int, args ...string) (*shown, error) {
	var w *watch
	if core != 0 {
		w = watchChildren(core)
	}
	p, err := h.b.run(false, filepath.Join(h.dir, "bin", "bailey"), append([]string{"studio", "--json", "--home", h.home.Dir}, args...)...)
	if err != nil {
		return nil, err
	}
	s := &shown{program: p, core: core}
	l, err := p.await(`"shown"`)
	if err != nil {
		return nil, err
	}
	s.painted = l.at
	if l, err = p.await(`"opened"`); err != nil {
		return nil, err
	}
	var got struct{ PID int }
	if err := json.Unmarshal([]byte(l.text), &got); err != nil {
		return nil, err
	}
	s.pid = got.PID
	if w != nil {
		s.made, s.began = w.stop(got.PID)
	}
	return s, nil
}

// watch looks at the core's children as often as it can: the name of a process
// changes when it executes another program.
type watch struct {
	over chan struct{}
	done chan map[int][]line
}

func watchChildren(core int) *watch {
	w := &watch{over: make(chan struct{}), done: make(chan map[int][]line, 1)}
	go func() {
		seen := map[int][]line{}
		for {
			select {
			case <-w.over:
				w.done <- seen
				return
			default:
			}
			kids, _ := proc.Children(core)
			for _, pid := range kids {
				name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				if err != nil {
					continue
				}
				s := seen[pid]
				if len(s) == 0 || s[len(s)-1].text != string(name) {
					seen[pid] = append(s, line{string(name), monotonic()})
				}
			}
			time.Sleep(200 * time.Microsecond)
		}
	}()
	return w
}

// stop ends the watch and says when the process was first seen, and when the
// program began that it is now.
func (w *watch) stop(pid int) (made, began int64) {
	close(w.over)
	s := (<-w.done)[pid]
	if len(s) == 0 {
		return 0, 0
	}
	return s[0].at, s[len(s)-1].at
}

// press brings a window to the front and clicks in its middle.
func (b *bench) press(w desk.Window) {
	b.d.Raise(w)
	v := w.Visible()
	b.d.Click((v.Min.X+v.Max.X)/2, (v.Min.Y+v.Max.Y)/2)
}

// numbers are what a title says after its first word.
func numbers(title string) ([]float64, error) {
	var out []float64
	s := bufio.NewScanner(strings.NewReader(title))
	s.Split(bufio.ScanWords)
	s.Buffer(nil, 1<<20)
	s.Scan()
	for s.Scan() {
		var n float64
		if _, err := fmt.Sscan(s.Text(), &n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, s.Err()
}
