// Command index measures how fast and in how much memory folders are read: by
// the real programs (`bailey ask`, the core, the sandboxed worker), by the index
// worker's engine in a process of its own without a sandbox, and by sqlite3's
// command line with FTS5, on the same files in the same run.
//
//	cd bench/index && go run . [-mb 60] [-small 100000] [-big 2048] [-o FILE]
//
// It needs `sqlite3` with FTS5 (Debian: sqlite3) and as much room below
// -work as the largest folder and its index take: three times -big. It runs as the user who
// runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/corpus"
	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/bench/sqlite3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "index:", err)
		}
		os.Exit(1)
	}
}

type options struct {
	collections, work, out, bin string
	mb, small, big, times       int
	child, db                   string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("index", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.collections, "collections", "../answers/collections", "the text to make folders of")
	f.StringVar(&o.bin, "bin", "../../bin", "where bailey, bailey-core and bailey-worker are")
	f.StringVar(&o.work, "work", "/var/tmp", "where the folders are made, and removed after")
	f.StringVar(&o.out, "o", "", "write the rows and every run to this JSON `file`")
	f.IntVar(&o.mb, "mb", 60, "MB of text for the speed, 0 to leave it out")
	f.IntVar(&o.small, "small", 100000, "small files, 0 to leave them out")
	f.IntVar(&o.big, "big", 2048, "MiB of text for the memory, 0 to leave it out")
	f.IntVar(&o.times, "times", 3, "runs for the speed, in turns; the median counts")
	f.StringVar(&o.child, "child", "", "read this folder and say how it went: used by the command itself")
	f.StringVar(&o.db, "db", "", "with -child: the folder for the database")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected %q", f.Arg(0))
	}
	if o.child != "" {
		return child(ctx, o.child, o.db, stdout)
	}
	machine := rows.Machine()
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	err = b.all(ctx)
	if err = errors.Join(err, b.stage.Remove()); err != nil {
		return err
	}
	return rows.Write(stdout, o.out, machine, rows.Part{Rows: b.rows, Notes: map[string]any{"runs": b.runs}})
}

// result is one run of one system over one folder.
type result struct {
	Folder  string  `json:"folder"`
	System  string  `json:"system"`
	Files   int64   `json:"files"`
	Bytes   int64   `json:"bytes"` // of text
	Chunks  int64   `json:"chunks,omitempty"`
	Skipped int64   `json:"skipped"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`               // of the process that reads, in the first run
	Again   float64 `json:"again_seconds,omitempty"`   // a second run, nothing changed
	Peak    int64   `json:"peak_bytes"`                // resident memory of one process, at most
	Whole   float64 `json:"command_seconds,omitempty"` // from the command's start to its exit
	// Programs is what each of the programs used, in both runs.
	Programs map[string]live.Seen `json:"programs,omitempty"`
	Stored   int64                `json:"stored_bytes"` // size of the database
}

type bench struct {
	o     options
	stage live.Stage
	dir   string
	texts []corpus.Text
	log   io.Writer
	rows  []rows.Row
	runs  []result
}

func newBench(o options, log io.Writer) (*bench, error) {
	texts, err := corpus.Load(o.collections)
	if err != nil {
		return nil, err
	}
	stage, err := live.NewStage(o.work, o.bin, "")
	if err != nil {
		return nil, err
	}
	return &bench{o: o, stage: stage, dir: stage.Dir, texts: texts, log: log}, nil
}

func (b *bench) all(ctx context.Context) error {
	if b.o.mb > 0 {
		if err := b.speed(ctx); err != nil {
			return err
		}
	}
	if b.o.small > 0 {
		if err := b.smallFiles(ctx); err != nil {
			return err
		}
	}
	if b.o.big > 0 {
		return b.memory(ctx)
	}
	return nil
}

// speed runs all three in turns, so that they meet the machine as it is, each
// first in every third round, and compares medians.
func (b *bench) speed(ctx context.Context) error {
	dir := filepath.Join(b.dir, "text")
	n, err := corpus.Copies(dir, b.texts, int64(b.o.mb)*1e6)
	if err != nil {
		return err
	}
	systems := []func() (result, error){
		func() (result, error) { return b.sandboxed(ctx, "text", dir) },
		func() (result, error) { return b.engine(ctx, "text", dir) },
		func() (result, error) { return b.sqlite(ctx, "text", dir, n) },
	}
	speeds, costs := make([][]float64, len(systems)), make([][]float64, len(systems))
	for i := range b.o.times {
		for j := range systems {
			k := (i + j) % len(systems)
			r, err := systems[k]()
			if err != nil {
				return err
			}
			speeds[k] = append(speeds[k], float64(r.Bytes)/1e6/r.Seconds)
			costs[k] = append(costs[k], r.CPU/(float64(r.Bytes)/1e8))
		}
	}
	ours, bare, theirs := rows.Median(speeds[0]), rows.Median(speeds[1]), rows.Median(speeds[2])
	const sqlite = "sqlite3 with FTS5, whole files"
	// What a busy machine disturbs less than the speed: the sandboxed figure has
	// the worker's start and its answer in it.
	b.rows = append(b.rows, rows.New("index/text, processor time in the sandbox", rows.Median(costs[0]), "s/100 MB", "").
		Beside("the same code without a sandbox", rows.Median(costs[1])))
	b.rows = append(b.rows,
		rows.New("index/text, in the sandbox", ours, "MB/s", ">= 20, ratio >= 0.9").Beside("the same code without a sandbox", bare),
		rows.New("index/text, in the sandbox", ours, "MB/s", "").Beside(sqlite, theirs),
		rows.New("index/text, without a sandbox", bare, "MB/s", "").Beside(sqlite, theirs))
	return os.RemoveAll(dir)
}

func (b *bench) smallFiles(ctx context.Context) error {
	dir := filepath.Join(b.dir, "small")
	if err := corpus.Small(dir, b.texts, b.o.small); err != nil {
		return err
	}
	r, err := b.sandboxed(ctx, "small", dir)
	if err != nil {
		return err
	}
	e, err := b.engine(ctx, "small", dir)
	if err != nil {
		return err
	}
	const without = "the same code without a sandbox"
	name := fmt.Sprintf("index/%d small files", b.o.small)
	b.rows = append(b.rows,
		rows.New(name+", the whole command", r.Whole, "s", "< 60"),
		rows.New(name+", in the sandbox", r.Seconds, "s", "").Beside(without, e.Seconds),
		rows.New(name+", again, in the sandbox", r.Again, "s", "").Beside(without, e.Again))
	b.peaks(name, r)
	return os.RemoveAll(dir)
}

func (b *bench) memory(ctx context.Context) error {
	dir := filepath.Join(b.dir, "big")
	if _, err := corpus.Copies(dir, b.texts, int64(b.o.big)<<20); err != nil {
		return err
	}
	r, err := b.sandboxed(ctx, "big", dir)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("index/folder of %d MiB", b.o.big)
	b.rows = append(b.rows, rows.New(name+", in the sandbox", float64(r.Bytes)/1e6/r.Seconds, "MB/s", ""))
	b.peaks(name, r)
	return os.RemoveAll(dir)
}

// peaks adds a row for the memory of each of the programs.
func (b *bench) peaks(name string, r result) {
	for _, program := range slices.Sorted(maps.Keys(r.Programs)) {
		target := "<= 300"
		if program == "bailey-core" {
			target = "<= 20"
		}
		b.rows = append(b.rows, rows.New(name+", peak memory of "+program, float64(r.Programs[program].Peak)/(1<<20), "MiB", target))
	}
}

// question is asked of every folder, so that it is read.
const question = "how long are samples kept?"

// every is how often memory is looked at; what is read is the most that there
// ever was.
const every = 20 * time.Millisecond

// sandboxed lets the real programs read a folder, and again when nothing has
// changed.
func (b *bench) sandboxed(ctx context.Context, name, dir string) (r result, err error) {
	h, err := b.stage.NewHome(ctx, b.dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.Dir)) }()
	c, err := h.Dial(ctx)
	if err != nil {
		return r, err
	}
	defer func() {
		c.Close()
		err = errors.Join(err, live.Ended(ctx, c.PID))
	}()
	stop := live.Watch(os.Getpid(), every)
	begin := time.Now()
	u, err := b.ask(ctx, h, dir, "--allow-read", dir, "--remember")
	whole := time.Since(begin).Seconds()
	first := stop()
	stop = live.Watch(os.Getpid(), every)
	var again usage
	if err == nil {
		again, err = b.ask(ctx, h, dir)
	}
	second := stop()
	if err != nil {
		return r, err
	}
	r = result{
		Folder: name, System: "bailey, sandboxed", Files: u.Files, Bytes: u.Bytes, Chunks: u.Chunks, Skipped: u.Skipped,
		Seconds: u.Seconds, Whole: whole, Again: again.Seconds, Stored: folderSize(filepath.Join(h.Dir, "cache")), CPU: first["bailey-worker"].CPU, Programs: map[string]live.Seen{},
	}
	for program, f := range first {
		if strings.HasPrefix(program, "bailey") {
			f.Peak, f.CPU = max(f.Peak, second[program].Peak), f.CPU+second[program].CPU
			r.Programs[program] = f
			r.Peak = max(r.Peak, f.Peak)
		}
	}
	b.keep(r)
	return r, nil
}

// usage is what the command says of the reading.
type usage struct {
	Files, Bytes, Chunks, Skipped int64
	Seconds                       float64
}

func (b *bench) ask(ctx context.Context, h *live.Home, dir string, flags ...string) (usage, error) {
	cmd := h.Command(ctx, append([]string{"ask", dir, question, "--json"}, flags...)...)
	cmd.Stderr = b.log
	out, err := cmd.Output()
	if err != nil {
		return usage{}, fmt.Errorf("bailey ask on %s: %w", dir, err)
	}
	var got struct{ Usage usage }
	return got.Usage, json.Unmarshal(out, &got)
}

// engine reads a folder in a process of its own, so that its memory is its
// own.
func (b *bench) engine(ctx context.Context, name, dir string) (result, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	db, err := os.MkdirTemp(b.dir, "db")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(db)
	cmd := exec.CommandContext(ctx, self, "-child", dir, "-db", db)
	cmd.Stderr = b.log
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("the engine on %s: %w", name, err)
	}
	r := result{Folder: name, System: "bailey, without a sandbox"}
	if err := json.Unmarshal(out, &r); err != nil {
		return result{}, err
	}
	b.keep(r)
	return r, nil
}

func (b *bench) keep(r result) {
	b.runs = append(b.runs, r)
	fmt.Fprintf(b.log, "%s, %s: %d files, %.1f MB in %.2f s (%.2f of CPU), at most %d MiB\n", r.Folder, r.System, r.Files, float64(r.Bytes)/1e6, r.Seconds, r.CPU, r.Peak>>20)
}

// sqlite lets the peer read the same files.
func (b *bench) sqlite(ctx context.Context, name, dir string, size int64) (result, error) {
	db, err := os.MkdirTemp(b.dir, "sqlite")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(db)
	files, run, err := sqlite3.Build(ctx, filepath.Join(db, "index.db"), dir)
	if err != nil {
		return result{}, err
	}
	r := result{
		Folder: name, System: "sqlite3", Files: files, Bytes: size, Seconds: run.Took.Seconds(), CPU: run.CPU.Seconds(),
		Peak: run.Peak, Stored: folderSize(db),
	}
	b.keep(r)
	return r, nil
}
