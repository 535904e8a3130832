package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// fakeClock goes on a millisecond with each look.
type fakeClock struct{ ms atomic.Int64 }

func (c *fakeClock) Wall() time.Time     { return time.UnixMilli(c.ms.Add(1)) }
func (c *fakeClock) Boot() time.Duration { return 0 }

func at(t testing.TB, dir string) *Store {
	t.Helper()
	clock := &fakeClock{}
	clock.ms.Store(time.Now().UnixMilli())
	s := New(Config{Dir: dir, Clock: clock, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { s.Close() })
	return s
}

func begin(t testing.TB, s *Store) string {
	t.Helper()
	r, err := s.Begin(context.Background(), &storev1.BeginRequest{Model: "smol"})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetId()
}

func turn(number int, who storev1.Speaker, text string) *storev1.Turn {
	return &storev1.Turn{Number: uint32(number), Speaker: who, Text: text, AtMs: 7, Tokens: 3}
}

func put(t testing.TB, s *Store, id string, turns ...*storev1.Turn) {
	t.Helper()
	for _, x := range turns {
		if _, err := s.Append(context.Background(), &storev1.AppendRequest{Id: id, Turn: x}); err != nil {
			t.Fatal(err)
		}
	}
}

// talk makes a conversation of these texts, by turns of a person and a model.
func talk(t testing.TB, s *Store, texts ...string) string {
	t.Helper()
	id := begin(t, s)
	for i, text := range texts {
		who := user
		if i%2 == 1 {
			who = model
		}
		put(t, s, id, turn(i+1, who, text))
	}
	return id
}

const (
	user   = storev1.Speaker_SPEAKER_USER
	model  = storev1.Speaker_SPEAKER_ASSISTANT
	system = storev1.Speaker_SPEAKER_SYSTEM
)

func read(t testing.TB, s *Store, id string) (name string, turns []*storev1.Turn, err error) {
	t.Helper()
	err = s.read(context.Background(), &storev1.ReadRequest{Id: id}, func(r *storev1.ReadResponse) error {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		name, turns = r.GetId(), append(turns, r.GetTurn())
		return nil
	})
	return name, turns, err
}

func texts(t testing.TB, s *Store, id string) string {
	t.Helper()
	_, turns, err := read(t, s, id)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, x := range turns {
		all = append(all, x.GetText())
	}
	return strings.Join(all, "|")
}

func list(t testing.TB, s *Store, most uint32) (all []*storev1.Conversation) {
	t.Helper()
	if err := s.list(context.Background(), &storev1.ListRequest{Most: most}, func(r *storev1.ListResponse) error {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		all = append(all, r.GetConversation())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// A client whose answer was lost appends the same turn again, and goes on.
func TestAppendTwice(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "one", "two")
	put(t, s, id, turn(2, model, "two"), turn(3, user, "three"), turn(2, model, "two"), turn(4, model, "four"))
	if got := texts(t, s, id); got != "one|two|three|four" {
		t.Errorf("%q", got)
	}
	if got := search(t, s, "two"); got != "one#2" {
		t.Errorf("found %q", got)
	}
	later := turn(4, model, "four")
	later.AtMs++
	if _, err := s.Append(t.Context(), &storev1.AppendRequest{Id: id, Turn: later}); !is(err, errs.StoreConflict) {
		t.Errorf("the same words at another time: %v", err)
	}
}

// search returns "title#turn" of what is found.
func search(t testing.TB, s *Store, text string) string {
	t.Helper()
	var all []string
	if err := s.search(context.Background(), &storev1.SearchRequest{Text: text}, func(r *storev1.SearchResponse) error {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		all = append(all, fmt.Sprintf("%s#%d", r.GetConversation().GetTitle(), r.GetNumber()))
		return nil
	}); err != nil {
		t.Fatalf("search %q: %v", text, err)
	}
	return strings.Join(all, " ")
}

func is(err error, c errs.Code) bool { return errs.CodeOf(err) == c && err != nil }

func TestConversationsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	if got := list(t, s, 0); len(got) != 0 {
		t.Fatalf("a new store lists %v", got)
	}
	if _, _, err := read(t, s, ""); !is(err, errs.NotFound) {
		t.Fatalf("an empty store was read: %v", err)
	}
	a := begin(t, s)
	if got := list(t, s, 0); len(got) != 0 {
		t.Fatalf("a conversation without a turn is listed: %v", got)
	}
	put(t, s, a, turn(1, system, "Be brief."), turn(2, user, "What is\n a valve?  \x00 Grüße"))
	answer := &storev1.Turn{Number: 3, Speaker: model, Text: "It op", Unfinished: true, Model: "smol", AtMs: 99, Tokens: 2}
	put(t, s, a, answer)
	answer.Text, answer.Unfinished, answer.Tokens = "It opens and shuts.", false, 6
	put(t, s, a, answer)
	b := talk(t, s, "Second?", "Yes.")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = at(t, dir)
	name, turns, err := read(t, s, a)
	if err != nil || name != a || len(turns) != 3 || !proto.Equal(turns[2], answer) || turns[1].GetText() != "What is\n a valve?  \x00 Grüße" {
		t.Fatalf("%s: %v, %v", name, turns, err)
	}
	if name, _, err := read(t, s, ""); err != nil || name != b {
		t.Errorf("the one used last is %s, not %s: %v", name, b, err)
	}
	put(t, s, a, turn(4, user, "And a tap?"))
	got := list(t, s, 0)
	if len(got) != 2 || got[0].GetId() != a || got[0].GetTitle() != "What is a valve? \x00 Grüße" || got[0].GetTurns() != 3 ||
		got[0].GetModel() != "smol" || got[0].GetBytes() != uint64(len("Be brief.What is\n a valve?  \x00 GrüßeIt opens and shuts.And a tap?")) {
		t.Errorf("%v", got)
	}
	if got := list(t, s, 1); len(got) != 1 || got[0].GetId() != a {
		t.Errorf("at most one: %v", got)
	}
	// With all else taken back it is still one.
	if _, err := s.Cut(t.Context(), &storev1.CutRequest{Id: a, From: 2}); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, 1); len(got) != 1 || got[0].GetId() != a || got[0].GetTurns() != 1 {
		t.Errorf("only what the model was told: %v", got)
	}
}

func TestNothingFinishedIsOverwritten(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "one", "two")
	put(t, s, id, turn(3, user, "three"), &storev1.Turn{Number: 4, Speaker: model, Text: "fo", Unfinished: true})
	for what, x := range map[string]*storev1.Turn{
		"a finished turn":               turn(3, user, "other"),
		"an earlier turn":               turn(1, user, "other"),
		"an answer by a question":       turn(4, user, "other"),
		"a turn behind one that is not": turn(6, user, "other"),
	} {
		if _, err := s.Append(context.Background(), &storev1.AppendRequest{Id: id, Turn: x}); !is(err, errs.StoreConflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := texts(t, s, id); got != "one|two|three|fo" {
		t.Errorf("%q", got)
	}
	// An answer that was stopped stays, and the conversation goes on.
	put(t, s, id, turn(5, user, "five"))
	if _, err := s.Append(context.Background(), &storev1.AppendRequest{Id: id, Turn: turn(4, model, "four")}); !is(err, errs.StoreConflict) {
		t.Errorf("an answer behind which the talk went on was replaced: %v", err)
	}
	if _, err := s.Append(context.Background(), &storev1.AppendRequest{Id: "none", Turn: turn(1, user, "x")}); !is(err, errs.NotFound) {
		t.Errorf("an unknown conversation: %v", err)
	}
}

func TestCut(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "alpha", "beta", "gamma", "delta")
	r, err := s.Cut(context.Background(), &storev1.CutRequest{Id: id, From: 3})
	if err != nil || r.GetRemoved() != 2 || texts(t, s, id) != "alpha|beta" {
		t.Fatalf("%v %v %q", r, err, texts(t, s, id))
	}
	if got := search(t, s, "gamma"); got != "" {
		t.Errorf("a turn that was cut is found: %s", got)
	}
	put(t, s, id, turn(3, user, "epsilon"))
	if got := search(t, s, "epsilon"); got != "alpha#3" {
		t.Errorf("found %q", got)
	}
	if r, err := s.Cut(context.Background(), &storev1.CutRequest{Id: id, From: 1}); err != nil || r.GetRemoved() != 3 {
		t.Fatalf("%v %v", r, err)
	}
	if got := list(t, s, 0); len(got) != 0 {
		t.Errorf("an empty conversation is listed: %v", got)
	}
}

func TestSearch(t *testing.T) {
	s := at(t, t.TempDir())
	talk(t, s, "How is a release signed?", "With an offline key, in a résumé of steps.")
	talk(t, s, "什么是阀门？", "阀门是一种控制流体的装置。")
	talk(t, s, "C++ or Go-lang?", "Foo-bar \"quoted\" AND NOT near* text:x 100%")
	for text, want := range map[string]string{
		"release":              "How is a release signed?#1",
		"OFFLINE key":          "How is a release signed?#2",
		"resume":               "How is a release signed?#2",
		"release key":          "",
		"阀门":                   "什么是阀门？#2 什么是阀门？#1",
		"流体 装置":                "什么是阀门？#2",
		"C++":                  "C++ or Go-lang?#1",
		"go-lang":              "C++ or Go-lang?#1",
		"lang-go":              "",
		`"quoted"`:             "C++ or Go-lang?#2",
		"NEAR(release signed)": "",
		"text:x":               "C++ or Go-lang?#2",
		"text:release":         "",
		"quoted OR release":    "",
		"AND":                  "C++ or Go-lang?#2",
		"rel*":                 "",
		"%":                    "C++ or Go-lang?#2",
		"?":                    "C++ or Go-lang?#1 How is a release signed?#1",
		"  ":                   "",
		"\x00":                 "",
		`"`:                    "C++ or Go-lang?#2",
	} {
		if got := search(t, s, text); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	long := talk(t, s, strings.Repeat("many words here ", 2000)+"needle "+strings.Repeat("and there ", 2000))
	err := s.search(context.Background(), &storev1.SearchRequest{Text: "needle"}, func(r *storev1.SearchResponse) error {
		if r.GetConversation().GetId() != long || !strings.Contains(r.GetExcerpt(), "needle") || len(r.GetExcerpt()) > 400 {
			t.Errorf("excerpt %q", r.GetExcerpt())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What was looked for is data whatever it holds, and nothing that was found
// breaks the schema.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"a", `"`, `""`, "a AND", "NEAR(", "x:y", "*", "^a", "{a b}:c", "-a", "a\x00b", "阀", "'", ";--", strings.Repeat("a ", 500), "\u0301", "é", "\xff"} {
		f.Add(text, "some text that is kept")
	}
	// One for all, without an fsync for each: what is fuzzed is the text.
	s := at(f, f.TempDir())
	id := begin(f, s)
	f.Fuzz(func(t *testing.T, text, kept string) {
		kept, text = strings.ToValidUTF8(kept, ""), strings.ToValidUTF8(text, "")
		if len(kept) > 4096 || len([]rune(text)) > 1000 || text == "" {
			return
		}
		x := turn(1, user, kept+" zebra "+text)
		x.Unfinished = true
		put(t, s, id, x)
		search(t, s, text)
		list(t, s, 0)
		// A word that stands alone is found whatever is around it.
		if got := search(t, s, "zebra"); !strings.HasSuffix(got, "#1") {
			t.Errorf("zebra finds %q", got)
		}
	})
}

func files(t *testing.T, dir string) (all []byte) {
	t.Helper()
	names, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// Erased words are not in the files any more: not in a page, the index or the
// journal. The control: without the overwriting they are.
func TestEraseOverwrites(t *testing.T) {
	const secret = "xylophonesecret"
	for _, protected := range []bool{true, false} {
		dir := t.TempDir()
		s := at(t, dir)
		keep := talk(t, s, "What stays?", "The tortoise stays.")
		var gone []string
		for i := range 40 {
			gone = append(gone, talk(t, s, fmt.Sprintf("%s question %d", secret, i), strings.Repeat("padding "+secret+" ", 300)))
		}
		put(t, s, keep, turn(3, user, "And more?"))
		if !bytes.Contains(files(t, dir), []byte(secret)) {
			t.Fatal("the words are not in the files as text: the test sees nothing")
		}
		if !protected {
			if err := s.with(t.Context(), func(d *database) error {
				_, err := d.exec("PRAGMA secure_delete=OFF; INSERT INTO words(words,rank) VALUES('secure-delete',0)")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			for _, id := range gone {
				if _, err := s.Cut(t.Context(), &storev1.CutRequest{Id: id, From: 1}); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			before := len(files(t, dir))
			var freed uint64
			for _, id := range gone {
				r, err := s.Erase(t.Context(), &storev1.EraseRequest{Id: id})
				if err != nil || r.GetConversations() != 1 {
					t.Fatalf("%v %v", r, err)
				}
				freed += r.GetFreed()
			}
			if after := len(files(t, dir)); freed < uint64(before-after)/2 || after >= before/2 {
				t.Errorf("freed %d, %d before and %d after", freed, before, after)
			}
		}
		if got := bytes.Contains(files(t, dir), []byte(secret)); got == protected {
			t.Errorf("protected %v: the erased words are in the files: %v", protected, got)
		}
		if got := texts(t, s, keep); got != "What stays?|The tortoise stays.|And more?" {
			t.Errorf("%q", got)
		}
		if got := search(t, s, "tortoise"); got != "What stays?#2" {
			t.Errorf("found %q", got)
		}
	}
}

func TestEraseAll(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	for i := range 5 {
		talk(t, s, fmt.Sprintf("gooseberry %d", i), "yes")
	}
	for name, q := range map[string]*storev1.EraseRequest{"nothing": {}, "one and all": {Id: "x", All: true}} {
		if _, err := s.Erase(t.Context(), q); !is(err, errs.Usage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Erase(t.Context(), &storev1.EraseRequest{Id: "none"}); !is(err, errs.NotFound) {
		t.Errorf("%v", err)
	}
	r, err := s.Erase(t.Context(), &storev1.EraseRequest{All: true})
	if err != nil || r.GetConversations() != 5 {
		t.Fatalf("%v %v", r, err)
	}
	if bytes.Contains(files(t, dir), []byte("gooseberry")) || len(list(t, s, 0)) != 0 {
		t.Error("something is left")
	}
	talk(t, s, "again")
}

// given is a context that is over when it was looked at so often.
type given struct {
	context.Context
	looks atomic.Int32
}

func (g *given) Err() error {
	if g.looks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A command that is given up in the middle of erasing leaves no text of what is out
// of the list.
func TestEraseGivenUp(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	const n = 6
	for i := range n {
		talk(t, s, fmt.Sprintf("gooseberry number %d", i), "yes")
	}
	ctx := &given{Context: t.Context()}
	ctx.looks.Store(n / 2)
	if _, err := s.Erase(ctx, &storev1.EraseRequest{All: true}); !is(err, errs.Cancelled) {
		t.Fatalf("%v", err)
	}
	left := len(list(t, s, 0))
	in := files(t, dir)
	stays := 0
	for i := range n {
		if bytes.Contains(in, fmt.Appendf(nil, "gooseberry number %d", i)) {
			stays++
		}
	}
	if left == 0 || left == n || stays != left {
		t.Errorf("%d in the list, %d in the files", left, stays)
	}
}

// Two clients at once, on one conversation and on others: nothing that was
// acknowledged is lost, and no turn is two.
func TestManyAtOnce(t *testing.T) {
	s := at(t, t.TempDir())
	shared := talk(t, s, "begin")
	var wg sync.WaitGroup
	var kept atomic.Int64
	for w := range 4 {
		wg.Go(func() {
			own := begin(t, s)
			for i := range 30 {
				put(t, s, own, turn(i+1, user, fmt.Sprintf("own %d of %d", i, w)))
				if _, err := s.Append(context.Background(), &storev1.AppendRequest{Id: shared, Turn: turn(i+2, user, fmt.Sprintf("shared %d of %d", i, w))}); err == nil {
					kept.Add(1)
				} else if !is(err, errs.StoreConflict) {
					t.Error(err)
				}
				list(t, s, 3)
				search(t, s, "own")
			}
			if got := len(strings.Split(texts(t, s, own), "|")); got != 30 {
				t.Errorf("%d turns", got)
			}
		})
	}
	wg.Wait()
	if got := int64(len(strings.Split(texts(t, s, shared), "|"))); got != kept.Load()+1 {
		t.Errorf("%d turns in the shared one, %d acknowledged", got, kept.Load())
	}
}

// A slow reader holds nobody up.
func TestSlowReader(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "one", "two")
	var got []string
	err := s.read(t.Context(), &storev1.ReadRequest{Id: id}, func(r *storev1.ReadResponse) error {
		if r.GetTurn().GetNumber() == 2 {
			put(t, s, id, turn(3, user, "three"))
		}
		got = append(got, r.GetTurn().GetText())
		return nil
	})
	if err != nil || strings.Join(got, "|") != "one|two|three" {
		t.Errorf("%q %v", got, err)
	}
	full := errors.New("the window is closed")
	if err := s.list(t.Context(), &storev1.ListRequest{}, func(*storev1.ListResponse) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "one")
	if err := s.with(t.Context(), func(d *database) error {
		_, err := d.exec("UPDATE conversations SET bytes=?", limits.StoreConversation-10)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), &storev1.AppendRequest{Id: id, Turn: turn(2, model, "more than ten bytes")}); !is(err, errs.TooLarge) {
		t.Errorf("%v", err)
	}
	if _, err := s.Append(t.Context(), &storev1.AppendRequest{Id: id, Turn: turn(limits.StoreTurns+1, model, "x")}); !is(err, errs.TooLarge) {
		t.Errorf("%v", err)
	}
	if got := title(strings.Repeat("long words ", 5000)); len(got) > limits.StoreTitle+4 || !strings.HasSuffix(got, "words…") && !strings.HasSuffix(got, "long…") {
		t.Errorf("%q", got)
	}
	zalgo := title("a" + strings.Repeat("\u0301", 5000))
	if n := len([]rune(zalgo)); n > 200 {
		t.Errorf("a title of %d characters", n)
	}
}
