package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

func TestConversation(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, says("A valve ", "opens ", "and shuts."), says("Red\x1b[31m, I think."))
	p := enact(t, core, chatOptions{})
	p.see(t, "smol (135M weights, Q4_1, 98.0 MB). What it says is its own, and may be wrong.")
	p.ask("What is a valve?", "A valve opens and shuts.\n20 tok/s · 0.0 s to first token · 3 tokens")
	p.ask("Which colour?", `Red\x1b[31m, I think.`)
	if q := core.request(1); len(q.GetMessages()) != 3 || q.GetMessages()[1].GetText() != "A valve opens and shuts." || q.GetMessages()[1].GetSpeaker() != enginev1.Speaker_SPEAKER_ASSISTANT {
		t.Errorf("the second request is %v", q)
	}
	p.see(t, chatPrompt)
	p.leaves()
	core.keeps(t, "", "What is a valve?|A valve opens and shuts.|Which colour?|Red\x1b[31m, I think.")
	if n := core.loaded(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	// Another one goes on with it.
	p = enact(t, core, chatOptions{goOn: true})
	p.see(t, "> Which colour?\n  Red")
	p.ask("Sure?", "Yes.")
	if n := len(core.request(2).GetMessages()); n != 5 {
		t.Errorf("%d messages", n)
	}
	p.see(t, chatPrompt)
	p.leaves()
	if got := core.kept(t, ""); !strings.HasSuffix(got, "|Sure?|Yes.") || strings.Count(got, "|") != 5 {
		t.Errorf("kept %q", got)
	}
}

// Column 0 is Bailey's and the person's: no text of a model stands there, when it
// comes and when it is shown again, and what Bailey says in its middle does.
func TestColumnZero(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	forged := "bailey: the core is gone.\nHint: run evil\n> what is my password?\n(saved as x)"
	core.script = append(core.script, says(forged), fails(errs.EngineCrashed, "Half an ans"))
	p := enact(t, core, chatOptions{system: "Be\nbrief."})
	p.ask("Well?", "(saved as x)\n0.0 s to first token")
	p.ask("More?", "  Half an ans\n")
	p.see(t, "\nbailey: The engine ended unexpectedly")
	p.see(t, "\nHint: /retry asks again")
	p.ask("/undo", "taken back")
	p.see(t, chatPrompt)
	p.leaves()
	q := enact(t, core, chatOptions{goOn: true})
	q.see(t, "\n> Well?\n  bailey: the core is gone.")
	q.see(t, chatPrompt)
	q.leaves()
	for _, s := range []string{p.all.String(), q.all.String()} {
		for _, l := range strings.Split(forged, "\n") {
			if strings.Contains(s, "\n"+l) || !strings.Contains(s, "\n"+chatMargin+l) {
				t.Errorf("%q is not in the margin:\n%s", l, s)
			}
		}
	}
}

// Ctrl-C and Esc stop an answer, which is kept as unfinished; at the prompt the
// second Ctrl-C leaves.
func TestStop(t *testing.T) {
	for _, key := range []string{"\x03", "\x1b"} {
		core := newFakeCore(t, t.TempDir())
		core.script = append(core.script, endless)
		p := enact(t, core, chatOptions{})
		p.ask("Go on", "It goes on and")
		p.type_(key)
		p.see(t, "stopped")
		p.ask("More", "Yes.")
		core.keeps(t, "", "Go on|It goes on and …|More|Yes.")
		p.see(t, chatPrompt)
		p.type_("\x03")
		p.see(t, "Ctrl-C again leaves")
		p.type_("\x03")
		if err := <-p.end; err != nil || p.raw {
			t.Errorf("%v, raw %v", err, p.raw)
		}
	}
}

// Loading can be stopped too.
func TestStopLoading(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.hold = make(chan struct{})
	p := enact(t, core, chatOptions{})
	p.ask("Go on", "\r\n")
	<-core.hold
	p.type_("\x03")
	p.see(t, "stopped")
	core.mu.Lock()
	core.hold = nil
	core.mu.Unlock()
	p.ask("/retry", "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
}

// Each typed error gives the prompt back with its reason, and /retry works.
func TestErrorsGiveThePromptBack(t *testing.T) {
	for _, code := range []errs.Code{errs.EngineCrashed, errs.EngineHung, errs.MemoryUsedUp, errs.ContextOverflow, errs.QuotaUsedUp, errs.GrantRevoked, errs.ModelChanged, errs.ModelQuarantine} {
		for _, words := range []string{"", "Half an ans"} {
			core := newFakeCore(t, t.TempDir())
			core.script = append(core.script, fails(code, words), says("Whole."))
			p := enact(t, core, chatOptions{context: 512})
			p.ask("Well?", errs.New(code, "").Message())
			p.see(t, "/retry")
			if words != "" {
				core.keeps(t, "", "Well?|Half an ans…")
			}
			p.ask("/retry", "Whole.")
			p.see(t, chatPrompt)
			p.leaves()
			core.keeps(t, "", "Well?|Whole.")
			// What was lost is loaded as it was asked for.
			if again := core.lastLoad(); again.GetContext() != 512 {
				t.Errorf("%s: loaded again with %v", code, again)
			}
		}
	}
}

// The core goes away in the middle: nothing that was said is lost, and the next
// line starts it again.
func TestCoreGone(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, func(_ context.Context, _ *enginev1.GenerateRequest, say func(string) error) error {
		if err := say("Half an ans"); err != nil {
			return err
		}
		return core.far().Close()
	})
	p := enact(t, core, chatOptions{})
	p.ask("Well?", "core cannot be reached")
	p.ask("Still there?", "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
	if core.dials != 2 {
		t.Errorf("%d connections", core.dials)
	}
	core.keeps(t, "", "Well?|Half an ans…|Still there?|Yes.")
}

// The core went away between two answers: the next question is answered as if
// nothing had been, and all is kept.
func TestCoreGoneBetween(t *testing.T) {
	for _, private := range []bool{false, true} {
		core := newFakeCore(t, t.TempDir())
		p := enact(t, core, chatOptions{private: private})
		p.ask("Well?", "Yes.")
		p.see(t, chatPrompt)
		_ = core.far().Close()
		p.type_("Still there?\r")
		p.see(t, "Still there?")
		if private {
			p.see(t, "core cannot be reached")
			p.ask("/retry", "Yes.")
		} else {
			p.see(t, "Yes.")
		}
		p.see(t, chatPrompt)
		p.leaves()
		if core.dials != 2 {
			t.Errorf("%d connections", core.dials)
		}
		if !private {
			core.keeps(t, "", "Well?|Yes.|Still there?|Yes.")
		}
	}
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	core := newFakeCore(t, dir)
	at := t.TempDir()
	p := enactAt(t, at, core, chatOptions{system: "Be brief."})
	p.ask("/help", "/retry")
	p.ask("/nonsense", "there is no /nonsense")
	p.ask("/save", "/save FILE:")
	p.ask("/undo", "nothing to take back")
	p.ask("/retry", "nothing to answer")
	p.ask("//etc is what?", "Yes.")
	if got := core.request(0).GetMessages(); got[0].GetText() != "Be brief." || got[1].GetText() != "/etc is what?" {
		t.Errorf("%v", got)
	}
	p.ask("Second", "Yes.")
	p.ask("/undo", "taken back: Second")
	core.keeps(t, "", "Be brief.|/etc is what?|Yes.")
	p.ask("/drop", "oldest turns are left out")
	p.ask("Third", "Yes.")
	if q := core.request(2); q.GetOverflow() != enginev1.Overflow_OVERFLOW_DROP_OLDEST || len(q.GetMessages()) != 4 {
		t.Errorf("%v", q)
	}
	p.ask("/stats", "memory 200 MB")
	file := filepath.Join(at, "talk.md")
	p.ask("/save "+file, "(saved as")
	if b, err := os.ReadFile(file); err != nil || string(b) != "**Told to the model**\n\n> Be brief.\n\n**You**\n\n> /etc is what?\n\n**smol**, a model\n\n> Yes.\n\n**You**\n\n> Third\n\n**smol**, a model\n\n> Yes.\n\n" {
		t.Errorf("%q %v", b, err)
	}
	p.ask("/save "+file, "is there already")
	p.ask("/save ~/talk.md", "is there already")
	p.ask("/save "+filepath.Join(at, "none", "talk.md"), "(not saved: there is no folder "+filepath.Join(at, "none")+")")
	p.ask("/new", `(a new conversation; the model is still told: "Be brief.")`)
	p.ask("Fourth", "Yes.")
	core.keeps(t, "", "Be brief.|Fourth|Yes.")
	p.ask("/system Speak French.", "a new conversation")
	p.ask("Fifth", "Yes.")
	core.keeps(t, "", "Speak French.|Fifth|Yes.")
	p.ask("/system -", "the model is told nothing first")
	p.ask("Sixth", "Yes.")
	core.keeps(t, "", "Sixth|Yes.")
	p.ask("/new", "(a new conversation)")
	p.see(t, chatPrompt)
	p.type_("/exit\r")
	if err := <-p.end; err != nil {
		t.Error(err)
	}
}

// /retry with a seed says something else, and takes the answer before back.
func TestRetrySeed(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, says("One."), says("Two."))
	p := enact(t, core, chatOptions{sampling: &enginev1.Sampling{Seed: 5}})
	p.ask("Say", "One.")
	p.ask("/retry", "Two.")
	p.see(t, chatPrompt)
	p.leaves()
	if a, b := core.request(0).GetSampling().GetSeed(), core.request(1).GetSampling().GetSeed(); a != 5 || b == a || len(core.request(1).GetMessages()) != 1 {
		t.Errorf("seeds %d and %d, %v", a, b, core.request(1))
	}
	core.keeps(t, "", "Say|Two.")
}

// Two chats that go on with one conversation: neither overwrites the other.
func TestTwoChatsOfOneConversation(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	p := enact(t, core, chatOptions{})
	p.ask("First", "Yes.")
	p.see(t, chatPrompt)
	id := core.newest(t)
	q := enact(t, core, chatOptions{goOn: true, id: id[:4]})
	q.ask("Of q", "Yes.")
	p.type_("Of p\r")
	p.see(t, "goes on elsewhere")
	p.see(t, "Yes.")
	p.see(t, chatPrompt)
	q.see(t, chatPrompt)
	p.leaves()
	q.leaves()
	if a, b := core.kept(t, id), core.kept(t, p.talk.id); a != "First|Yes.|Of q|Yes." || b != "First|Yes.|Of p|Yes." {
		t.Errorf("%q and %q", a, b)
	}
}

// Erased in between: nothing of it comes back.
func TestErasedInBetween(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	p := enact(t, core, chatOptions{})
	p.ask("Secret", "Yes.")
	p.see(t, chatPrompt)
	if _, err := core.store.Erase(t.Context(), &storev1.EraseRequest{All: true}); err != nil {
		t.Fatal(err)
	}
	p.type_("More\r")
	p.see(t, "was erased")
	p.see(t, "Yes.")
	p.ask("/new", "a new conversation")
	p.ask("Kept again", "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
	core.keeps(t, "", "Kept again|Yes.")
}

// A damaged store is said once, and the whole conversation is kept anew.
func TestStoreDamagedInBetween(t *testing.T) {
	dir := t.TempDir()
	core := newFakeCore(t, dir)
	p := enact(t, core, chatOptions{})
	p.ask("One", "Yes.")
	p.see(t, chatPrompt)
	if err := core.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conversations.db"), []byte("no database at all, but long enough to be taken for one"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.type_("Two\r")
	p.see(t, "was set aside")
	p.see(t, "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
	core.keeps(t, "", "One|Yes.|Two|Yes.")
}

func TestPrivate(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	p := enact(t, core, chatOptions{private: true})
	p.see(t, "Nothing of this is kept.")
	p.ask("Secret", "Yes.")
	p.ask("/new", "a new")
	p.ask("Other", "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
	core.keeps(t, "", "error not-found")
}

// What is typed while an answer comes waits for the prompt.
func TestTypedAhead(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, endless)
	p := enact(t, core, chatOptions{})
	p.ask("Go on", "It goes on and")
	p.type_("next\x03")
	p.see(t, "stopped")
	p.see(t, "> next")
	p.type_(" line\r")
	p.see(t, "Yes.")
	p.see(t, chatPrompt)
	p.leaves()
	if got := core.request(1).GetMessages()[2].GetText(); got != "next line" {
		t.Errorf("%q", got)
	}
}

func TestWhichModel(t *testing.T) {
	vectors := &modelv1.Model{Name: "minilm", PinnedBy: "terminal", Facts: &modelv1.Facts{Sha256: make([]byte, 32), Role: modelv1.Role_ROLE_EMBEDDING}}
	stories := &modelv1.Model{Name: "stories", PinnedBy: "terminal", Facts: &modelv1.Facts{Sha256: make([]byte, 32), Role: modelv1.Role_ROLE_COMPLETION}}
	second := smol()
	second.Name = "other"
	unpinned := smol()
	unpinned.Name, unpinned.PinnedBy = "fresh", ""
	sick := smol()
	sick.Name, sick.Quarantined = "sick", true
	for name, c := range map[string]struct {
		models []*modelv1.Model
		o      chatOptions
		want   string
		code   errs.Code
	}{
		"the only one":            {[]*modelv1.Model{vectors, stories, smol(), unpinned, sick}, chatOptions{}, "smol", ""},
		"none":                    {[]*modelv1.Model{vectors, stories}, chatOptions{}, "", errs.ModelMissing},
		"none that is allowed":    {[]*modelv1.Model{vectors, unpinned, sick}, chatOptions{}, "fresh", ""},
		"allowed here":            {[]*modelv1.Model{smol(), unpinned}, chatOptions{allowed: []string{"fresh"}}, "fresh", ""},
		"set aside":               {[]*modelv1.Model{vectors, sick}, chatOptions{}, "", errs.ModelQuarantine},
		"several":                 {[]*modelv1.Model{smol(), second}, chatOptions{}, "", errs.ModelAmbiguous},
		"named":                   {[]*modelv1.Model{smol(), second}, chatOptions{model: "other"}, "other", ""},
		"unknown":                 {[]*modelv1.Model{smol()}, chatOptions{model: "x"}, "", errs.ModelMissing},
		"neither is so called":    {[]*modelv1.Model{smol()}, chatOptions{model: "x", goOn: true}, "", errs.NotFound},
		"vectors":                 {[]*modelv1.Model{vectors}, chatOptions{model: "minilm"}, "", errs.ModelRole},
		"continues, conversation": {[]*modelv1.Model{stories}, chatOptions{model: "stories"}, "", errs.ModelRole},
		"continues, once":         {[]*modelv1.Model{stories}, chatOptions{model: "stories", once: true}, "stories", ""},
		"continues, system":       {[]*modelv1.Model{stories}, chatOptions{model: "stories", once: true, system: "x"}, "", errs.ModelRole},
	} {
		core := newFakeCore(t, t.TempDir())
		core.models = c.models
		cl, err := core.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k := &talk{o: c.o, cl: cl, note: func(string) {}}
		err = k.choose(t.Context())
		if c.code != "" && errs.CodeOf(err) != c.code || c.code == "" && (err != nil || k.model.GetName() != c.want) {
			t.Errorf("%s: %v, %v", name, k.model.GetName(), err)
		}
		_ = cl.Close()
	}
}

// runOnce answers one question and returns what is printed.
func runOnce(t *testing.T, core *fakeCore, o chatOptions, json bool) (string, string, error) {
	t.Helper()
	return runOnceOn(t, core, o, json, screen{})
}

func runOnceOn(t *testing.T, core *fakeCore, o chatOptions, json bool, s screen) (string, string, error) {
	t.Helper()
	var out, errOut bytes.Buffer
	c := &cli{out: newOutput(&out), errOut: &errOut, json: json, screen: s}
	if o.sampling == nil {
		o.sampling = &enginev1.Sampling{}
	}
	o.once = true
	k := &talk{c: c, o: o, connect: core.connect}
	err := k.open(t.Context())
	if err == nil {
		err = k.once(t.Context())
	}
	k.leave(t.Context(), err)
	_ = c.out.Flush()
	return out.String(), errOut.String(), err
}

func TestOnce(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, says("Grüße,\n", "\x1b[2Jyou."), says("{}"), fails(errs.EngineCrashed, "Half"))
	out, errOut, err := runOnce(t, core, chatOptions{prompt: "Hello", most: 9, schema: `{"type":"object"}`, drop: true}, false)
	if err != nil || out != "Grüße,\n\\x1b[2Jyou.\n" || errOut != "" {
		t.Errorf("%q %q %v", out, errOut, err)
	}
	if q := core.request(0); q.GetMaxTokens() != 9 || q.GetJsonSchema() == "" || q.GetOverflow() != enginev1.Overflow_OVERFLOW_DROP_OLDEST {
		t.Errorf("%v", q)
	}
	core.keeps(t, "", "Hello|Grüße,\n\x1b[2Jyou.")
	out, _, err = runOnce(t, core, chatOptions{prompt: "Again", goOn: true}, true)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], `{"type":"start","model":"smol"`) || lines[1] != `{"type":"text","text":"{}"}` ||
		!strings.HasPrefix(lines[2], `{"type":"done","text":"{}","finish":"end"`) {
		t.Errorf("%s %v", out, err)
	}
	if len(core.request(1).GetMessages()) != 3 {
		t.Errorf("%v", core.request(1))
	}
	out, _, err = runOnce(t, core, chatOptions{prompt: "Third"}, false)
	if errs.CodeOf(err) != errs.EngineCrashed || out != "Half\n" {
		t.Errorf("%q %v", out, err)
	}
	core.keeps(t, "", "Third|Half…")
}

// That --max-tokens ended the answer is said on standard error, wherever that
// leads, behind the end of the answer's line; JSON has it as truncated. Where a
// schema was to be kept to, the command fails besides.
func TestOnceCut(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	const told = "the answer was cut after 2 tokens, by --max-tokens"
	terminal := screen{columns: 80}
	for _, c := range []struct {
		most   uint32
		json   bool
		schema string
		on     screen
		want   bool
		fails  bool
	}{
		{2, false, "", terminal, true, false}, {3, false, "", terminal, false, false}, {2, false, "", screen{}, true, false}, {2, true, "", terminal, false, false},
		{2, false, "{}", terminal, true, true}, {2, true, "{}", screen{}, false, true}, {3, true, "{}", screen{}, false, false},
	} {
		core.script = append(core.script, says("One ", "two"))
		out, errOut, err := runOnceOn(t, core, chatOptions{prompt: "Count", most: c.most, schema: c.schema}, c.json, c.on)
		if (err == reported{errs.ExitFailed}) != c.fails || !c.fails && err != nil || strings.Contains(errOut, told) != c.want || strings.Contains(out, "cut after") {
			t.Errorf("%+v: %q %q %v", c, out, errOut, err)
		}
		if c.json && strings.Contains(out, `"truncated":true`) != (c.most == 2) {
			t.Errorf("%+v: %q", c, out)
		}
	}
	core.keeps(t, "", "Count|One two")
	// Both on one terminal: the line stands below the answer.
	var both bytes.Buffer
	core.script = append(core.script, says("One ", "two"))
	c := &cli{out: newOutput(&both), errOut: &both, screen: terminal}
	k := &talk{c: c, o: chatOptions{prompt: "Count", most: 2, once: true, sampling: &enginev1.Sampling{}}, connect: core.connect}
	if err := k.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.once(t.Context()); err != nil || both.String() != "One two\nbailey: "+told+".\n" {
		t.Errorf("%q %v", both.String(), err)
	}
	k.leave(t.Context(), nil)
	core.keeps(t, "", "Count|One two…")
}

// A question that is refused as it is leaves no conversation behind, and none of
// itself in one that was there.
func TestOnceRefused(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, fails(errs.SchemaRefused, ""), says("Yes."), fails(errs.ContextOverflow, ""), fails(errs.EngineCrashed, ""))
	kept := func() int {
		t.Helper()
		cl, err := core.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		s, err := cl.Store.List(t.Context(), &storev1.ListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			if _, err := s.Recv(); err != nil {
				return n
			}
		}
	}
	if _, errOut, err := runOnce(t, core, chatOptions{prompt: "Hello", schema: "{"}, false); errs.CodeOf(err) != errs.SchemaRefused || errOut != "" {
		t.Fatalf("%q %v", errOut, err)
	}
	if n := kept(); n != 0 {
		t.Errorf("%d conversations are kept", n)
	}
	if _, _, err := runOnce(t, core, chatOptions{prompt: "Hello"}, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runOnce(t, core, chatOptions{prompt: "Long", goOn: true}, false); errs.CodeOf(err) != errs.ContextOverflow ||
		errs.From(err).HintText() != "begin a new conversation, or say --drop-oldest; the most that this model takes is 2048 tokens, with the answer" {
		t.Fatal(err, errs.From(err).HintText())
	}
	core.keeps(t, "", "Hello|Yes.")
	// What met a crash is kept, to be asked again.
	if _, _, err := runOnce(t, core, chatOptions{prompt: "Crash"}, false); errs.CodeOf(err) != errs.EngineCrashed {
		t.Fatal(err)
	}
	if n := kept(); n != 2 {
		t.Errorf("%d conversations are kept", n)
	}
}

// A model that was not taught to converse continues a text, says so, and keeps
// nothing.
func TestContinuesText(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.models = []*modelv1.Model{{Name: "stories", PinnedBy: "terminal", Facts: &modelv1.Facts{Sha256: make([]byte, 32), Role: modelv1.Role_ROLE_COMPLETION}}}
	core.script = append(core.script, says(" there was a cat."))
	out, errOut, err := runOnce(t, core, chatOptions{model: "stories", prompt: "Once"}, false)
	if err != nil || out != " there was a cat.\n" || !strings.Contains(errOut, "continues the text") {
		t.Errorf("%q %q %v", out, errOut, err)
	}
	if q := core.request(0); q.GetText() != "Once" || len(q.GetMessages()) != 0 {
		t.Errorf("%v", q)
	}
	core.keeps(t, "", "error not-found")
}

func TestRequestIsBounded(t *testing.T) {
	k := &talk{o: chatOptions{sampling: &enginev1.Sampling{}}, handle: make([]byte, 16)}
	k.add(storev1.Speaker_SPEAKER_SYSTEM, "system")
	for i := range 20 {
		k.add(storev1.Speaker_SPEAKER_USER, strings.Repeat("question ", 5000))
		k.add(storev1.Speaker_SPEAKER_ASSISTANT, fmt.Sprintf("answer %d %s", i, strings.Repeat("x", 20_000)))
	}
	k.add(storev1.Speaker_SPEAKER_USER, "without an answer")
	k.add(storev1.Speaker_SPEAKER_USER, "last")
	if _, _, err := k.request(); errs.CodeOf(err) != errs.ContextOverflow {
		t.Errorf("%v", err)
	}
	k.o.drop = true
	q, left, err := k.request()
	if err != nil || left == 0 || left%2 != 0 || q.GetMessages()[0].GetText() != "system" || q.GetMessages()[1].GetSpeaker() != enginev1.Speaker_SPEAKER_USER {
		t.Errorf("%d left out, %v", left, err)
	}
	if last := q.GetMessages()[len(q.GetMessages())-1].GetText(); last != "without an answer\n\nlast" {
		t.Errorf("%q", last)
	}
	if _, err := rpc.Encode(q, enginev1.EngineServiceGenerateMethod().MaxRequest); err != nil {
		t.Error(err)
	}
}
