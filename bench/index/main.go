// Command index measures how fast and in how much memory the index worker's
// engine reads folders, in a process of its own without a sandbox, beside
// sqlite3's command line with FTS5 on the same files.
//
//	cd bench/index && go run . [-mb 60] [-small 100000] [-big 2048] [-o FILE]
//
// It needs `sqlite3` with FTS5 (Debian: sqlite3) and as much room below
// -work as the largest folder and its index take: three times -big.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sort"
	"syscall"
	"time"
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
	collections, work, out string
	mb, small, big, times  int
	child, db              string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("index", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.collections, "collections", "../answers/collections", "the text to make folders of")
	f.StringVar(&o.work, "work", os.TempDir(), "where the folders are made, and removed after")
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
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	err = b.all(ctx)
	err = errors.Join(err, os.RemoveAll(b.dir))
	if err != nil {
		return err
	}
	for _, r := range b.rows {
		fmt.Fprintln(stdout, r)
	}
	if o.out == "" {
		return nil
	}
	out, err := json.MarshalIndent(map[string]any{"machine": machine(), "time": time.Now().UTC().Format(time.RFC3339), "rows": b.rows, "runs": b.runs}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, append(out, '\n'), 0o644)
}

// row is a row of the bench output: a value and, where there is one, a peer's.
type row struct {
	Name      string   `json:"name"`
	Value     float64  `json:"value"`
	Unit      string   `json:"unit"`
	Peer      string   `json:"peer,omitempty"`
	PeerValue *float64 `json:"peer_value,omitempty"`
	Ratio     *float64 `json:"ratio,omitempty"`
}

func (r row) String() string {
	s := fmt.Sprintf("%-40s %10.2f %s", r.Name, r.Value, r.Unit)
	if r.PeerValue != nil {
		s += fmt.Sprintf("   %s %.2f, ratio %.2f", r.Peer, *r.PeerValue, *r.Ratio)
	}
	return s
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
	CPU     float64 `json:"cpu_seconds"`             // of the whole process, both runs
	Again   float64 `json:"again_seconds,omitempty"` // a second run, nothing changed
	Peak    int64   `json:"peak_bytes"`              // resident memory, at most
	Stored  int64   `json:"stored_bytes"`            // size of the database
}

type bench struct {
	o     options
	dir   string
	texts []text
	log   io.Writer
	rows  []row
	runs  []result
}

func newBench(o options, log io.Writer) (*bench, error) {
	texts, err := loadTexts(o.collections)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.work, "bench-index")
	if err != nil {
		return nil, err
	}
	return &bench{o: o, dir: dir, texts: texts, log: log}, nil
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

// speed runs the engine and sqlite3 in turns, so that both meet the machine as
// it is, and compares medians.
func (b *bench) speed(ctx context.Context) error {
	dir := filepath.Join(b.dir, "text")
	n, err := writeCopies(dir, b.texts, int64(b.o.mb)*1e6)
	if err != nil {
		return err
	}
	var ours, theirs []float64
	for range b.o.times {
		r, err := b.engine(ctx, "text", dir)
		if err != nil {
			return err
		}
		s, err := b.sqlite(ctx, "text", dir, n)
		if err != nil {
			return err
		}
		ours = append(ours, float64(r.Bytes)/1e6/r.Seconds)
		theirs = append(theirs, float64(n)/1e6/s.Seconds)
	}
	v, p := median(ours), median(theirs)
	ratio := v / p
	b.rows = append(b.rows, row{"index/text, engine without sandbox", v, "MB/s", "sqlite3 with FTS5, whole files", &p, &ratio})
	return os.RemoveAll(dir)
}

func (b *bench) smallFiles(ctx context.Context) error {
	dir := filepath.Join(b.dir, "small")
	if err := writeSmall(dir, b.texts, b.o.small); err != nil {
		return err
	}
	r, err := b.engine(ctx, "small", dir)
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		row{Name: fmt.Sprintf("index/%d small files", b.o.small), Value: r.Seconds, Unit: "s"},
		row{Name: fmt.Sprintf("index/%d small files, again", b.o.small), Value: r.Again, Unit: "s"},
		row{Name: fmt.Sprintf("index/%d small files, peak memory", b.o.small), Value: float64(r.Peak) / (1 << 20), Unit: "MiB"})
	return os.RemoveAll(dir)
}

func (b *bench) memory(ctx context.Context) error {
	dir := filepath.Join(b.dir, "big")
	if _, err := writeCopies(dir, b.texts, int64(b.o.big)<<20); err != nil {
		return err
	}
	r, err := b.engine(ctx, "big", dir)
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		row{Name: fmt.Sprintf("index/folder of %d MiB, peak memory", b.o.big), Value: float64(r.Peak) / (1 << 20), Unit: "MiB"},
		row{Name: fmt.Sprintf("index/folder of %d MiB", b.o.big), Value: float64(r.Bytes) / 1e6 / r.Seconds, Unit: "MB/s"})
	return os.RemoveAll(dir)
}

func median(xs []float64) float64 {
	sort.Float64s(xs)
	n := len(xs)
	if n%2 == 1 {
		return xs[n/2]
	}
	return (xs[n/2-1] + xs[n/2]) / 2
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
	r := result{Folder: name, System: "bailey"}
	if err := json.Unmarshal(out, &r); err != nil {
		return result{}, err
	}
	r.CPU = cpu(cmd)
	b.keep(r)
	return r, nil
}

func cpu(cmd *exec.Cmd) float64 {
	return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
}

func (b *bench) keep(r result) {
	b.runs = append(b.runs, r)
	fmt.Fprintf(b.log, "%s, %s: %d files, %.1f MB in %.2f s (%.2f of CPU), at most %d MiB\n", r.Folder, r.System, r.Files, float64(r.Bytes)/1e6, r.Seconds, r.CPU, r.Peak>>20)
}

// sqlite lets the shell read the same files whole into one full-text table.
func (b *bench) sqlite(ctx context.Context, name, dir string, size int64) (result, error) {
	db, err := os.MkdirTemp(b.dir, "sqlite")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(db)
	file := filepath.Join(db, "index.db")
	script := fmt.Sprintf(`PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE VIRTUAL TABLE t USING fts5(path UNINDEXED, text, tokenize='porter unicode61');
INSERT INTO t SELECT name, CAST(data AS TEXT) FROM fsdir(%s) WHERE data IS NOT NULL;
SELECT count(*) FROM t;
`, quote(dir))
	cmd := exec.CommandContext(ctx, "sqlite3", "-batch", "-bail", file)
	cmd.Stdin = bytes.NewReader([]byte(script))
	cmd.Stderr = b.log
	start := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("sqlite3: %w", err)
	}
	r := result{Folder: name, System: "sqlite3", Bytes: size, Seconds: time.Since(start).Seconds(), CPU: cpu(cmd), Stored: folderSize(db)}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.Peak = u.Maxrss << 10
	}
	lines := bytes.Fields(out)
	if _, err := fmt.Sscan(string(lines[len(lines)-1]), &r.Files); err != nil {
		return result{}, fmt.Errorf("sqlite3 said %q: %w", out, err)
	}
	b.keep(r)
	return r, nil
}

func quote(s string) string {
	return "'" + string(bytes.ReplaceAll([]byte(s), []byte("'"), []byte("''"))) + "'"
}
