package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// event is what both streams of the index service carry.
type event interface {
	GetProgress() *indexv1.Progress
	GetSkipped() *indexv1.SkippedBatch
	GetSentence() *indexv1.Sentence
	GetDone() *indexv1.Done
	GetWritten() *indexv1.Written
	GetWrittenDone() *indexv1.WrittenDone
}

// job is one summarize or ask before it has begun.
type job struct {
	verb, title, question string
	dir                   string // absolute; empty = the remembered folder here
	allowed               []string
	remember              bool
	// models are named by --allow-model, which grants them; known were remembered
	// with the folder, which is looked at again when they are asked for; offered are
	// those that a person who is asked may allow besides.
	models, known, offered []string
	most                   uint32
	// tokens is how many the models may write, 0 = as the index worker asks for;
	// capped has it for those that write.
	tokens uint64
	capped map[string]uint64
	// card is for a model that writes.
	card cardOptions
	// folded shows also what a model wrote without support.
	folded bool
}

func summarize(ctx context.Context, c *cli, call *call) error {
	return c.task(ctx, call, job{verb: "summarize", title: "Summary of " + visible.Path(call.args[0])}, call.args[0])
}

func ask(ctx context.Context, c *cli, call *call) error {
	question := call.args[len(call.args)-1]
	dir := ""
	if len(call.args) == 2 {
		dir = call.args[0]
	} else if info, err := os.Stat(question); err == nil && info.IsDir() {
		return usage("there is a folder, but no question", "for example `bailey ask "+shellWord(question)+" \"how do I build it?\"`")
	}
	switch {
	case strings.TrimSpace(question) == "":
		return usage("the question is empty", "for example `bailey ask DIR \"how do I build it?\"`")
	case !utf8.ValidString(question):
		return usage("the question is not UTF-8", "check the terminal's locale")
	case len(question) > limits.QuestionBytes:
		return usage("the question is longer than 2000 bytes", "ask in fewer words")
	}
	return c.task(ctx, call, job{verb: "ask", title: visible.Text(question), question: question}, dir)
}

// task runs one job from the flags to the last line of its output.
func (c *cli) task(ctx context.Context, call *call, j job, dir string) (err error) {
	j.remember = call.has("remember")
	j.most = call.number("max-sentences")
	j.tokens = uint64(call.number("max-tokens"))
	j.folded = call.has("show-folded")
	if j.card, err = call.card(); err != nil {
		return err
	}
	if j.models, err = namedModels(call.flags["allow-model"]); err != nil {
		return err
	}
	if call.has("no-model") && len(j.models) > 0 {
		return usage("--no-model and --allow-model contradict each other", "give one of them")
	}
	if call.has("no-model") && j.tokens > 0 {
		return noWriter()
	}
	// All that can be refused is refused before the core is touched.
	if j.dir, err = folder(dir); err != nil {
		return err
	}
	if j.allowed, err = allowedDirs(call.flags["allow-read"]); err != nil {
		return err
	}
	if j.dir != "" && len(j.allowed) > 0 {
		real, err := filepath.EvalSymlinks(j.dir)
		if err != nil {
			return folderError(j.dir, err)
		}
		if !covered(real, j.allowed) {
			return usage("--allow-read does not cover "+visible.Path(real), "name that folder, or one above it")
		}
	}
	if d, _ := call.timeout(); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errs.New(errs.Deadline, "cli.timeout").With("--timeout "+d.String()))
		defer cancel()
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return timedOut(ctx, err)
	}
	defer cl.Close()
	if j.dir == "" {
		if j.dir, err = rememberedHere(ctx, cl); err != nil {
			return err
		}
	}
	if !call.has("no-model") {
		if err := c.chooseModels(ctx, cl, &j); err != nil {
			return timedOut(ctx, err)
		}
	}
	if j.tokens > 0 && len(j.capped) == 0 {
		return noWriter()
	}
	begun, err := cl.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: j.verb})
	if err != nil {
		return timedOut(ctx, err)
	}
	r := &result{verb: j.verb, task: begun.GetTask()}
	err = c.work(ctx, call, cl, j, r)
	endTask(ctx, cl, r.task, err)
	return timedOut(ctx, err)
}

// noWriter refuses --max-tokens where no model writes.
func noWriter() error {
	return usage("--max-tokens is of a model that writes, and none is named", "name one with --allow-model NAME; `bailey model list` shows what each is for")
}

// timedOut lets a context that ended by --timeout say so. The core has the same
// deadline and may be the first to act on it; what it then says (that a worker
// was not started, for one) is not what the person wants to hear.
func timedOut(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < limits.TimeoutEarly {
		<-ctx.Done()
	}
	if cause := context.Cause(ctx); cause != nil && errs.CodeOf(cause) == errs.Deadline {
		return cause
	}
	return err
}

// endTask tells the core how the task went. The connection's end would end it
// too, as cancelled.
func endTask(ctx context.Context, cl *client.Client, task string, err error) {
	outcome := corev1.Outcome_OUTCOME_OK
	switch {
	case ctx.Err() != nil:
		outcome = corev1.Outcome_OUTCOME_CANCELLED
	case err != nil:
		outcome = corev1.Outcome_OUTCOME_FAILED
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.TaskEnd)
	defer cancel()
	// A core that is gone has ended the task already.
	_, _ = cl.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: task, Outcome: outcome})
}

// work gets the grant, runs the job and prints it.
func (c *cli) work(ctx context.Context, call *call, cl *client.Client, j job, r *result) error {
	handle, engines, err := c.obtain(ctx, cl, j, r)
	if err != nil {
		return err
	}
	began := time.Now()
	recv, stop, err := open(ctx, cl, j, handle, engines)
	if err != nil {
		return err
	}
	defer stop()
	bar := &progress{out: c.errOut, columns: c.screen.redraw}
	defer bar.erase()
	p := c.printer(call, j, placesFor(r.folder))
	for {
		e, err := recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case e.GetProgress() != nil:
			bar.draw(e.GetProgress())
		case e.GetSkipped() != nil:
			if err := r.skip(e.GetSkipped()); err != nil {
				return err
			}
		case e.GetSentence() != nil:
			if err := r.add(e.GetSentence()); err != nil {
				return err
			}
			bar.erase()
			p.sentence(e.GetSentence())
			if err := c.out.Flush(); err != nil {
				return outputError(err)
			}
		case e.GetWritten() != nil:
			if err := r.write(e.GetWritten()); err != nil {
				return err
			}
		case e.GetWrittenDone() != nil:
			r.writtenDone = e.GetWrittenDone()
			bar.erase()
			p.written(r)
			if err := c.out.Flush(); err != nil {
				return outputError(err)
			}
		case e.GetDone() != nil:
			r.took = time.Since(began)
			if err := r.end(e.GetDone()); err != nil {
				return err
			}
		}
	}
	if r.done == nil {
		return errs.New(errs.Malformed, "cli.ask").With("the answer has no end")
	}
	bar.erase()
	if c.json {
		return r.writeJSON(c.out.Writer)
	}
	if j.verb == "ask" && len(r.sentences) == 0 {
		all, err := listModels(ctx, cl, "")
		r.wordsOnly = err == nil && !slices.ContainsFunc(all, func(m *modelv1.ListResponse) bool {
			return m.GetModel().GetFacts().GetRole() == modelv1.Role_ROLE_EMBEDDING
		})
	}
	p.finish(r)
	return nil
}

// open starts the stream of the job's method.
func open(ctx context.Context, cl *client.Client, j job, handle []byte, engines [][]byte) (recv func() (event, error), stop func() error, err error) {
	if j.verb == "summarize" {
		s, err := cl.Index.Summarize(ctx, &indexv1.SummarizeRequest{Grant: handle, MaxSentences: j.most, Engines: engines})
		if err != nil {
			return nil, nil, err
		}
		return func() (event, error) { return s.Recv() }, s.Close, nil
	}
	s, err := cl.Index.Ask(ctx, &indexv1.AskRequest{Grant: handle, Question: j.question, MaxSentences: j.most, Engines: engines})
	if err != nil {
		return nil, nil, err
	}
	return func() (event, error) { return s.Recv() }, s.Close, nil
}

func (c *cli) printer(call *call, j job, at places) printer {
	switch {
	case c.json:
		return silent{}
	case call.value("format") == "md":
		return &markdownPrinter{out: c.out, at: at, title: j.title, folded: j.folded}
	}
	return &textPrinter{out: c.out, at: at, columns: c.screen.columns, bold: c.screen.bold, folded: j.folded}
}

// folder checks the folder that was named, as far as that needs no grant, and
// returns its absolute path.
func folder(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", errs.Wrap(errs.FolderMissing, "cli.folder", err).With("the current directory is gone")
	}
	if len(abs) > limits.PathBytes {
		return "", usage("the folder's name is longer than 4096 bytes", "go there and name it .")
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", folderError(dir, err)
	}
	if !info.IsDir() {
		return "", errs.New(errs.FolderNotDir, "cli.folder").With(visible.Path(dir))
	}
	return abs, nil
}

func folderError(dir string, err error) error {
	code := errs.FolderMissing
	if errors.Is(err, os.ErrPermission) {
		code = errs.FolderClosed
	}
	e := errs.Wrap(code, "cli.folder", err).With(visible.Path(dir))
	switch {
	case errors.Is(err, syscall.ELOOP):
		return e.WithHint("the path goes round in a circle of links")
	case strings.HasPrefix(dir, "~"):
		return e.WithHint("do not put ~ in quotes: a shell puts your home in its place only without them")
	}
	return e
}

// tildeHint is for who wrote --allow-read=~/notes.
const tildeHint = "a shell puts your home in the place of ~ only where a word begins with it: write --allow-read ~/notes, without = or quotes"

// allowedDirs resolves --allow-read; every one must exist.
func allowedDirs(dirs []string) ([]string, error) {
	var out []string
	for _, d := range dirs {
		abs, err := folder(d)
		if err == nil {
			abs, err = filepath.EvalSymlinks(abs)
		}
		if err != nil {
			hint := "name an existing folder"
			if strings.HasPrefix(d, "~") {
				hint = tildeHint
			}
			return nil, usage("--allow-read "+visible.Path(d)+" is not a folder that can be opened", hint)
		}
		out = append(out, abs)
	}
	return out, nil
}

// covered reports whether real is one of dirs or lies below one. All are real
// paths; they are compared as bytes, part by part.
func covered(real string, dirs []string) bool {
	for _, d := range dirs {
		if real == d || strings.HasPrefix(real, slashed(d)) {
			return true
		}
	}
	return false
}

// rememberedHere returns the remembered folder that holds the working directory.
func rememberedHere(ctx context.Context, cl *client.Client) (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", errs.Wrap(errs.FolderMissing, "cli.folder", err).With("the current directory is gone")
	}
	found, err := cl.Grant.FindRemembered(ctx, &grantv1.FindRememberedRequest{Path: []byte(wd)})
	if err != nil {
		return "", err
	}
	if len(found.GetPath()) == 0 {
		return "", usage("no folder is named, and this directory is in none that is remembered",
			"name the folder: `bailey ask DIR \"question\"`; --remember keeps it for the next time")
	}
	return string(found.GetPath()), nil
}
