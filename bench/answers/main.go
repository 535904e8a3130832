// Command answers holds what Bailey says about a folder against what ripgrep
// and SQLite's FTS5 find there, on questions and summaries of real text. See
// README.md beside it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "answers:", err)
		}
		os.Exit(1)
	}
}

func collections() []string { return []string{"prometheus", "manpages", "sqlite"} }

// tuningSet is the set whose tuning thirds every threshold comes from.
const tuningSet = "questions.json"

type options struct {
	dir       string
	set       string
	held      bool
	binary    string
	embed     string
	library   string
	model     *model
	write     string
	first     int
	peersOnly bool
	verbose   bool
	summaries bool
	sentences int
	out       string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("answers", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.dir, "dir", ".", "the folder of questions.json and collections")
	f.StringVar(&o.set, "set", tuningSet, "the `file` of questions in that folder; thresholds always come from the two tuning thirds of "+tuningSet)
	f.BoolVar(&o.held, "held", false, "use the held questions too: once, at the end")
	f.StringVar(&o.binary, "bailey", "", "ask this bailey binary too (`path`), in its sandbox")
	f.StringVar(&o.embed, "embed", "", "find by meaning too, with the model of this `file`")
	f.StringVar(&o.write, "write", "", "only have the chat model of this `file` write below the passages")
	f.IntVar(&o.first, "first", 0, "with -write: of the first so many questions that have passages")
	f.StringVar(&o.library, "library", "../../build/engine", "the `folder` of the engine's libraries")
	f.BoolVar(&o.peersOnly, "peers", false, "only the peers")
	f.BoolVar(&o.verbose, "v", false, "a line for every question")
	f.BoolVar(&o.summaries, "summaries", true, "summaries too")
	f.IntVar(&o.sentences, "sentences", 40, "sentences in a summary")
	f.StringVar(&o.out, "o", "", "write the rows and the raw results to this JSON `file`")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected %q", f.Arg(0))
	}
	qs, err := o.questions()
	if err != nil {
		return err
	}
	if o.held {
		fmt.Fprintf(stderr, "*** THE HELD QUESTIONS OF %s ARE IN USE. Whoever tunes anything after seeing these results has spent them. ***\n", o.set)
	}
	if o.embed != "" {
		if o.model, err = openModel(ctx, o.embed, o.library); err != nil {
			return err
		}
		defer o.model.m.Close()
	}
	if o.write != "" {
		return o.writing(ctx, qs, stdout)
	}
	rep, err := evaluate(ctx, o, qs, stderr)
	if err != nil {
		return err
	}
	rep.print(stdout, o)
	if !o.peersOnly {
		if err := languages(ctx, o, stdout); err != nil {
			return err
		}
	}
	if o.out != "" {
		return rep.write(o.out)
	}
	return nil
}

// writing measures what a chat model writes, alone.
func (o options) writing(ctx context.Context, qs []question, stdout io.Writer) error {
	w, err := openWriter(ctx, o.write, o.library)
	if err != nil {
		return err
	}
	defer w.m.Close()
	t, err := write(ctx, o, w, qs, stdout)
	if err != nil {
		return err
	}
	t.print(stdout)
	if o.out == "" {
		return nil
	}
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, append(b, '\n'), 0o644)
}

// alone says whether a set is another than the one that thresholds come
// from: its questions are all held, and their results are shown alone.
func alone(set string) bool { return set != tuningSet }

// questions are the set's, and the tuning thirds that its thresholds need.
func (o options) questions() ([]question, error) {
	qs, err := loadQuestions(filepath.Join(o.dir, tuningSet))
	if err != nil || !alone(o.set) {
		return qs, err
	}
	more, err := loadQuestions(filepath.Join(o.dir, o.set))
	if err != nil {
		return nil, err
	}
	if !o.held {
		return nil, fmt.Errorf("%s is held: it is asked with -held, once", o.set)
	}
	for _, q := range more {
		if !q.Held {
			return nil, fmt.Errorf("%s: %s is not held, and nothing may be tuned on it", o.set, q.ID)
		}
	}
	qs = slices.DeleteFunc(qs, func(q question) bool { return q.Held })
	return append(qs, more...), nil
}
