// Command ask measures `bailey ask` from the start of its process to its exit,
// on a remembered folder of 60,000 chunks in 2,000 files that is looked through
// for changes each time: with the core running, kept by another client, and
// with the core to be started; beside sqlite3's command line, which asks an
// FTS5 table of the same files, without looking for changes and without telling
// where in a file. In rounds of their own it watches the memory of the core and
// the worker.
//
// With -model it asks with a model that finds by meaning and without one instead, on
// a smaller folder and on new ones.
//
//	cd bench/ask && go run . [-n 100] [-files 2000] [-o FILE]
//	cd bench/ask && go run . -model FILE [-n 100] [-o FILE]
//
// It needs `sqlite3` with FTS5 (Debian: sqlite3).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/corpus"
	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/bench/sqlite3"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

type options struct {
	n, files, size           int
	chunks                   int64
	meant, fresh, freshFiles int
}

func main() {
	var o options
	os.Exit(live.Main("ask", func(f *flag.FlagSet) {
		f.IntVar(&o.n, "n", 100, "questions of each")
		f.IntVar(&o.files, "files", 2000, "files in the folder")
		f.IntVar(&o.size, "size", 10700, "bytes of each file, at least")
		f.Int64Var(&o.chunks, "chunks", 60000, "chunks that the folder must have, at least")
		f.IntVar(&o.meant, "meant", 60, "with a model that makes vectors: files in the folder whose vectors are kept")
		f.IntVar(&o.fresh, "fresh", 20, "the same: folders that are new")
		f.IntVar(&o.freshFiles, "fresh-files", 34, "files in each of them")
	}, func(ctx context.Context, s live.Stage, dir string) (rows.Part, error) { return measure(ctx, s, dir, o) }))
}

// questions are asked in turn; the folder has answers to most of them.
func questions() []string {
	return []string{
		"How long are samples kept when I set neither a time nor a size limit for retention?",
		"May I put the data directory on an NFS share?",
		"How do I reload the configuration without a restart?",
		"What does the remote write protocol do when the receiver is down?",
		"Which flag changes the port of the web interface?",
		"How are recording rules written?",
		"What is the difference between a counter and a gauge?",
		"How does relabeling drop a target?",
		"Can alerts be inhibited while another alert fires?",
		"What is the colour of the curtains in the meeting room?",
	}
}

// bench is one run as one user.
type bench struct {
	o           options
	stage       live.Stage
	home        *live.Home
	folder, sql string
	asked       int
	last        time.Duration
	p           rows.Part
}

func measure(ctx context.Context, s live.Stage, dir string, o options) (p rows.Part, err error) {
	texts, err := corpus.Load(s.Collections())
	if err != nil {
		return p, err
	}
	b := &bench{o: o, stage: s, folder: filepath.Join(dir, "folder"), sql: filepath.Join(dir, "peer.db")}
	b.p = rows.Part{Raw: map[string][]float64{}, Notes: map[string]any{}}
	if _, err := os.Stat(s.Model()); err == nil {
		return b.p, b.byMeaning(ctx, dir, texts)
	}
	if err := corpus.Mixed(b.folder, texts, o.files, o.size); err != nil {
		return p, err
	}
	if b.home, err = s.NewHome(ctx, dir); err != nil {
		return p, err
	}
	if _, _, err := sqlite3.Build(ctx, b.sql, b.folder); err != nil {
		return p, err
	}
	if err := b.remember(ctx); err != nil {
		return p, err
	}
	if err := b.times(ctx); err != nil {
		return p, err
	}
	if err := b.memory(ctx, dir); err != nil {
		return p, err
	}
	b.report()
	return b.p, nil
}

// usage is what the command says of the reading.
type usage struct {
	Files, Chunks, Unchanged int64
	Seconds                  float64
	// meaning is the model that helped to find.
	meaning string
}

// ask asks the next question, and returns how long the command took.
func (b *bench) ask(ctx context.Context, flags ...string) (time.Duration, usage, error) {
	q := questions()[b.asked%len(questions())]
	b.asked++
	cmd := b.home.Command(ctx, append([]string{"ask", b.folder, q, "--json"}, flags...)...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, usage{}, fmt.Errorf("bailey ask: %w: %s", err, words.Bytes())
	}
	var got struct {
		Usage     usage
		ByMeaning string `json:"by_meaning"`
	}
	err = json.Unmarshal(out.Bytes(), &got)
	got.Usage.meaning = got.ByMeaning
	return took, got.Usage, err
}

// remember reads the folder for the first time.
func (b *bench) remember(ctx context.Context) error {
	took, u, err := b.ask(ctx, "--allow-read", b.folder, "--remember")
	if err != nil {
		return err
	}
	if u.Files != int64(b.o.files) || u.Chunks < b.o.chunks {
		return fmt.Errorf("the folder has %d files and %d chunks, and must have %d and %d", u.Files, u.Chunks, b.o.files, b.o.chunks)
	}
	// What was written just before it was read is looked into once more.
	if _, _, err := b.ask(ctx); err != nil {
		return err
	}
	b.p.Notes["files"], b.p.Notes["chunks"], b.p.Notes["first reading, s"] = u.Files, u.Chunks, took.Seconds()
	return nil
}

// again asks and wants that all of the folder was looked at and none read.
func (b *bench) again(ctx context.Context) (time.Duration, usage, error) {
	took, u, err := b.ask(ctx)
	if err == nil && (u.Unchanged != int64(b.o.files) || u.Files != u.Unchanged) {
		err = fmt.Errorf("question %d: %d files, %d unchanged", b.asked, u.Files, u.Unchanged)
	}
	return took, u, err
}

func (b *bench) keep(name string, d time.Duration) {
	b.p.Raw[name] = append(b.p.Raw[name], rows.Milliseconds(d))
}

// times asks with a core, without one, and the peer, in turns.
func (b *bench) times(ctx context.Context) error {
	for range b.o.n {
		if err := b.without(ctx); err != nil {
			return err
		}
		if err := b.with(ctx); err != nil {
			return err
		}
		d, err := sqlite3.Ask(ctx, b.sql, words(questions()[b.asked%len(questions())]))
		if err != nil {
			return err
		}
		b.keep("sqlite3, ms", d)
	}
	return nil
}

// without asks when no core runs, and waits until none does again.
func (b *bench) without(ctx context.Context) error {
	took, u, err := b.again(ctx)
	if err != nil {
		return err
	}
	b.keep("core to be started, ms", took)
	b.keep("core to be started, reading, ms", time.Duration(u.Seconds*float64(time.Second)))
	return b.noCore(ctx)
}

// with asks while another client keeps the core.
func (b *bench) with(ctx context.Context) error {
	c, err := b.home.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	// The core's first task pays for what later ones find done; in use, a core
	// that runs has had one.
	if _, _, err := b.again(ctx); err != nil {
		return err
	}
	took, u, err := b.again(ctx)
	if err != nil {
		return err
	}
	b.keep("core running, ms", took)
	b.keep("core running, reading, ms", time.Duration(u.Seconds*float64(time.Second)))
	c.Close()
	return live.Ended(ctx, c.PID)
}

// noCore waits until the core of the last command has ended.
func (b *bench) noCore(ctx context.Context) error {
	return live.Until(ctx, "the core to end", func() (bool, error) {
		names, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return false, err
		}
		for _, n := range names {
			var pid int
			if _, err := fmt.Sscanf(filepath.Base(n), "%d", &pid); err != nil {
				continue
			}
			args, err := proc.Cmdline(pid)
			if err != nil || len(args) == 0 || filepath.Base(args[0]) != "bailey-core" || !strings.Contains(strings.Join(args, " "), b.home.Dir) {
				continue
			}
			if proc.Alive(pid) {
				return false, nil
			}
		}
		return true, nil
	})
}

// memoryRounds is how many questions are asked of one core while memory is
// watched.
const memoryRounds = 30

// memory reads the folder for the first time under another home and asks, with
// one core for all of it.
func (b *bench) memory(ctx context.Context, dir string) (err error) {
	if b.home, err = b.stage.NewHome(ctx, dir); err != nil {
		return err
	}
	c, err := b.home.Dial(ctx)
	if err != nil {
		return err
	}
	defer func() {
		c.Close()
		err = errors.Join(err, live.Ended(ctx, c.PID))
	}()
	idle, err := live.Memory(c.PID, "VmRSS")
	if err != nil {
		return err
	}
	stop := live.Watch(c.PID, time.Millisecond)
	err = b.remember(ctx)
	first := stop()
	if err != nil {
		return err
	}
	stop = live.Watch(c.PID, time.Millisecond)
	for range memoryRounds {
		if _, _, err = b.again(ctx); err != nil {
			break
		}
	}
	later := stop()
	if err != nil {
		return err
	}
	const core, worker = "bailey-core", "bailey-worker"
	b.p.Notes["core, resident bytes when idle"], b.p.Notes["processes, first reading"], b.p.Notes["processes, questions"] = idle, first, later
	for _, r := range []struct {
		name, target string
		bytes        int64
	}{
		{"core, in all", "<= 20", max(first[core].Peak, later[core].Peak)},
		{"worker, first reading", "<= 300", first[worker].Peak},
		{"worker, questions", "<= 300", later[worker].Peak},
	} {
		b.p.Rows = append(b.p.Rows, rows.New("ask/peak memory, "+r.name, float64(r.bytes)/(1<<20), "MiB", r.target))
	}
	return nil
}

func (b *bench) report() {
	const peer = "sqlite3 with FTS5, no look for changes"
	for _, q := range []struct {
		name          string
		q             float64
		with, without string
	}{{"p50", 0.5, "<= 150", "<= 300"}, {"p95", 0.95, "", ""}} {
		of := func(name string) float64 { return rows.Quantile(b.p.Raw[name], q.q) }
		b.p.Rows = append(b.p.Rows,
			rows.New("ask/core running, "+q.name, of("core running, ms"), "ms", q.with).Beside(peer, of("sqlite3, ms")),
			rows.New("ask/core running, of it the look for changes, "+q.name, of("core running, reading, ms"), "ms", ""),
			rows.New("ask/core to be started, "+q.name, of("core to be started, ms"), "ms", q.without).Beside(peer, of("sqlite3, ms")))
	}
	b.p.Notes["questions of each"] = b.o.n
}

// words are the question's, as an FTS5 query.
func words(q string) string {
	ws := regexp.MustCompile(`[A-Za-z]{3,}`).FindAllString(q, -1)
	return `"` + strings.Join(ws, `" OR "`) + `"`
}
