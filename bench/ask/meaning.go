package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/corpus"
	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
)

// meaningName is the model's name in the homes of this benchmark.
const meaningName = "meaning"

// vectorsIn bounds the wait for a folder's vectors.
const vectorsIn = 10 * time.Minute

// byMeaning asks with a model that finds by meaning and without one, by turns: on a
// remembered folder whose vectors are there, with core and engine running and with
// neither, and on folders that Bailey has never seen, with neither.
func (b *bench) byMeaning(ctx context.Context, dir string, texts []corpus.Text) error {
	with, without, folder := *b, *b, filepath.Join(dir, "meant")
	for _, c := range []*bench{&with, &without} {
		home, err := b.stage.NewHome(ctx, dir)
		if err != nil {
			return err
		}
		c.home, c.folder, c.o.files = home, folder, b.o.meant
	}
	if err := corpus.Mixed(folder, texts, b.o.meant, b.o.size); err != nil {
		return err
	}
	if err := with.command(ctx, nil, "model", "pull", b.stage.Model(), "--name", meaningName, "--allow-model", meaningName); err != nil {
		return err
	}
	if _, _, err := without.ask(ctx, "--allow-read", folder, "--remember"); err != nil {
		return err
	}
	if err := with.vectors(ctx); err != nil {
		return err
	}
	for _, c := range []*bench{&with, &without} {
		if err := c.settle(ctx); err != nil {
			return err
		}
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	for range b.o.n {
		if err := turn(ctx, &without, &with); err != nil {
			return err
		}
	}
	for i := range b.o.fresh {
		if err := with.fresh(ctx, filepath.Join(dir, fmt.Sprint("fresh-", i)), texts); err != nil {
			return err
		}
	}
	b.reportMeaning()
	return nil
}

// command runs one, and reads what it says as JSON if it is to.
func (b *bench) command(ctx context.Context, into any, args ...string) error {
	cmd := b.home.Command(ctx, args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("bailey %v: %w: %s", args, err, words.Bytes())
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out.Bytes(), into)
}

// vectors remembers folder and model, and waits until all vectors are made.
func (b *bench) vectors(ctx context.Context) error {
	_, u, err := b.ask(ctx, "--allow-read", b.folder, "--allow-model", meaningName, "--remember")
	if err != nil {
		return err
	}
	begin := time.Now()
	var last error
	for time.Since(begin) < vectorsIn {
		var list struct {
			Grants []struct {
				State    string
				Progress *float64
			}
		}
		if err := b.command(ctx, &list, "grant", "list", "--json"); err != nil {
			return err
		}
		left := false
		for _, g := range list.Grants {
			left = left || g.Progress != nil && *g.Progress < 1
			last = fmt.Errorf("the vectors are not made: %+v", list)
		}
		if !left {
			b.p.Notes["by meaning, remembered, chunks"] = u.Chunks
			b.p.Notes["by meaning, vectors of them made in the background, s"] = time.Since(begin).Seconds()
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return last
}

// settle asks until nothing is read again: what was written just before it was read is
// looked into once more.
func (b *bench) settle(ctx context.Context) error {
	return live.Until(ctx, "the folder to be unchanged", func() (bool, error) {
		_, u, err := b.ask(ctx)
		return u.Unchanged == int64(b.o.files), err
	})
}

// turn asks both: with nothing running, then with everything.
func turn(ctx context.Context, both ...*bench) error {
	for i, b := range both {
		name := []string{"without a model", "by meaning"}[i]
		took, u, err := b.again(ctx)
		if err != nil {
			return err
		}
		if i == 1 != (u.meaning == meaningName) {
			return fmt.Errorf("%s: the answer was found by %q", name, u.meaning)
		}
		b.keep(name+", core and engine to be started, ms", took)
		if err := b.stop(ctx); err != nil {
			return err
		}
	}
	for i, b := range both {
		name := []string{"without a model", "by meaning"}[i]
		c, err := b.home.Dial(ctx)
		if err != nil {
			return err
		}
		for range 2 { // the first starts the engine
			took, _, err := b.again(ctx)
			if err != nil {
				c.Close()
				return err
			}
			b.last = took
		}
		b.keep(name+", core and engine running, ms", b.last)
		c.Close()
		if err := b.stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the core, which an engine that waits for its next grant keeps.
func (b *bench) stop(ctx context.Context) error {
	c, err := b.home.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := unix.Kill(c.PID, unix.SIGTERM); err != nil {
		return err
	}
	return live.Ended(ctx, c.PID)
}

// fresh asks on a folder that is new to Bailey.
func (b *bench) fresh(ctx context.Context, folder string, texts []corpus.Text) error {
	if err := corpus.Mixed(folder, texts, b.o.freshFiles, b.o.size); err != nil {
		return err
	}
	c := *b
	c.folder = folder
	took, u, err := c.ask(ctx, "--allow-read", folder, "--allow-model", meaningName)
	if err != nil {
		return err
	}
	if u.meaning != meaningName || u.Chunks < freshChunks {
		return fmt.Errorf("a fresh folder: %d chunks, found by %q", u.Chunks, u.meaning)
	}
	b.keep("by meaning, fresh folder, nothing running, ms", took)
	b.p.Notes["by meaning, fresh folder, chunks"] = u.Chunks
	if err := b.stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// freshChunks is how many the folder of the target has.
const freshChunks = 1000

func (b *bench) reportMeaning() {
	for _, q := range []struct {
		name            string
		q               float64
		warm, cold, new string
	}{{"p50", 0.5, "<= 100", "<= 400", "<= 4000"}, {"p95", 0.95, "", "", ""}} {
		of := func(name string) float64 { return rows.Quantile(b.p.Raw[name], q.q) }
		for _, s := range []struct{ state, target string }{{"running", q.warm}, {"to be started", q.cold}} {
			state := ", core and engine " + s.state
			with, without := of("by meaning"+state+", ms"), of("without a model"+state+", ms")
			b.p.Rows = append(b.p.Rows,
				rows.New("ask/by meaning"+state+", "+q.name, with, "ms", "").Beside("without a model", without),
				rows.New("ask/by meaning"+state+", more than without, "+q.name, with-without, "ms", s.target))
		}
		b.p.Rows = append(b.p.Rows, rows.New("ask/by meaning, a fresh folder of 1,000 chunks, "+q.name, of("by meaning, fresh folder, nothing running, ms"), "ms", q.new))
	}
	b.p.Notes["by meaning, questions of each"], b.p.Notes["by meaning, fresh folders"] = b.o.n, b.o.fresh
}
