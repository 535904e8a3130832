package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

// What there is of a card is said, and how it was found; none is no fault.
func TestDoctorGraphics(t *testing.T) {
	for _, c := range []struct {
		node, reason, want string
	}{
		{"/dev/dri/renderD128", "", "/dev/dri/renderD128, whose device could be opened; its driver was not tried. Models use it with --gpu or --allow-gpu"},
		{"", "this system has none", "not usable: this system has none; models run on the processor"},
	} {
		d := &doctorJSON{OK: true, Checks: []checkJSON{{ID: "worker-graphics", OK: true, Hint: "fetch a library"}}}
		doctorGraphics(d, func() (string, error) {
			if c.node == "" {
				return "", errs.New(errs.NotSupported, "test").With(c.reason)
			}
			return c.node, nil
		})
		if len(d.Checks) != 2 || !d.OK || !d.Checks[1].OK || d.Checks[1].Detail != c.want {
			t.Errorf("%+v", d)
		}
		if d.Checks[0].limited() != (c.node != "") {
			t.Errorf("what only a card needs: %+v", d.Checks[0])
		}
	}
}

// TestDoctorWorkers: what is on is one line a kind, what is not on stands with its
// reason, and nothing is wider than a terminal.
func TestDoctorWorkers(t *testing.T) {
	on := func(name string) layerJSON { return layerJSON{name, "on", "seen from outside: " + name} }
	d := &doctorJSON{OK: true, Version: "1", Level: "full",
		Checks: []checkJSON{{"home", true, "/home", ""}, {"worker-index", true, "confined and ready in 6.0 ms", ""},
			{"worker-net", true, "confined and ready in 7.0 ms; no service uses it yet", ""}, {"worker-engine", true, "not installed", "install it"}},
		Workers: []workerJSON{
			{"index", "full", []layerJSON{on("landlock"), on("net-namespace"), {"control-group", "off", "not required"}}},
			{"net", "full", []layerJSON{on("landlock"), {"net-namespace", byDesign, strings.Repeat("it has the network ", 8)}, {"control-group", "off", "not required"}}},
			{"engine", "not installed", nil},
		}}
	var b bytes.Buffer
	out := newOutput(&b)
	c := &cli{out: out}
	d.print(c, false)
	out.Flush()
	text := b.String()
	for _, want := range []string{"ok       index   full   2 of 2", "ok       net     full   1 of 1", "no service uses it yet", "limited  worker-engine: not installed",
		"landlock       all 2", "net-namespace  1 of 2", "not in net, by design: it has the network", "control-group  none    off: not required", "\nAll is well, but for what is limited: see above.\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "worker-index") || strings.Contains(text, "\nworker ") {
		t.Errorf("a kind that is well is told twice:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	// On a terminal that is not so wide, nothing is broken by its edge.
	b.Reset()
	d.Checks[0].Detail = strings.Repeat("home is where ", 8)
	c.screen = screen{columns: 70, wide: 70}
	d.print(c, false)
	out.Flush()
	for line := range strings.Lines(b.String()) {
		if len(line) > 71 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.Contains(b.String(), "\n         where ") && !strings.Contains(b.String(), "\n         home ") {
		t.Errorf("not indented:\n%s", b.String())
	}
	c.screen = screen{}
	d.Workers[0].Layers[0].State = "off"
	b.Reset()
	d.print(c, false)
	out.Flush()
	if text := b.String(); !strings.Contains(text, "limited  index   full   1 of 2") || !strings.Contains(text, "\nworker index: full\n") || strings.Contains(text, "\nworker net") {
		t.Errorf("a layer is off:\n%s", text)
	}
}
