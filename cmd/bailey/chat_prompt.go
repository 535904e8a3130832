package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// console is the terminal of a chat; package tty implements it.
type console interface {
	tty.Screen
	// Raw lets each key be read; restore puts the terminal back.
	Raw() (restore func(), err error)
}

const (
	chatPrompt = "> "
	chatMore   = "… "
	// chatMargin stands before each line that is not Bailey's own or the
	// person's. Blanks: what is copied has nothing in it that was not said.
	chatMargin = "  "
)

// conversing is a chat at a terminal.
type conversing struct {
	*talk
	term   console
	editor *tty.Editor
	left   bool  // the person has typed Ctrl-C at the prompt
	flow   *flow // the answer that is being printed, if one is
}

// atTerminal converses until the person leaves.
func (t *talk) atTerminal(ctx context.Context, term console) error {
	s := &conversing{talk: t, term: term, editor: tty.NewEditor(term)}
	t.note = func(what string) { s.say("(" + what + ")") }
	restore, err := term.Raw()
	if err != nil {
		return err
	}
	// Whoever ends the process by and by puts the terminal back too.
	defer t.c.atEnd(restore)()
	s.greet()
	for {
		text, err := s.editor.Read(ctx, chatPrompt, chatMore)
		switch {
		case errors.Is(err, tty.ErrInterrupt) && !s.left:
			s.left = true
			s.say("(Ctrl-C again leaves, and so does /exit)")
			continue
		case errors.Is(err, tty.ErrInterrupt), errors.Is(err, tty.ErrEnd):
			return nil
		case err != nil:
			return err
		}
		s.left = false
		s.editor.Remember(text)
		done, err := s.line(ctx, text)
		if done || err != nil {
			return err
		}
	}
}

// say prints a line of Bailey's own, at column 0, where no text of a model comes.
func (s *conversing) say(line string) {
	if s.flow != nil {
		_ = s.flow.end()
	}
	for _, l := range strings.Split(line, "\n") {
		for _, w := range wrap(l, s.c.screen.columns) {
			fmt.Fprintln(s.c.out, w)
		}
	}
	_ = s.c.out.Flush()
}

func (s *conversing) greet() {
	f := s.model.GetFacts()
	var about []string
	if f.GetParameters() > 0 {
		about = append(about, millions(f.GetParameters())+" weights")
	}
	if f.GetQuantisation() != "" {
		about = append(about, visible.Text(f.GetQuantisation()))
	}
	about = append(about, size(f.GetSize()))
	s.say(fmt.Sprintf("%s (%s). What it says is its own, and may be wrong.", visible.Name(s.model.GetName()), strings.Join(about, ", ")))
	kept := "Ctrl-C stops an answer, /quit leaves, /help shows the rest."
	if s.o.private {
		kept = "Nothing of this is kept. " + kept
	}
	s.say(kept)
	if n := len(s.turns); s.o.goOn && n > 0 {
		s.say(fmt.Sprintf("\nGoing on with %s, %s:", s.id, count(s.turnsSaid(), "turn")))
		for _, turn := range s.turns[max(0, n-2):] {
			s.show(turn)
		}
	}
}

// newFlow is for a text that is not Bailey's.
func (s *conversing) newFlow() *flow {
	// The terminal may have another width by now.
	edge, _ := s.term.Size()
	if edge <= 0 {
		edge = limits.LineWidth
	}
	f := &flow{out: s.c.out, trim: true, margin: chatMargin, edge: edge}
	if s.c.screen.columns > 0 {
		f.columns = min(edge, limits.LineWidth)
	}
	return f
}

// show prints a turn that was said before.
func (s *conversing) show(turn *storev1.Turn) {
	f := s.newFlow()
	switch turn.GetSpeaker() {
	case storev1.Speaker_SPEAKER_USER:
		f.first, f.margin = chatPrompt, chatMore
	case storev1.Speaker_SPEAKER_SYSTEM:
		s.say("(the model was told)")
	}
	_ = f.write(turn.GetText())
	_ = f.end()
	if turn.GetUnfinished() {
		fmt.Fprintln(s.c.out, s.dim("(unfinished)"))
	}
	_ = s.c.out.Flush()
}

// dim is for what is less than the text.
func (s *conversing) dim(line string) string {
	if s.c.screen.bold {
		return "\x1b[2m" + line + "\x1b[0m"
	}
	return line
}

// line does what one input says.
func (s *conversing) line(ctx context.Context, text string) (done bool, err error) {
	if strings.TrimSpace(text) == "" {
		return false, nil
	}
	if word, rest, isCommand := command(text); isCommand {
		return s.command(ctx, word, rest)
	}
	text = tty.Unquote(strings.TrimPrefix(text, "/"))
	if strings.TrimSpace(text) == "" {
		return false, nil
	}
	s.add(storev1.Speaker_SPEAKER_USER, text)
	s.tries = 0
	return false, s.answer(ctx)
}

// command splits a line that begins with a slash; two slashes are a text that
// does, and so are more lines than one.
func command(text string) (word, rest string, ok bool) {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.Contains(strings.TrimRight(text, "\n"), "\n") && !strings.HasPrefix(text, "/system") {
		return "", "", false
	}
	word, rest, _ = strings.Cut(strings.TrimRight(text, " \n"), " ")
	return word, strings.TrimSpace(rest), true
}

// answer has the model answer the last turn. What fails is said, and the chat
// goes on; the error is of the terminal or of ctx.
func (s *conversing) answer(ctx context.Context) error {
	err := s.permitted(ctx)
	if err == nil {
		s.keep(ctx)
		if !s.connected() {
			// The core went away since the last answer; the next one is as good.
			if err = s.permitted(ctx); err == nil {
				s.keep(ctx)
			}
		}
	}
	if err == nil {
		err = s.stream(ctx)
	} else {
		s.lose(err)
	}
	if ctx.Err() != nil {
		return errs.Wrap(errs.Cancelled, "cli.chat", context.Cause(ctx))
	}
	if err == nil {
		return nil
	}
	_ = s.c.out.Flush()
	s.failed(errs.From(err))
	return nil
}

// failed says why there is no answer, and what can be done about it here; the
// table's hints are for a command that has ended.
func (s *conversing) failed(e *errs.Error) {
	hint := e.HintText()
	switch e.Code {
	case errs.ContextOverflow:
		hint = "/drop leaves the oldest turns out from here on, and /retry asks again; /new begins another conversation"
	case errs.TemplateRefused, errs.ModelRole:
	case errs.WorkerCrashed, errs.WorkerHung, errs.EngineCrashed, errs.EngineHung, errs.CoreUnavailable, errs.QuotaUsedUp, errs.Internal:
		hint = "/retry asks again"
	case errs.GrantRevoked, errs.GrantExpired, errs.GrantMissing, errs.Denied:
		hint = "/retry asks for the permission again"
	default:
		hint = strings.TrimPrefix(hint+"; /retry asks again", "; ")
	}
	for i, line := range []string{"bailey: " + visible.Path(e.Message()) + ".", "Hint: " + visible.Path(hint)} {
		if i == 0 || hint != "" {
			s.say(line)
		}
	}
}

// stream prints one answer while it comes, and what it took.
func (s *conversing) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if s.editor.Watch(ctx) == nil {
			cancel(errStopped)
		}
	}()
	out := &textSink{c: s.c, flow: s.newFlow(), bar: &progress{out: s.c.errOut, columns: s.c.screen.redraw}}
	s.flow = out.flow
	defer func() { s.flow = nil }()
	a, err := s.reply(ctx, out)
	cancel(nil)
	<-watched
	out.bar.erase()
	if e := out.flow.end(); e != nil {
		return e
	}
	if line := s.took(a, err); line != "" {
		for _, l := range visible.Wrap(line, out.flow.columns) {
			fmt.Fprintln(s.c.out, s.dim(l))
		}
	}
	if e := s.c.out.Flush(); e != nil {
		return outputError(e)
	}
	return err
}

// took is the line below an answer: how it ended, if not by itself, and how fast
// it was.
func (s *conversing) took(a *outcome, err error) string {
	var parts []string
	switch f := a.done.GetFinish(); {
	case a.stopped:
		parts = append(parts, "stopped")
	case err != nil && a.text != "":
		parts = append(parts, "cut off")
	case err != nil:
		return ""
	case f == enginev1.Finish_FINISH_LENGTH && s.o.most > 0:
		parts = append(parts, "ended by --max-tokens")
	case f == enginev1.Finish_FINISH_LENGTH:
		parts = append(parts, "ended by the grant's quota")
	case f == enginev1.Finish_FINISH_CONTEXT:
		parts = append(parts, fmt.Sprintf("the context of %d tokens is full", s.loaded.GetContext()))
	case a.text == "":
		parts = append(parts, "it said nothing")
	}
	if a.dropped > 0 {
		parts = append(parts, count(uint64(a.dropped), "oldest turn")+" left out")
	}
	if r := a.rate(); r > 0 {
		parts = append(parts, fmt.Sprintf("%.3g tok/s", r))
	}
	if a.first > 0 {
		parts = append(parts, fmt.Sprintf("%.1f s to first token", a.first.Seconds()))
	}
	if a.tokens > 0 {
		parts = append(parts, count(uint64(a.tokens), "token"))
	}
	return strings.Join(parts, " · ")
}

// chatCommand is one row of /help.
type chatCommand struct {
	name, args, help string
	run              func(s *conversing, ctx context.Context, rest string) (done bool, err error)
}

func chatCommands() []chatCommand {
	return []chatCommand{
		{"/retry", "", "ask for the last answer again", (*conversing).retry},
		{"/undo", "", "take the last question and its answer back", (*conversing).undo},
		{"/new", "", "begin another conversation; this one stays kept", (*conversing).new},
		{"/system", "TEXT", "begin another conversation, with TEXT told to the model first; - tells it nothing", (*conversing).setSystem},
		{"/drop", "", "leave the oldest turns out when the context is full, and say so", (*conversing).dropOldest},
		{"/save", "FILE", "write the conversation to FILE, which must not exist yet", (*conversing).save},
		{"/stats", "", "what the model takes and has done", (*conversing).stats},
		{"/exit", "", "leave; so do /quit, Ctrl-D, and Ctrl-C twice", func(*conversing, context.Context, string) (bool, error) { return true, nil }},
		{"/help", "", "this", (*conversing).help},
	}
}

func (s *conversing) command(ctx context.Context, word, rest string) (bool, error) {
	if word == "/quit" || word == "/bye" {
		word = "/exit"
	}
	for _, k := range chatCommands() {
		if k.name != word {
			continue
		}
		if (k.args == "") != (rest == "") {
			s.say("(" + strings.TrimSpace(k.name+" "+k.args) + ": " + k.help + ")")
			return false, nil
		}
		return k.run(s, ctx, rest)
	}
	s.say("(there is no " + visible.Name(visible.Middle(word, limits.PromptName)) + "; /help shows what there is, and a text that begins with a slash is typed with two)")
	return false, nil
}

func (s *conversing) help(context.Context, string) (bool, error) {
	for _, k := range chatCommands() {
		s.say(fmt.Sprintf("%-13s %s", strings.TrimSpace(k.name+" "+k.args), k.help))
	}
	s.say("Ctrl-C or Esc stops an answer. A line that ends in \\ goes on in the next; so does all between two \"\"\". Alt-Enter is a new line; what is pasted is taken whole. The arrow keys bring earlier lines back.")
	return false, nil
}

func (s *conversing) retry(ctx context.Context, _ string) (bool, error) {
	n := len(s.turns)
	if n > 0 && s.turns[n-1].GetSpeaker() == storev1.Speaker_SPEAKER_ASSISTANT {
		s.cut(ctx, n)
		s.tries++
	}
	if n = len(s.turns); n == 0 || s.turns[n-1].GetSpeaker() != storev1.Speaker_SPEAKER_USER {
		s.say("(there is nothing to answer yet)")
		return false, nil
	}
	return false, s.answer(ctx)
}

func (s *conversing) undo(ctx context.Context, _ string) (bool, error) {
	for n := len(s.turns); n > 0; n-- {
		if s.turns[n-1].GetSpeaker() != storev1.Speaker_SPEAKER_USER {
			continue
		}
		text := s.turns[n-1].GetText()
		s.cut(ctx, n)
		s.say("(taken back: " + visible.Middle(visible.Text(text), limits.PromptName) + ")")
		return false, nil
	}
	s.say("(there is nothing to take back)")
	return false, nil
}

func (s *conversing) new(context.Context, string) (bool, error) {
	s.forget()
	if s.o.system == "" {
		s.say("(a new conversation)")
	} else {
		s.say("(a new conversation; the model is still told: \"" + visible.Middle(visible.Text(s.o.system), limits.PromptName) + "\")")
	}
	return false, nil
}

func (s *conversing) setSystem(_ context.Context, text string) (bool, error) {
	if text == "-" {
		s.o.system = ""
		s.forget()
		s.say("(a new conversation; the model is told nothing first)")
		return false, nil
	}
	s.o.system = tty.Unquote(text)
	s.forget()
	s.say("(a new conversation; the model is told this first)")
	return false, nil
}

func (s *conversing) dropOldest(context.Context, string) (bool, error) {
	if s.o.drop = !s.o.drop; s.o.drop {
		s.say("(from here on the oldest turns are left out when the context is full; each answer says how many)")
	} else {
		s.say("(a full context is an error again)")
	}
	return false, nil
}

func (s *conversing) save(_ context.Context, name string) (bool, error) {
	if len(s.turns) == 0 {
		s.say("(there is nothing to save)")
		return false, nil
	}
	// No shell stands between, which would know the home.
	if below, ok := strings.CutPrefix(name, "~/"); ok && s.c.env.Home != "" {
		name = filepath.Join(s.c.env.Home, below)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		s.say("(" + visible.Path(name) + " is there already, and is left alone)")
		return false, nil
	}
	if err == nil {
		err = errors.Join(transcript(f, s.model.GetName(), s.turns), f.Close())
	}
	if err != nil {
		s.say("(not saved: " + unsaved(name, err) + ")")
		return false, nil
	}
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	s.say("(saved as " + visible.Path(name) + ")")
	return false, nil
}

// unsaved says why a file was not written.
func unsaved(name string, err error) string {
	var why syscall.Errno
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "there is no folder " + visible.Path(filepath.Dir(name))
	case errors.Is(err, os.ErrPermission):
		return "nothing may be written in " + visible.Path(filepath.Dir(name))
	case errors.As(err, &why):
		return visible.Path(name) + ": " + visible.Text(why.Error())
	}
	return visible.Path(name) + " cannot be written"
}

func (s *conversing) stats(ctx context.Context, _ string) (bool, error) {
	if s.cl == nil || s.loaded == nil {
		s.say("(the model is not loaded; the next answer loads it)")
		return false, nil
	}
	r, err := s.cl.Engine.Stats(ctx, &enginev1.StatsRequest{Grant: s.handle})
	if err != nil {
		s.lose(err)
		s.failed(errs.From(err))
		return false, nil
	}
	l := s.loaded
	engine := visible.Text(l.GetEngine())
	if l.GetVariant() != "" {
		engine += " (" + visible.Text(l.GetVariant()) + ")"
	}
	s.say(fmt.Sprintf("%s, %s, context %d tokens (trained for %d)", engine, count(uint64(l.GetThreads()), "thread"), l.GetContext(), l.GetTrainedContext()))
	line := fmt.Sprintf("memory %s", size(r.GetMemory()))
	if r.GetVram() > 0 {
		line += ", graphics memory " + size(r.GetVram())
	}
	if r.GetTemperature() > 0 {
		line += fmt.Sprintf(", %.0f °C", float64(r.GetTemperature())/1000)
	}
	s.say(line + fmt.Sprintf("; loaded in %s", seconds(time.Duration(l.GetMilliseconds())*time.Millisecond)))
	s.say(fmt.Sprintf("since then %d tokens read, %d written; %d calls at work, %d waiting", r.GetPromptTokens(), r.GetOutputTokens(), r.GetRunning(), r.GetWaiting()))
	if s.id != "" {
		s.say("kept as " + s.id + ": `bailey chat --continue " + s.id + "`")
	}
	return false, nil
}

// millions writes a number of weights as people do: 135M, 1.5B.
func millions(n uint64) string {
	switch f := float64(n); {
	case f >= 999.5e6:
		return fmt.Sprintf("%.3gB", f/1e9)
	case f >= 999.5e3:
		return fmt.Sprintf("%.3gM", f/1e6)
	}
	return fmt.Sprintf("%.3gk", float64(n)/1e3)
}

func loadingLine(thousandths uint32) string {
	return fmt.Sprintf("Loading the model, %d %%", thousandths/10)
}

func readingLine(tokens, total uint32) string {
	return fmt.Sprintf("Reading, %d of %d tokens", tokens, total)
}
