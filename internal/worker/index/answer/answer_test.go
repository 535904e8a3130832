package answer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// page is a file of a test: its path and its passages, "heading: a. b. c."
type page struct {
	path, lang string
	chunks     []string
}

func shelf(t testing.TB, pages ...page) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	f := fold.New()
	for _, p := range pages {
		e := &store.Entry{File: store.File{Path: p.path, Lang: p.lang}}
		for i, text := range p.chunks {
			head, body, _ := strings.Cut(text, ": ")
			c := &store.Chunk{Head: head, Line: i*10 + 1, Source: body}
			at := 0
			for at < len(body) {
				end := strings.Index(body[at:], ". ")
				if end < 0 {
					end = len(body)
				} else {
					end += at + 1
				}
				c.Sentences = append(c.Sentences, store.Sentence{Text: body[at:end], Start: at, End: end, Begins: at == 0})
				at = end
				for at < len(body) && body[at] == ' ' {
					at++
				}
			}
			e.Add(c, store.Tokens{Name: f.Append(nil, p.path, "", false), Head: f.Append(nil, head, p.lang, false), Body: f.Append(nil, body, p.lang, true)})
		}
		if err := b.Put(e, store.File{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

// filler is enough other text for words to be rare or common.
func filler() page {
	p := page{path: "filler.txt", lang: "en"}
	for i := range 40 {
		p.chunks = append(p.chunks, fmt.Sprintf("Chapter %d: The weather of day %d was recorded by the server. A file was written about it. Nothing else happened there.", i, i))
	}
	return p
}

func first(t *testing.T, s *store.Store, question string) string {
	t.Helper()
	a, err := Find(t.Context(), s, question, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Sentences) == 0 {
		return ""
	}
	return a.Sentences[0].Citations[0].Path + " " + a.Sentences[0].Text
}

func wants(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

func TestFindsAndIsSilent(t *testing.T) {
	s := shelf(t, filler(), page{"boats.md", "en", []string{
		"Boats › Harbour: The harbour closes at nine in the evening. Boats that come later moor outside.",
		"Boats › Repair: A torn sail is sewn with waxed thread. Wood is painted every second year."}})
	wants(t, first(t, s, "When does the harbour close?"), "closes at nine")
	wants(t, first(t, s, "How is a torn sail repaired?"), "waxed thread")
	for _, q := range []string{"Which Kubernetes version is needed?", "How do I configure Zanzibar tunnels in Wireshark?", "the of and", "", "?!", "xyzzy"} {
		if got := first(t, s, q); got != "" {
			t.Errorf("%q is answered by %q", q, got)
		}
	}
}

func TestEverydayWordsFindThoseOfManuals(t *testing.T) {
	s := shelf(t, filler(), page{"db.md", "en", []string{"Limits: Two writers cannot work simultaneously. The second one gets an error.", "Deletion: Expired blocks are removed after two hours."}})
	wants(t, first(t, s, "Can two writers work at the same time?"), "simultaneously")
	wants(t, first(t, s, "When are expired blocks thrown away?"), "removed after two hours")
}

func TestHeadingAndNameCount(t *testing.T) {
	s := shelf(t, filler(),
		page{"tulip.md", "en", []string{"Tulips › Watering: Once a week is enough. More does harm."}},
		page{"cactus.md", "en", []string{"Cactuses › Watering: Once a month is enough. More does harm."}})
	wants(t, first(t, s, "How often does a cactus need watering?"), "cactus.md Once a month")
}

func TestKindOfAnswer(t *testing.T) {
	s := shelf(t, filler(), page{"pump.md", "en", []string{
		"Pump: The pressure of the pump matters a great deal. Ask the pump's maker about pressure.",
		"Pump: The pressure of the pump is 42 bar. It is checked in spring."}})
	wants(t, first(t, s, "How much pressure does the pump have?"), "42 bar")
	for q, want := range map[string]kind{"How many files?": number, "Why is it so?": reason, "Where is it?": place, "How do I start?": manner, "Who wrote it?": person,
		"Can it fly?": truth, "Which option starts it?": name, "What is a grant?": meaning, "When was it?": moment, "Wie viele Dateien?": number, "Warum?": reason,
		"¿Dónde está?": place, "Pourquoi ?": reason, "文件有多少？": number, "grants": anything} {
		if got := kindOf(q); got != want {
			t.Errorf("%q is of kind %d, want %d", q, got, want)
		}
	}
}

// What asks for a number with "how" belongs to the question word: no answer need
// say it. Elsewhere it is a word like others.
func TestHowHigh(t *testing.T) {
	s := shelf(t,
		page{"en.md", "en", []string{"Home: Ben pays the electricity bill of 84.20 euros. Anna pays the rent."}},
		page{"soap.md", "en", []string{"Kitchen: Soap stands below the sink. Plates are washed at night."}},
		page{"plan.md", "en", []string{"Schedule: The dishwasher runs on Sundays. Nobody is at home then."}},
		page{"de.md", "de", []string{"Haus: Der Turm der Kirche misst 40 Meter. Die Treppe ist steil."}})
	for _, how := range []string{"high", "large", "much"} {
		wants(t, first(t, s, "How "+how+" is the electricity bill?"), "84.20")
	}
	wants(t, first(t, s, "Wie hoch ist der Turm der Kirche?"), "40 Meter")
	for _, q := range []string{"How high is it?", "Is the large electricity bill high?", "How high-pitched is the soap?"} {
		if got := first(t, s, q); got != "" {
			t.Errorf("%q is answered by %q", q, got)
		}
	}
	for _, q := range []string{"How tall is he?", "how heavy?", "Wie spät ist es?", "Wie alt?", "wie groß"} {
		if got := kindOf(q); got != number {
			t.Errorf("%q is of kind %d", q, got)
		}
	}
	f := fold.New()
	q, err := analyse(t.Context(), s, f, "How high is the high tower?", standard())
	if err != nil || len(q.terms) != 3 || !q.terms[0].degree || q.terms[1].degree || q.terms[1].form != "high" {
		t.Errorf("%+v, %v", q.terms, err)
	}
}

func TestOtherLanguages(t *testing.T) {
	s := shelf(t,
		page{"de.md", "de", []string{"Garten: Die Straßen werden im Frühling gereinigt. Die Größe des Gartens beträgt 300 Quadratmeter."}},
		page{"fr.md", "fr", []string{"Musée: Le musée ouvre à dix heures. Les élèves entrent gratuitement."}},
		page{"zh.md", "zh", []string{"圖書館: 圖書館晚上九點關門. 借書需要卡片."}},
		page{"ja.md", "ja", []string{"駅: 終電は午前零時に出発します. 切符は機械で買えます."}})
	wants(t, first(t, s, "Wann werden die STRASSEN gereinigt?"), "Frühling")
	wants(t, first(t, s, "Wie groß ist die Gro\u0308ße des Gartens?"), "300")
	wants(t, first(t, s, "A quelle heure ouvre le musee ?"), "dix heures")
	wants(t, first(t, s, "圖書館幾點關門？"), "九點關門")
	wants(t, first(t, s, "終電は何時に出発しますか"), "午前零時")
	for q, want := range map[string]string{"когда это было?": "ru", "متى يفتح المتحف؟": "", "πότε ανοίγει;": "", "Kubernetes": "en", "Wo ist der Hafen?": "de", "駅": "zh"} {
		if got := language(fold.New(), q); got != want {
			t.Errorf("%q is taken for %q, want %q", q, got, want)
		}
	}
}

func TestRepeatsAreLeftOut(t *testing.T) {
	same := "Ferry: The ferry to the island leaves every morning from pier four in the old town."
	s := shelf(t, filler(), page{"a.md", "en", []string{same}}, page{"b.md", "en", []string{same}}, page{"c.md", "en", []string{"Ferry: The ferry costs twelve crowns for each person."}})
	a, err := Find(t.Context(), s, "ferry", 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Sentences) != 2 {
		t.Errorf("%d sentences: %+v", len(a.Sentences), a.Sentences)
	}
}

// The same words with another number, another name or a denial are no repetition:
// a planted or an outdated document would hide the honest one. What differs in
// case, in an article or in how a number is written is one.
func TestContraryIsShownToo(t *testing.T) {
	for _, x := range []struct {
		question, one, other string
		want                 int
	}{
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "The boiler may run at 90 bar while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at thirty bar while the valve of the plant is open.", "The boiler may run at ninety bar while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "The boiler may not run at 30 bar while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "The boiler may run at 90 bar, at 30 bar while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at 1,5 bar while the valve of the plant is open.", "The boiler may run at 15 bar while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at -5 degrees while the valve of the plant is open.", "The boiler may run at 5 degrees while the valve of the plant is open.", 2},
		{"boiler", "The boiler may run at −5 degrees while the valve of the plant is open.", "The boiler may run at minus 5 degrees while the valve of the plant is open.", 1},
		{"boiler", "The boiler may run for 5 hours while the valve of the plant is open.", "The boiler may run for 5 minutes while the valve of the plant is open.", 2},
		{"boiler", "The boiler may cost $5 a day while the valve of the plant is open.", "The boiler may cost €5 a day while the valve of the plant is open.", 2},
		{"boiler", "The boiler may cost 1,500 a day while the valve of the plant is open.", "The boiler may cost 1500 a day while the valve of the plant is open.", 1},
		{"release", "The release is signed by Anna Meyer of the core team.", "The release is signed by Mallory Evil of the core team.", 2},
		{"release", "Anna signs the release of the core team on every day.", "Bob signs the release of the core team on every day.", 2},
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "The boiler may run at 30 bar while the Valve of the plant is open.", 1},
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "A boiler may run at 30 bar while the valve of the plant is open!", 1},
		{"boiler", "The boiler may run at 30 bar while the valve of the plant is open.", "The boiler may run at thirty bar while the valve of the plant is open.", 1},
		{"release", "The release is signed by Anna Meyer of the core team.", "This release is signed by Anna Meyer of the core team.", 1},
	} {
		s := shelf(t, filler(), page{"a.md", "en", []string{": " + x.one}}, page{"b.md", "en", []string{": " + x.other}})
		a, err := Find(t.Context(), s, x.question, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Sentences) != x.want {
			t.Errorf("%q and %q: %d sentences", x.one, x.other, len(a.Sentences))
		}
	}
}

func TestSentencesAreShort(t *testing.T) {
	long := "Rope: " + strings.Repeat("the rope is very long and ", 100) + "ends. " + strings.Repeat("Ropes are made of hemp rope. ", 30)
	s := shelf(t, filler(), page{"rope.md", "en", []string{long}})
	a, err := Find(t.Context(), s, "rope hemp", 9)
	if err != nil || len(a.Sentences) == 0 {
		t.Fatal(a, err)
	}
	for _, x := range a.Sentences {
		if n := utf8.RuneCountInString(x.Text); n > limits.AnswerText {
			t.Errorf("%d characters", n)
		}
		for _, c := range x.Citations {
			if len(c.Quote) > limits.IndexQuote || c.Quote == "" {
				t.Errorf("quote of %d bytes", len(c.Quote))
			}
		}
	}
}

func TestPhrases(t *testing.T) {
	f := fold.New()
	th := newThesaurus(f)
	for _, q := range []string{"how do I log in here", "throw it away", "it was thrown away", "can both work at the same time"} {
		if len(th.said(f.Tokens(q, "en"), f)) == 0 {
			t.Errorf("no phrase in %q", q)
		}
	}
	if got := th.said(f.Tokens("the log of the gardener", "en"), f); len(got) != 0 {
		t.Errorf("phrases out of nothing: %v", got)
	}
}

func TestWordsTable(t *testing.T) {
	if n, ok := lookup("remov"); !ok || n < 5 {
		t.Errorf("remove: %d, %v", n, ok)
	}
	for _, w := range []string{"", "yubikey", "zzzz", "\n", " "} {
		if _, ok := lookup(w); ok {
			t.Errorf("%q is known", w)
		}
	}
	prev := ""
	for line := range strings.Lines(words) {
		key, n, _ := strings.Cut(line, " ")
		if key <= prev {
			t.Fatalf("%q stands behind %q", key, prev)
		}
		if got, ok := lookup(key); !ok || len(n) != 2 || got != int(n[0]-'0') || got < 1 {
			t.Fatalf("%q is not found", line)
		}
		prev = key
	}
}

func FuzzFind(f *testing.F) {
	s := shelf(f, filler(), page{"boats.md", "en", []string{"Boats: The harbour closes at nine. \"Quoted\" AND (more)."}})
	for _, q := range []string{"harbour", "\"harbour\" OR NEAR(", "a:b -c ^d *", "\x00\xff", strings.Repeat("harbour boat ", 500), "港 harbour", "'; DROP TABLE files; --"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		a, err := Find(context.Background(), s, q, 3)
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		for _, x := range a.Sentences {
			if x.Text == "" || len(x.Citations) == 0 || x.Citations[0].Line < 1 || x.Citations[0].End < x.Citations[0].Line {
				t.Fatalf("%q: %+v", q, x)
			}
		}
	})
}
