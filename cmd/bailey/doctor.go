package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/graphics"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/launch"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// doctorJSON is `doctor --json`.
type doctorJSON struct {
	OK      bool         `json:"ok"`
	Version string       `json:"version"`
	Level   string       `json:"level"`
	Checks  []checkJSON  `json:"checks"`
	Workers []workerJSON `json:"workers"`
}

type checkJSON struct {
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// limited reports whether something lacks that nothing else needs.
func (k checkJSON) limited() bool { return k.OK && k.Hint != "" }

type workerJSON struct {
	Kind   string      `json:"kind"`
	Level  string      `json:"level"`
	Layers []layerJSON `json:"layers"`
}

type layerJSON struct {
	Layer string `json:"layer"`
	State string `json:"state"`
	How   string `json:"how"`
}

// check adds a row; a failure's sentence and hint come from its error.
func (d *doctorJSON) check(id, detail string, err error) bool {
	row := checkJSON{ID: id, OK: err == nil, Detail: visible.Path(detail)}
	if err != nil {
		e := errs.From(err)
		row.Detail, row.Hint = visible.Path(e.Message()), visible.Path(e.HintText())
		d.OK = false
	}
	d.Checks = append(d.Checks, row)
	return err == nil
}

// doctor checks what this program can see by itself, from the inside out, then
// asks the core. Each row is there whatever the others say.
func doctor(ctx context.Context, c *cli, call *call) error {
	d := &doctorJSON{OK: true, Version: release.Version(), Level: "unknown", Checks: []checkJSON{}, Workers: []workerJSON{}}
	if t, _ := call.timeout(); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t, errs.New(errs.Deadline, "cli.timeout").With("--timeout "+t.String()))
		defer cancel()
	}
	core := c.doctorFiles(d)
	h, err := home.Open(c.homeOptions(call))
	if d.check("home", homeDetail(h), err) {
		d.check("runtime-directory", h.Runtime, nil)
		c.doctorCore(ctx, d, h, core)
	}
	c.doctorDisplay(d)
	doctorGraphics(d, graphics.Find)
	if ctx.Err() != nil {
		return timedOut(ctx, errs.Wrap(errs.Cancelled, "cli.doctor", ctx.Err()))
	}
	if c.json {
		if err := c.printJSON(d); err != nil {
			return err
		}
	} else {
		d.print(c, call.has("verbose"))
	}
	if !d.OK {
		return reported{errs.ExitUnavailable}
	}
	return nil
}

// doctorDisplay says where a window would be shown and what that means. None of
// it is a fault: a machine without a display has the terminal.
func (c *cli) doctorDisplay(d *doctorJSON) {
	row := checkJSON{ID: "display", OK: true}
	switch e := c.env; {
	case e.Wayland != "":
		row.Detail = visible.Path("Wayland, " + e.Wayland)
	case e.X11 != "":
		row.Detail = visible.Path("X11, "+e.X11) + ": any other program on it can read what you type in Bailey's windows and press in your place"
		row.Hint = "log in to a Wayland session"
	default:
		row.Detail = "none, so no windows; everything else works on the terminal"
	}
	d.Checks = append(d.Checks, row)
}

// doctorGraphics says what there is of a graphics card, which is none of the
// faults that it looks for. What its driver makes of a model is known when one is
// loaded, and said then.
func doctorGraphics(d *doctorJSON, find func() (string, error)) {
	row := checkJSON{ID: "graphics-card", OK: true}
	if node, err := find(); err != nil {
		row.Detail = "not usable: " + visible.Path(errs.From(err).Detail) + "; models run on the processor"
		for i, k := range d.Checks {
			if k.ID == workerCheck+workerspec.GraphicsKind && k.OK {
				d.Checks[i].Hint = "" // what it lacks serves nobody here
			}
		}
	} else {
		row.Detail = visible.Path(node) + ", whose device could be opened; its driver was not tried. Models use it with --gpu or --allow-gpu"
	}
	d.Checks = append(d.Checks, row)
}

func homeDetail(h *home.Home) string {
	if h == nil {
		return ""
	}
	if h.Dir != "" {
		return h.Dir
	}
	return h.State
}

// doctorFiles checks that the programs that belong together are together, and
// returns the core's path.
func (c *cli) doctorFiles(d *doctorJSON) string {
	self, err := launch.Self()
	core := ""
	if err == nil {
		core, err = client.FindCore(self)
	}
	if !d.check("bailey-core", core, err) {
		return ""
	}
	worker := filepath.Join(filepath.Dir(core), "bailey-worker")
	err = nil
	if !launch.Executable(worker) {
		err = errs.New(errs.CoreUnavailable, "cli.doctor").With("bailey-worker is not beside bailey-core in " + filepath.Dir(core)).
			WithHint("install Bailey again: bailey, bailey-core and bailey-worker belong together")
	}
	d.check("bailey-worker", worker, err)
	return core
}

func (c *cli) doctorCore(ctx context.Context, d *doctorJSON, h *home.Home, core string) {
	cl, err := client.Dial(ctx, h, client.Options{Release: release.Version(), Core: core, Env: c.env.ForCore()})
	if errors.As(err, new(client.NotRunning)) {
		err = errs.New(errs.CoreUnavailable, "cli.doctor").With("there is no bailey-core to start")
	}
	if !d.check("core", "", err) {
		return
	}
	defer cl.Close()
	d.Checks[len(d.Checks)-1].Detail = fmt.Sprintf("process %d, release %s", cl.PID, release.Version())
	r, err := cl.Core.Doctor(ctx, &corev1.DoctorRequest{})
	if err != nil {
		d.check("workers", "", err)
		return
	}
	d.OK = d.OK && r.GetOk()
	d.Level = r.GetLevel()
	for _, k := range r.GetChecks() {
		d.Checks = append(d.Checks, checkJSON{k.GetId(), k.GetOk(), visible.Path(k.GetDetail()), visible.Path(k.GetHint())})
	}
	for _, w := range r.GetWorkers() {
		row := workerJSON{w.GetKind(), w.GetLevel(), []layerJSON{}}
		for _, l := range w.GetLayers() {
			row.Layers = append(row.Layers, layerJSON{l.GetLayer(), l.GetState(), l.GetHow()})
		}
		d.Workers = append(d.Workers, row)
	}
}

// folded reports whether all is on that a kind needs, so that one line says it. The
// control group is not required, and has a check of its own.
func (w *workerJSON) folded() bool { return len(w.Layers) > 0 && w.on() == w.required() }

// required counts the layers without which it does not start.
func (w *workerJSON) required() int { return w.count(func(l layerJSON) bool { return true }) }

// on counts those of them that were seen.
func (w *workerJSON) on() int { return w.count(func(l layerJSON) bool { return l.State == "on" }) }

func (w *workerJSON) count(f func(layerJSON) bool) int {
	n := 0
	for _, l := range w.Layers {
		if l.Layer != string(workerspec.ControlGroup) && l.State != byDesign && f(l) {
			n++
		}
	}
	return n
}

// byDesign is the state of a layer that a kind is not to have.
const byDesign = "by design"

// print writes one line a check, and one a kind of worker: the word first, so that
// it can be read by ear and found by grep. Then stands what confines them, layer by
// layer; and of a kind of which something is off, or of all when they are asked for,
// the layers one by one.
func (d *doctorJSON) print(c *cli, all bool) {
	out := c.out
	fmt.Fprintf(out, "bailey %s, sandbox level: %s\n\n", d.Version, visible.Text(d.Level))
	details := map[string]string{}
	for _, k := range d.Checks {
		if kind, ok := strings.CutPrefix(k.ID, workerCheck); ok && k.OK && d.started(kind) {
			details[kind] = k.Detail
			continue
		}
		word := "ok"
		if !k.OK {
			word = "missing"
		} else if k.limited() {
			word = "limited"
		}
		lines := []string{visible.Text(k.ID) + ": " + k.Detail}
		if k.Hint != "" {
			lines = append(lines, "to mend it: "+k.Hint)
		}
		for _, line := range lines {
			for _, l := range wrap(line, c.screen.columns-len("missing")-gap) {
				fmt.Fprintf(out, "%-7s  %s\n", word, l)
				word = ""
			}
		}
	}
	d.printWorkers(c, details)
	d.printLayers(c)
	for _, w := range d.Workers {
		if !all && w.folded() || len(w.Layers) == 0 {
			continue
		}
		fmt.Fprintf(out, "\nworker %s: %s\n", visible.Text(w.Kind), visible.Text(w.Level))
		t := table{head: []string{"  LAYER", "STATE", "HOW IT IS KNOWN"}}
		for _, l := range w.Layers {
			t.add("  "+visible.Text(l.Layer), visible.Text(l.State), visible.Text(l.How))
		}
		t.print(out, c.screen.wide)
	}
	switch {
	case !d.OK:
		fmt.Fprint(out, "\nNot all is well: see above.\n")
	case slices.ContainsFunc(d.Checks, checkJSON.limited):
		fmt.Fprint(out, "\nAll is well, but for what is limited: see above.\n")
	default:
		fmt.Fprint(out, "\nAll is well.\n")
	}
}

// workerCheck begins the id of the check of a kind of worker.
const workerCheck = "worker-"

// started reports whether a worker of a kind was looked at.
func (d *doctorJSON) started(kind string) bool {
	return slices.ContainsFunc(d.Workers, func(w workerJSON) bool { return w.Kind == kind && len(w.Layers) > 0 })
}

// printWorkers says of each kind whether it starts, and with how many of the layers
// that it needs.
func (d *doctorJSON) printWorkers(c *cli, details map[string]string) {
	t := table{head: []string{"       ", "WORKER", "LEVEL", "LAYERS", "STARTED JUST NOW"}}
	for _, w := range d.Workers {
		detail, ok := details[w.Kind]
		if !ok {
			continue // it has a line above
		}
		word := "ok"
		if !w.folded() {
			// It is there and works, with fewer layers than there are.
			word = "limited"
		}
		t.add(word, visible.Text(w.Kind), visible.Text(w.Level), fmt.Sprintf("%d of %d", w.on(), w.required()), detail)
	}
	if len(t.rows) > 0 {
		c.out.WriteString("\n")
		t.print(c.out, c.screen.wide)
	}
}

// layerWords is how wide the last column is at most: with the others 100 in all.
const layerWords = 68

// printLayers says of each layer in how many kinds it was seen, how it was, and
// where it was not and why.
func (d *doctorJSON) printLayers(c *cli) {
	type layer struct {
		how    string
		on     int
		others []string
	}
	seen := map[string]*layer{}
	var order []string
	looked := 0
	for _, w := range d.Workers {
		if w.Level == "refused" {
			continue
		}
		if len(w.Layers) > 0 {
			looked++
		}
		for _, l := range w.Layers {
			s := seen[l.Layer]
			if s == nil {
				s = &layer{}
				seen[l.Layer], order = s, append(order, l.Layer)
			}
			if l.State != "on" {
				s.others = append(s.others, w.Kind+", "+l.State+": "+l.How)
				continue
			}
			if s.on++; s.how == "" {
				s.how = l.How
			}
		}
	}
	if looked == 0 {
		return
	}
	c.out.WriteString("\n")
	t := table{head: []string{"LAYER", "ON IN", "HOW IT IS KNOWN"}}
	words := layerWords
	if c.screen.wide > 0 {
		words = max(limits.LineWidthMin, min(words, c.screen.wide-(limits.LineWidth-layerWords)))
	}
	add := func(name, on, how string) {
		for i, line := range visible.Wrap(visible.Text(how), words) {
			if i > 0 {
				name, on = "", ""
			}
			t.add(visible.Text(name), on, line)
		}
	}
	for _, name := range order {
		s := seen[name]
		on := fmt.Sprintf("%d of %d", s.on, looked)
		switch {
		case s.on == looked:
			on = fmt.Sprintf("all %d", looked)
		case s.on == 0:
			// One reason for all.
			on, s.how = "none", s.others[0][strings.Index(s.others[0], ", ")+2:]
			s.others = nil
		}
		add(name, on, s.how)
		for _, o := range s.others {
			add("", "", "not in "+o)
		}
	}
	t.print(c.out, c.screen.wide)
}
