// Command tokens measures what Bailey's sandbox and wire cost a model, in one
// run with the same library called in-process, and with npm's node-llama-cpp,
// which has the same library: tokens a second, time to the first token, how
// soon a call ends that is cancelled, memory, conversations at once, a second
// turn, and how fast a model is brought in.
//
//	cd bench/tokens && go run . [-quick] [-o FILE]
//
// The models are generated (random weights of 0.13 and 0.49 thousand million),
// and SmolLM2 and all-MiniLM-L6-v2 are measured too where `make model` put them.
// It wants the programs in bin, the libraries beside them (make build), and for
// the peer npm and node 20.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

type options struct {
	quick, peer        bool
	bin, work, models  string
	only, out, peerDir string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tokens:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("tokens", flag.ContinueOnError)
	f.BoolVar(&o.quick, "quick", false, "few turns and no large model: to see that it works")
	f.BoolVar(&o.peer, "peer", true, "measure node-llama-cpp too")
	f.StringVar(&o.bin, "bin", "../../bin", "where the programs and the libraries are")
	f.StringVar(&o.work, "work", "/var/tmp", "where models and state are made, and removed after")
	f.StringVar(&o.models, "models", "../../build/models", "where make model puts models")
	f.StringVar(&o.peerDir, "peer-dir", "../../build/npm/tokens-peer", "where npm puts the peer")
	f.StringVar(&o.only, "only", "", "measure only these, by comma: "+strings.Join(names(), ","))
	f.StringVar(&o.out, "o", "", "write the rows and all measurements to this JSON `file`")
	child := f.String("child", "", "used by the command itself: the libraries, for the arm in-process")
	spin := f.Bool("spin", false, "used by the command itself: keep a core busy")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case *spin:
		// Numbers that do not come back to 0 in this life.
		for n := uint64(1); n != 0; n = n*6364136223846793005 + 1 {
		}
	case *child != "":
		return runChild(*child, os.Stdin, os.Stdout)
	case f.NArg() > 0:
		return fmt.Errorf("unexpected %q", f.Arg(0))
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	machine := rows.Machine()
	err = b.all(ctx)
	err = errors.Join(err, b.close())
	if err != nil {
		return err
	}
	return rows.Write(os.Stdout, o.out, machine, b.p)
}

// model is one to be measured.
type model struct{ name, path string }

type bench struct {
	o         options
	stage     live.Stage
	dir, self string
	generated []model
	// smol and minilm are empty where they are not there.
	smol, minilm model
	bailey       *sandboxed
	p            rows.Part
	turn         int
}

// measures in their order.
func measures() []struct {
	name string
	do   func(*bench, context.Context) error
} {
	return []struct {
		name string
		do   func(*bench, context.Context) error
	}{
		{"hash", (*bench).hash}, {"speed", (*bench).speed}, {"busy", (*bench).busy}, {"cold", (*bench).cold},
		{"overhead", (*bench).overhead}, {"cancel", (*bench).cancel}, {"memory", (*bench).memory},
		{"parallel", (*bench).parallel}, {"turn", (*bench).second}, {"embed", (*bench).embed}, {"background", (*bench).background},
	}
}

func names() (out []string) {
	for _, m := range measures() {
		out = append(out, m.name)
	}
	return out
}

func newBench(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{o: o}
	b.p = rows.Part{Raw: map[string][]float64{}, Notes: map[string]any{"quick": o.quick}}
	if b.stage, err = live.NewStage(o.work, o.bin, ""); err != nil {
		return nil, err
	}
	b.dir, b.self = b.stage.Dir, b.stage.Self()
	if _, err := os.Stat(filepath.Join(b.libs(), "libggml-base.so")); err != nil {
		return nil, errors.Join(fmt.Errorf("no libraries in %s: make engine: %w", b.libs(), err), b.stage.Remove())
	}
	shapes := gguf.Bench(1)
	if o.quick {
		shapes = shapes[:1]
	}
	for _, s := range append(shapes, gguf.Small(1)) {
		m := model{s.Name, filepath.Join(b.dir, "generated-"+strings.ToLower(s.Name)+".gguf")}
		w, err := os.Create(m.path)
		if err == nil {
			err = errors.Join(gguf.Llama(s).Write(w), w.Close())
		}
		if err != nil {
			return nil, errors.Join(err, b.stage.Remove())
		}
		b.generated = append(b.generated, m)
	}
	real := func(name, glob string) model {
		if found, _ := filepath.Glob(filepath.Join(o.models, glob)); len(found) > 0 {
			path, err := filepath.Abs(found[0])
			if err == nil {
				return model{name, path}
			}
		}
		b.note("not measured: "+name, "make model did not put it there")
		return model{}
	}
	b.smol, b.minilm = real("SmolLM2", "smollm2-*.gguf"), real("MiniLM", "all-minilm-*.gguf")
	if b.bailey, err = newSandboxed(ctx, b.stage, b.dir); err != nil {
		return nil, errors.Join(err, b.stage.Remove())
	}
	return b, b.peer(ctx)
}

func (b *bench) libs() string { return filepath.Join(b.stage.Dir, "bin", "engine") }

func (b *bench) note(what string, why any) { b.p.Notes[what] = why }

// peer lets npm get the peer.
func (b *bench) peer(ctx context.Context) error {
	if !b.o.peer {
		b.note("not measured: node-llama-cpp", "-peer=false")
		return nil
	}
	why := ""
	for _, program := range []string{"npm", "node"} {
		if _, err := exec.LookPath(program); err != nil {
			why = program + " is missing"
		}
	}
	if err := os.MkdirAll(b.o.peerDir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"package.json", "package-lock.json", "peer.mjs"} {
		data, err := os.ReadFile(filepath.Join("peer", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(b.o.peerDir, name), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(b.o.peerDir, "node_modules", "node-llama-cpp")); err != nil && why == "" {
		// Not npm ci: the lock lacks optional packages of other systems, which could
		// not be had when it was written. What it names it holds to a digest.
		c := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")
		c.Dir, c.Stderr = b.o.peerDir, os.Stderr
		if err := c.Run(); err != nil {
			why = "npm: " + err.Error()
		}
	}
	if why != "" {
		b.o.peer = false
		b.note("not measured: node-llama-cpp", why)
	}
	return nil
}

func (b *bench) inProcess(ctx context.Context) (*process, error) {
	return start("in-process", exec.CommandContext(ctx, b.self, "-child", b.libs()))
}

func (b *bench) node(ctx context.Context) (*process, error) {
	c := exec.CommandContext(ctx, "node", "peer.mjs")
	c.Dir = b.o.peerDir
	return start("node-llama-cpp", c)
}

// arms are those that are compared, Bailey first.
func (b *bench) arms(ctx context.Context) (out []arm, stop func() error, err error) {
	out = []arm{b.bailey}
	begin := []func(context.Context) (*process, error){b.inProcess}
	if b.o.peer {
		begin = append(begin, b.node)
	}
	stop = func() (err error) {
		for _, a := range out[1:] {
			err = errors.Join(err, a.close())
		}
		return err
	}
	for _, f := range begin {
		p, err := f(ctx)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		out = append(out, p)
	}
	return out, stop, nil
}

func (b *bench) all(ctx context.Context) error {
	for _, m := range measures() {
		if b.o.only != "" && !strings.Contains(","+b.o.only+",", ","+m.name+",") {
			continue
		}
		begin := time.Now()
		if err := m.do(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "tokens: %s took %v\n", m.name, time.Since(begin).Round(time.Second))
	}
	return nil
}

func (b *bench) close() error { return errors.Join(b.bailey.close(), b.stage.Remove()) }

// n is how often something is done.
func (b *bench) n(full, quick int) int {
	if b.o.quick {
		return quick
	}
	return full
}

// prompt is a text of about n tokens that no other begins like.
func (b *bench) prompt(n int) string {
	b.turn++
	return fmt.Sprintf("%d", 1000+b.turn*7919%9000) + text(n)
}

func text(n int) string {
	words := strings.Fields("the river and the sea are deep water that runs from a high mountain to low land where people read about light")
	var s strings.Builder
	for i := range n {
		s.WriteString(" " + words[(i*i+i/7)%len(words)])
	}
	return s.String()
}

func (b *bench) add(raw string, v float64) { b.p.Raw[raw] = append(b.p.Raw[raw], v) }

func (b *bench) row(r rows.Row) {
	b.p.Rows = append(b.p.Rows, r)
	fmt.Fprintln(os.Stderr, r)
}

// beside makes a row of Bailey's median and one peer's. The ratio is the median of
// those of each turn, where the machine was the same for both.
func (b *bench) beside(name, raw, unit, target, peer string) {
	mine, other := b.p.Raw[raw+" bailey"], b.p.Raw[raw+" "+peer]
	r := rows.New(name, rows.Median(mine), unit, target)
	if len(other) > 0 {
		r = r.Beside(peer, rows.Median(other))
	}
	if len(other) == len(mine) {
		r = r.Paired(mine, other)
	}
	b.row(r)
}

// spinning keeps all cores busy until stop is called.
func (b *bench) spinning(ctx context.Context) (stop func(), err error) {
	all := []*exec.Cmd{}
	stop = func() {
		for _, c := range all {
			c.Process.Kill()
			c.Wait()
		}
	}
	for range runtime.NumCPU() {
		c := exec.CommandContext(ctx, b.self, "-spin")
		c.Stdout = io.Discard
		if err := c.Start(); err != nil {
			stop()
			return nil, err
		}
		all = append(all, c)
	}
	return stop, nil
}
