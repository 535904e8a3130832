package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/test/window/desk"
)

// part collects what is measured.
type part = *rows.Part

func measure(o options) (p rows.Part, err error) {
	t := &sitter{}
	defer t.close()
	p.Raw, p.Notes = map[string][]float64{}, map[string]any{}
	b := &bench{o: o, t: t, part: &p}
	if err := attempt(func() error {
		b.d = desk.Start(t, desk.Options{Width: 1280, Height: 1000})
		return nil
	}); err != nil {
		return p, err
	}
	b.note("libraries", map[bool]string{true: "the system's files", false: "files of the benchmark's own"}[o.shared])
	for _, m := range []struct {
		name string
		run  func() error
	}{
		{"size", b.size}, {"paint", b.paint}, {"prompt", b.prompt}, {"calls", b.calls}, {"stream", b.stream}, {"chat", b.chat}, {"pss", b.pss}, {"flat", b.flat}, {"many", b.many},
	} {
		if !o.wants(m.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "window:", m.name, "load", rows.Load())
		if err := attempt(m.run); err != nil {
			// What else is measured is worth having; the run fails all the same.
			fmt.Fprintf(os.Stderr, "window: %s: %v\n", m.name, err)
			b.note("failed: "+m.name, err.Error())
		}
		b.note("load after "+m.name, rows.Load())
	}
	return p, nil
}

// attempt makes an error of what a desk fails with.
func attempt(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = e.error
		}
	}()
	return f()
}

func (b *bench) note(key string, v any) { b.part.Notes[key] = v }

func (b *bench) raw(key string, xs ...float64) { b.part.Raw[key] = append(b.part.Raw[key], xs...) }

func (b *bench) got(key string) []float64 { return b.part.Raw[key] }

func (b *bench) median(key string) float64 { return rows.Median(b.part.Raw[key]) }

func (b *bench) row(r rows.Row) { b.part.Rows = append(b.part.Rows, r) }

// most is a row whose value may be at most so much.
func (b *bench) most(name string, value float64, unit string, most float64, why string) rows.Row {
	return rows.New(name, value, unit, fmt.Sprintf("<= %.4g%s", most, why)).Judged(value <= most)
}

func (b *bench) turns() int {
	if b.o.quick {
		return min(3, b.o.rounds)
	}
	return b.o.rounds
}

const (
	keyFloor  = "floor"
	keyWails  = "wails"
	keyHello  = "hello"
	keyStudio = "studio"
)

// withWails reports whether the peer could be built.
func (b *bench) withWails() bool {
	_, err := os.Stat(b.path("wails-hello"))
	return err == nil
}

// paint is the time from a program's start until its first frame, with a running
// core and without.
func (b *bench) paint() error {
	hello, err := b.newHome(armHello)
	if err != nil {
		return err
	}
	studio, err := b.newHome(armStudio)
	if err != nil {
		return err
	}
	for i := range b.turns() + 1 {
		ms, used := map[string]float64{}, map[string]float64{}
		for _, peer := range []string{"webview-floor", "wails-hello"} {
			if peer == "wails-hello" && !b.withWails() {
				continue
			}
			v, p, err := b.hello(peer)
			if err != nil {
				return err
			}
			used[peer] = processor(p.cmd.Process.Pid)
			if err := p.close(syscall.SIGKILL); err != nil {
				return err
			}
			ms[peer] = v
		}
		if err := b.shows(hello, keyHello, i > 0); err != nil {
			return err
		}
		if err := b.shows(studio, keyStudio, i > 0); err != nil {
			return err
		}
		if i == 0 {
			continue // what is read from the disk
		}
		b.raw("paint "+keyFloor, ms["webview-floor"])
		b.raw("paint "+keyFloor+" processor s", used["webview-floor"])
		if v, ok := ms["wails-hello"]; ok {
			b.raw("paint "+keyWails, v)
			b.raw("paint "+keyWails+" processor s", used["wails-hello"])
		}
	}
	floor := b.median("paint " + keyFloor)
	b.row(b.most("first paint, hello app, from the host's start, core running, p50", b.median("paint hello from exec"), "ms", floor+30, ": the floor's + 30").Beside("webview-floor", floor))
	b.row(b.most("first paint, hello app, from the core's making of the process, sandbox included, p50", b.median("paint hello from clone"), "ms", floor+30, ": the floor's + 30").Beside("webview-floor", floor))
	b.row(rows.New("first paint, hello app, from the command's start, core running, p50", b.median("paint hello from command"), "ms", "").Beside("webview-floor", floor))
	b.row(rows.New("first paint, hello app, from the command's start, core started too, p50", b.median("paint hello cold"), "ms", "").Beside("webview-floor", floor))
	b.row(rows.New("first paint, Studio, from the host's start, core running, p50", b.median("paint studio from exec"), "ms", "").Beside("webview-floor", floor))
	if b.withWails() {
		b.row(rows.New("first paint, Wails 2.9.2 hello, p50", b.median("paint "+keyWails), "ms", "").Beside("webview-floor", floor))
		b.row(rows.New("first paint, hello app, from the command's start, core started too, beside Wails", b.median("paint hello cold"), "ms", "").Beside("Wails 2.9.2", b.median("paint "+keyWails)))
	}
	return nil
}

// shows opens a window with a running core, and again without one.
func (b *bench) shows(h *home, name string, keep bool) error {
	core, err := h.core()
	if err != nil {
		return err
	}
	// A core that just began still works off its start.
	time.Sleep(300 * time.Millisecond)
	s, err := h.open(core)
	if err != nil {
		return err
	}
	used := processor(s.pid)
	if err := s.close(os.Interrupt); err != nil {
		return err
	}
	if err := h.stop(); err != nil {
		return err
	}
	cold, err := h.open(0)
	if err != nil {
		return err
	}
	if err := cold.close(os.Interrupt); err != nil {
		return err
	}
	if err := h.stop(); err != nil {
		return err
	}
	if keep {
		b.raw("paint "+name+" from command", float64(s.painted-s.program.began)/1e6)
		b.raw("paint "+name+" from clone", float64(s.painted-s.made)/1e6)
		b.raw("paint "+name+" from exec", float64(s.painted-s.began)/1e6)
		b.raw("paint "+name+" processor s", used)
		b.raw("paint "+name+" cold", float64(cold.painted-cold.program.began)/1e6)
	}
	return nil
}

// settles is how long a tree is left alone before its memory is looked at.
const settles = 5 * time.Second

// pss is the memory of whole trees with nothing to do.
func (b *bench) pss() error {
	hello, err := b.newHome(armHello)
	if err != nil {
		return err
	}
	studio, err := b.newHome(armStudio)
	if err != nil {
		return err
	}
	look := func(key string, pids ...int) error {
		time.Sleep(settles)
		var all []used
		for _, pid := range pids {
			us, err := tree(pid)
			if err != nil {
				return err
			}
			all = append(all, us...)
		}
		b.raw("pss "+key, mb(sum(all)))
		by, own := map[string]float64{}, map[string]float64{}
		for _, u := range all {
			by[u.Name] += mb(u.PSS)
			own[u.Name] += mb(u.Own)
		}
		b.note("pss "+key+" by process, last turn, MB", by)
		b.note("pss "+key+" by process, what is no file's, last turn, MB", own)
		return nil
	}
	for range max(1, b.turns()/2) {
		for _, peer := range []struct{ key, name string }{{keyFloor, "webview-floor"}, {keyWails, "wails-hello"}} {
			if peer.key == keyWails && !b.withWails() {
				continue
			}
			_, p, err := b.hello(peer.name)
			if err != nil {
				return err
			}
			if err := look(peer.key, p.cmd.Process.Pid); err != nil {
				return err
			}
			if err := p.close(syscall.SIGKILL); err != nil {
				return err
			}
		}
		for _, arm := range []struct {
			key string
			h   *home
		}{{keyHello, hello}, {keyStudio, studio}} {
			core, err := arm.h.core()
			if err != nil {
				return err
			}
			if arm.key == keyHello {
				if err := look("core alone", core); err != nil {
					return err
				}
			}
			s, err := arm.h.open(core)
			if err != nil {
				return err
			}
			if err := look(arm.key, core); err != nil {
				return err
			}
			// The command that waits for the window's end.
			us, err := tree(s.cmd.Process.Pid)
			if err != nil {
				return err
			}
			b.raw("pss command", mb(sum(us)))
			if err := s.close(os.Interrupt); err != nil {
				return err
			}
			if err := arm.h.stop(); err != nil {
				return err
			}
		}
	}
	floor := b.median("pss " + keyFloor)
	b.row(b.most("memory, hello app, whole tree, PSS", b.median("pss hello"), "MB", floor+15, ": the floor's + 15").Beside("webview-floor", floor))
	b.row(b.most("memory, Studio, whole tree, PSS", b.median("pss studio"), "MB", floor+40, ": the floor's + 40").Beside("webview-floor", floor))
	b.row(b.most("memory, hello app, with the command that waits for its end, PSS", b.median("pss hello")+b.median("pss command"), "MB", floor+15, ": the floor's + 15").Beside("webview-floor", floor))
	b.row(b.most("memory, Studio, with the command that waits for its end, PSS", b.median("pss studio")+b.median("pss command"), "MB", floor+40, ": the floor's + 40").Beside("webview-floor", floor))
	b.row(b.most("memory, core alone, PSS", b.median("pss core alone"), "MB", 14, ""))
	if b.withWails() {
		b.row(rows.New("memory, Wails 2.9.2 hello, whole tree, PSS", b.median("pss "+keyWails), "MB", "").Beside("webview-floor", floor))
	}
	return nil
}
