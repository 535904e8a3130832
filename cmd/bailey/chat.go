package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// chatOptions is what the command line says of a chat.
type chatOptions struct {
	model    string
	allowed  []string
	prompt   string
	once     bool // one answer, and the end
	system   string
	schema   string
	sampling *enginev1.Sampling
	most     uint32 // tokens of an answer
	// unwatched says that most is Bailey's own, for an answer that nobody may be
	// there to stop.
	unwatched bool
	context   uint32
	threads   uint32
	over      bool
	card      cardOptions
	drop      bool
	private   bool
	goOn      bool // with the conversation of id, or the one used last
	id        string
}

func chatFlags() []flag {
	return append([]flag{
		{name: "prompt", value: "TEXT", help: "answer TEXT and end; so does a question on standard input that is no terminal"},
		{name: "continue", value: "ID", fits: conversationID, help: "go on with a conversation; without ID with the one that was used last"},
		{name: "list", help: "list the conversations, the one that was used last first"},
		{name: "search", value: "TEXT", help: "list what was said with all words of TEXT"},
		{name: "system", value: "TEXT", help: "what the model is told before the conversation"},
		{name: "temperature", value: "X", help: "0 is always the likeliest word; the default is 0.7"},
		{name: "seed", value: "N", help: "the same choices again; the words differ where the engine rounds otherwise"},
		{name: "max-tokens", value: "N", help: "end each answer after N tokens; one answer alone ends after 2048 unless told otherwise"},
		{name: "json-schema", value: "FILE", help: "an answer that keeps to a JSON schema; with --prompt. One that was cut ends with 1"},
		{name: "context", value: "N", help: "tokens that the conversation may have"},
		{name: "threads", value: "N", help: "processor threads; the default leaves one core free"},
		{name: "over-memory", help: "load the model although it does not fit into memory; it is slow then"},
		{name: "drop-oldest", help: "leave the oldest turns out, and say so, when the context is full; otherwise that is an error"},
		{name: "private", help: "keep nothing of this conversation"},
		flagAllowModel(),
		{name: "json", help: "JSON Lines (docs/json.md)"},
		flagHome(),
	}, cardFlags()...)
}

func flagAllowModel() flag {
	return flag{name: "allow-model", value: "NAME", repeat: true, help: "run the model NAME without a question; the log says that the command line did"}
}

func chatVerb() *verb {
	return &verb{
		name: "chat", args: "[MODEL]", maxArgs: 1, tooMany: "a question stands behind --prompt: `bailey chat MODEL --prompt \"…\"`",
		short: "talk with a model, which runs in a sandbox",
		long: []string{
			"Without MODEL it is the one chat model that is allowed; of several, name one. On a terminal it is a conversation: Ctrl-C or Esc stops an answer, /quit leaves, /help shows what else there is. A question by --prompt or on standard input gets one answer.",
			"Conversations are kept in the app's own store, as they go; --private keeps nothing. What a model says is its own: it cites nothing, and is often wrong.",
			"A model that continues text, and was not taught to converse, continues the text of --prompt.",
		},
		examples: []example{
			{"bailey chat", "a conversation on the terminal"},
			{"bailey chat --continue", "goes on with the last one"},
			{"bailey chat smollm2 --prompt \"What is a valve?\" --json", "one answer, for scripts"},
			{"bailey chat --search \"signed release\"", "finds what was said"},
		},
		flags: chatFlags(), run: chat,
	}
}

// conversationID reports whether a word can be the id of a conversation, or its
// beginning.
func conversationID(s string) bool {
	return len(s) >= limits.ChatID && len(s) <= 2*limits.StoreID && strings.Trim(s, "0123456789abcdef") == ""
}

func chat(ctx context.Context, c *cli, call *call) error {
	if call.has("list") || call.has("search") {
		return c.conversations(ctx, call)
	}
	o, err := c.chatOptions(ctx, call)
	if err != nil {
		return err
	}
	// All that can be refused is refused before the core is touched.
	person, atTerminal := tty.Open(c.in, c.screen.errFile)
	if !o.once {
		switch {
		case c.json:
			return usage("--json needs one question: --prompt TEXT, or one on standard input", "a conversation on the terminal has no JSON")
		case o.schema != "":
			return usage("--json-schema needs one question: --prompt TEXT, or one on standard input", "for example `bailey chat MODEL --json-schema FILE --prompt \"…\"`")
		case !atTerminal:
			return usage("there is no question, and no terminal to chat at", "for example `echo \"question\" | bailey chat MODEL`, or --prompt TEXT")
		}
	}
	if o.once && o.most == 0 {
		o.most, o.unwatched = limits.ChatUnwatched, true
	}
	t := &talk{c: c, o: o, connect: c.connector(call)}
	defer func() { t.leave(ctx, err) }()
	if err = t.open(ctx); err != nil {
		return err
	}
	if o.once {
		err = t.once(ctx)
	} else {
		err = t.atTerminal(ctx, person)
	}
	return err
}

// connector is the way to the core, which a long chat may take more than once.
func (c *cli) connector(call *call) func(context.Context) (*client.Client, error) {
	return func(ctx context.Context) (*client.Client, error) { return c.dial(ctx, call, true) }
}

func (c *cli) chatOptions(ctx context.Context, call *call) (o chatOptions, err error) {
	if len(call.args) > 0 {
		o.model = call.args[0]
	}
	o.allowed = call.flags["allow-model"]
	o.context, o.threads, o.most = call.number("context"), call.number("threads"), call.number("max-tokens")
	o.over, o.drop, o.private = call.has("over-memory"), call.has("drop-oldest"), call.has("private")
	o.goOn = call.has("continue")
	if o.card, err = call.card(); err != nil {
		return o, err
	}
	if o.id = call.value("continue"); o.id == "true" {
		o.id = ""
	}
	if o.goOn && o.private {
		return o, usage("--continue and --private exclude each other", "leave one of them out")
	}
	o.system = call.value("system")
	if o.sampling, err = sampling(call); err != nil {
		return o, err
	}
	if file := call.value("json-schema"); file != "" {
		if o.schema, err = readText(ctx, file, limits.ChatSchema, "the JSON schema"); err != nil {
			return o, err
		}
		if !json.Valid([]byte(o.schema)) {
			return o, usage("the JSON schema in "+visible.Path(file)+" is not JSON", "name a file of JSON")
		}
	}
	if call.has("prompt") {
		o.prompt, o.once = call.value("prompt"), true
	} else if !tty.Is(c.in) {
		if o.prompt, err = readAll(c.in, limits.ChatTurn, "the question"); err != nil {
			return o, err
		}
		o.prompt = strings.TrimSuffix(strings.TrimSuffix(o.prompt, "\n"), "\r")
		o.once = o.prompt != ""
	}
	switch {
	case call.has("prompt") && strings.TrimSpace(o.prompt) == "":
		return o, usage("the question is empty", "for example `bailey chat MODEL --prompt \"What is a valve?\"`")
	case len(o.prompt) > limits.ChatTurn || len(o.system) > limits.ChatTurn:
		return o, usage(fmt.Sprintf("a text is longer than %d bytes", limits.ChatTurn), "give it in parts")
	case !utf8.ValidString(o.prompt) || !utf8.ValidString(o.system):
		return o, usage("the text is not UTF-8", "check the terminal's locale")
	}
	return o, nil
}

// sampling reads --temperature and --seed.
func sampling(call *call) (*enginev1.Sampling, error) {
	s := &enginev1.Sampling{}
	if v := call.value("temperature"); v != "" {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || !(x >= 0 && x <= limits.TemperatureMost) {
			return nil, usage(fmt.Sprintf("--temperature is a number from 0 to %g", limits.TemperatureMost), "for example --temperature 0.7")
		}
		if s.Temperature = uint32(x*1000 + 0.5); s.Temperature == 0 {
			s.Greedy = true
		}
	}
	s.Seed = call.number("seed")
	return s, nil
}

// readText reads a file of at most so many bytes of UTF-8, and something. A pipe
// that somebody writes to is one (a shell's `<(…)`); opening one that nobody
// writes to would wait for ever, so it is opened without waiting, and is empty.
func readText(ctx context.Context, name string, most int, what string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", errs.Wrap(errs.Usage, "cli.chat", err).With(what + " cannot be read: " + visible.Path(name)).WithHint("check the name and the mode of the file")
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		return "", usage(visible.Path(name)+" is a folder", "name the file with "+what)
	case err == nil && info.Mode()&os.ModeNamedPipe != 0:
		// One whose writer says nothing is given up with the command.
		defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })()
	}
	text, err := readAll(f, most, what)
	if err == nil && strings.TrimSpace(text) == "" {
		err = usage(what+" in "+visible.Path(name)+" is empty", "an empty schema that allows everything is {}")
	}
	return text, err
}

func readAll(r io.Reader, most int, what string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return "", errs.Wrap(errs.Usage, "cli.chat", err).With(what + " cannot be read")
	case len(b) > most:
		return "", usage(fmt.Sprintf("%s is longer than %d bytes", what, most), "give it in parts")
	case !utf8.Valid(b):
		return "", usage(what+" is not UTF-8", "convert it, for example with iconv")
	}
	return string(b), nil
}

// choose finds the model to chat with, before anything is asked or loaded.
func (t *talk) choose(ctx context.Context) error {
	const op = "cli.chat"
	name := t.o.model
	if name == "" && len(t.turns) > 0 {
		name = lastModel(t.turns)
	}
	models, err := listModels(ctx, t.cl, name)
	if t.o.model == "" && (errs.CodeOf(err) == errs.ModelMissing && err != nil || err == nil && len(models) == 0) && name != "" {
		t.note("the model of this conversation, " + visible.Name(name) + ", is not here any more; another one goes on with it")
		name = ""
		models, err = listModels(ctx, t.cl, "")
	}
	if err == nil && name != "" && len(models) != 1 {
		err = errs.New(errs.ModelMissing, op).With(visible.Name(name))
	}
	if e := errs.From(err); err != nil && e.Code == errs.ModelMissing && t.o.model != "" {
		switch {
		case t.o.goOn && t.o.id == "":
			return errs.Wrap(errs.NotFound, op, err).With("no conversation and no model is called " + visible.Name(name)).
				WithHint("after --continue comes an id that `bailey chat --list` shows, or nothing. For models, " + e.HintText())
		case strings.Contains(name, " "):
			return e.WithHint("a question stands behind --prompt: `bailey chat --prompt \"…\"`. For models, " + e.HintText())
		}
	}
	if err != nil {
		return err
	}
	if name != "" {
		t.model = models[0].GetModel()
		return t.suits()
	}
	// Those that the command line names; else those that are allowed; else those
	// that could be, which is asked then.
	var named, allowed, others, aside []*modelv1.Model
	for _, r := range models {
		m := r.GetModel()
		switch {
		case m.GetFacts().GetRole() != modelv1.Role_ROLE_CHAT:
		case m.GetQuarantined():
			aside = append(aside, m)
		case slices.Contains(t.o.allowed, m.GetName()):
			named = append(named, m)
		case m.GetPinnedBy() != "":
			allowed = append(allowed, m)
		default:
			others = append(others, m)
		}
	}
	fit := named
	for _, next := range [][]*modelv1.Model{allowed, others} {
		if len(fit) == 0 {
			fit = next
		}
	}
	var names []string
	for _, m := range fit {
		names = append(names, visible.Name(m.GetName()))
	}
	switch {
	case len(fit) == 0 && len(aside) > 0:
		return errs.New(errs.ModelQuarantine, op).With(visible.Name(aside[0].GetName()))
	case len(fit) == 1:
		t.model = fit[0]
		return nil
	case len(fit) == 0:
		return errs.New(errs.ModelMissing, op).With("none here is for chat").
			WithHint("bring one in: `bailey model pull FILE.gguf`; `bailey model list` shows what there is")
	}
	more := ""
	if len(names) > limits.ChatModels {
		names, more = names[:limits.ChatModels], ", …"
	}
	return errs.New(errs.ModelAmbiguous, op).With("for chat there are " + strings.Join(names, ", ") + more).
		WithHint("name one: `bailey chat " + names[0] + "`")
}

// suits refuses a model that is not for chat. One that continues text does so in
// answer to one text, and says that; it cannot converse.
func (t *talk) suits() error {
	name := visible.Name(t.model.GetName())
	switch t.model.GetFacts().GetRole() {
	case modelv1.Role_ROLE_CHAT:
		return nil
	case modelv1.Role_ROLE_EMBEDDING:
		return errs.New(errs.ModelRole, "cli.chat").With(name + " makes vectors, and says nothing").
			WithHint("it serves `bailey ask DIR \"…\" --allow-model " + name + "`; `bailey model list` shows what is for chat")
	}
	switch {
	case !t.o.once:
		return errs.New(errs.ModelRole, "cli.chat").With(name + " continues a text; it was not taught to converse").
			WithHint("give it a beginning: `bailey chat " + name + " --prompt \"Once upon a time\"`")
	case t.o.system != "" || t.o.goOn:
		return errs.New(errs.ModelRole, "cli.chat").With(name + " continues one text, without --system and --continue").
			WithHint("`bailey model list` shows what is for chat")
	}
	t.continues = true
	return nil
}

// errStopped is the end of an answer by the person.
var errStopped = errors.New("stopped")
