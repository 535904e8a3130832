package prompt

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// keys lists the texts of a catalogue by their field.
func keys(prefix string, v reflect.Value, into map[string]string) map[string]string {
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Name
		if f := v.Field(i); f.Kind() == reflect.String {
			into[name] = f.String()
		} else {
			keys(name+".", f, into)
		}
	}
	return into
}

func gaps(a, b texts) []string {
	placeholder := regexp.MustCompile(`\{[^}]*\}`)
	var out []string
	other := keys("", reflect.ValueOf(b), map[string]string{})
	for k, s := range keys("", reflect.ValueOf(a), map[string]string{}) {
		o := other[k]
		one, two := placeholder.FindAllString(s, -1), placeholder.FindAllString(o, -1)
		slices.Sort(one)
		slices.Sort(two)
		switch {
		case s == "" || o == "":
			out = append(out, k+" is missing in a language")
		case !slices.Equal(one, two):
			out = append(out, k+" has other placeholders")
		case visible.Path(s) != s || visible.Path(o) != o:
			out = append(out, k+" holds what cannot be seen")
		}
	}
	return out
}

func TestCatalogue(t *testing.T) {
	for _, g := range gaps(*english(), *german()) {
		t.Error(g)
	}
	bad := *german()
	bad.Folder.Denies, bad.Ask = "", "{wort}?"
	if g := gaps(*english(), bad); len(g) != 2 {
		t.Errorf("the test does not see what is missing: %q", g)
	}
	for locale, want := range map[string]Language{
		"": English, "C": English, "en_GB.UTF-8": English, "de": German, "de_DE.UTF-8": German, "DE-at": German, "de.UTF-8": German,
		"den": English, "nl_DE": English, "xx/de_DE": English,
	} {
		if got := LanguageOf(locale); got != want {
			t.Errorf("%q is %s", locale, got.Tag())
		}
	}
}

func window(rows ...Row) Question { return Question{Actor: "Studio", Rows: rows} }

func folderRow(path string) Row {
	return Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(path), Ticked: true}
}

func modelRow(name string) Row {
	return Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Ticked: true, Remember: true, Model: Model{
		Name: name, SHA256: []byte{0xb1, 0x79, 0xc9, 0x52, 0x3d, 0x0e}, Size: 98_362_432, Licence: "apache-2.0", Role: modelv1.Role_ROLE_CHAT,
	}}
}

// words are all that a person reads of a sheet.
func (s Sheet) words() []string {
	out := []string{s.Title, s.Heading}
	for _, g := range s.Groups {
		if g.Heading != "" {
			out = append(out, g.Heading)
		}
		for _, r := range g.Rows {
			out = append(append(out, r.Object), r.Details...)
		}
	}
	out = append(append(out, s.Denies...), s.Stop, s.Yes, s.No, s.More, s.Delay)
	if s.Warning != "" {
		out = append(out, s.Warning)
	}
	return out
}

// The whole sheet is pinned, in both languages.
func TestWholeSheet(t *testing.T) {
	q := window(folderRow("/home/u/project"), modelRow("smollm2-135m"))
	for _, c := range []struct {
		language Language
		want     string
	}{
		{English, `Bailey asks for your permission
Studio wants to read all files in this folder, and in the folders below it:
/home/u/project
until the app is done with it, at the latest when you close its window
and to run this model. It is given what you type, and what you let Studio read for it:
smollm2-135m
for chat, 98.4 MB, sha256 b179c9523d0e
nobody has signed it; the file says its licence is "apache-2.0"
remembered until you revoke it
It cannot change them, read anything outside, or send anything over the network.
The model cannot read files, start anything, or send anything over the network.
You can stop it at any time: open Permissions and press Revoke.
Read and run what is ticked
Don't
Scroll down to read all
You can answer in a moment
Other programs on this screen could press this for you. Say yes only if you asked for this.`},
		{German, `Bailey bittet um Ihre Erlaubnis
Studio möchte alle Dateien in diesem Ordner und in den Ordnern darunter lesen:
/home/u/project
bis die App damit fertig ist, spätestens wenn Sie ihr Fenster schließen
und dieses Modell starten. Es bekommt, was Sie eingeben und was Sie Studio dafür lesen lassen:
smollm2-135m
zum Chatten, 98,4 MB, sha256 b179c9523d0e
niemand hat es signiert; als Lizenz nennt die Datei "apache-2.0"
gilt auch später, bis Sie es widerrufen
Dabei kann nichts geändert, nichts außerhalb gelesen und nichts über das Netz gesendet werden.
Das Modell kann keine Dateien lesen, nichts starten und nichts über das Netz senden.
Sie können es jederzeit beenden: Öffnen Sie Berechtigungen und drücken Sie Widerrufen.
Angekreuztes lesen und starten
Nicht erlauben
Blättern Sie nach unten, um alles zu lesen
Sie können gleich antworten
Andere Programme auf diesem Bildschirm könnten dies für Sie drücken. Sagen Sie nur Ja, wenn Sie dies wollten.`},
	} {
		q.Language = c.language
		s, err := q.Sheet([32]byte{7}, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.words(), "\n"); got != c.want {
			t.Errorf("got\n%s\n\nwant\n%s", got, c.want)
		}
		if s.Hash != [32]byte{7} || s.Inert != limits.PromptInert || s.Timeout != limits.PromptTimeout || s.NoEnter || s.Groups[0].Rows[0].Fixed {
			t.Errorf("%+v", s)
		}
	}
}

// Several rows of a kind are spoken of as several.
func TestSeveral(t *testing.T) {
	q := window(folderRow("/a"), folderRow("/b"), modelRow("m"), modelRow("n"))
	s, err := q.Sheet([32]byte{}, false)
	if err != nil || s.Heading != "Studio wants to read all files in these folders, and in the folders below them:" ||
		s.Groups[1].Heading != "and to run these models. Each is given what you type, and what you let Studio read for it:" {
		t.Errorf("%q %q, %v", s.Heading, s.Groups[1].Heading, err)
	}
	q.Language = German
	if s, err = q.Sheet([32]byte{}, false); err != nil || !strings.HasPrefix(s.Groups[1].Heading, "und diese Modelle starten. Jedes bekommt, was Sie eingeben und") {
		t.Errorf("%q, %v", s.Groups[1].Heading, err)
	}
}

// A button is a verb and its object, one row cannot be unticked, and a display that
// can be trusted gets no warning.
func TestButtons(t *testing.T) {
	for _, c := range []struct {
		q    Question
		want string
	}{
		{window(folderRow("/a")), "Read this folder"},
		{window(folderRow("/a"), folderRow("/b")), "Read the ticked folders"},
		{window(modelRow("m")), "Run this model"},
		{window(modelRow("m"), modelRow("n")), "Run the ticked models"},
		{window(modelRow("m"), folderRow("/a")), "Read and run what is ticked"},
	} {
		s, err := c.q.Sheet([32]byte{}, false)
		if err != nil || s.Yes != c.want || s.No != "Don't" || s.Warning != "" {
			t.Errorf("%q %q %q, %v", s.Yes, s.No, s.Warning, err)
		}
		for _, g := range s.Groups {
			for _, r := range g.Rows {
				if r.Fixed != (len(c.q.Rows) == 1) {
					t.Errorf("%q: a row of %d is fixed: %v", c.want, len(c.q.Rows), r.Fixed)
				}
			}
		}
	}
	if _, err := window().Sheet([32]byte{}, false); err == nil {
		t.Error("a question about nothing")
	}
	if _, err := window(Row{Kind: policyv1.Kind_KIND_EXEC_RUN}).Sheet([32]byte{}, false); err == nil {
		t.Error("a kind without words")
	}
}

// C5, C6, R18: whatever somebody else chose is made visible, one line each; the
// object is shown whole and can be read back, and the rest is cut in its middle.
func TestHostileSheet(t *testing.T) {
	path := "/home/\x1b[2J\u202egpj.\u200b/{act}/" + strings.Repeat("long", 400) + "/\xff"
	q := window(folderRow(path), modelRow("a\n\u2066b\x9b31m{actor}"))
	q.Actor = "Stu\u202edio {act}" + strings.Repeat("x", 300) + " end"
	q.Rows[1].Model.Licence = "MIT\u201d\n{licence}" + strings.Repeat("y", 300)
	q.Rows[0].Renamed = true
	s, err := q.Sheet([32]byte{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range s.words() {
		if visible.Path(w) != w {
			t.Errorf("acts: %q", w)
		}
	}
	if got := s.Groups[0].Rows[0].Object; got != visible.Name(path) {
		t.Errorf("the path is not whole: %q", got)
	}
	if got := s.Groups[1].Rows[0].Object; got != visible.Name("a\n\u2066b\x9b31m{actor}") {
		t.Errorf("the model's name is not whole: %q", got)
	}
	if !strings.Contains(s.Heading, "{act}x") || !strings.Contains(s.Heading, "end wants to read all") || !strings.Contains(s.Heading, "…") {
		t.Errorf("%q", s.Heading)
	}
	if !strings.Contains(strings.Join(s.words(), "\n"), english().LinkedSomewhere) {
		t.Error("nothing says that the folder was named by a link")
	}
}

// C19: nothing but the kind says how much care a question needs. The control is
// that the kinds do differ.
func TestNoHintLowersTheCare(t *testing.T) {
	same := func(path, asked []byte, name, licence, actor string, role int32, tokens, size uint64, renamed, remember, remembered, ticked, x11 bool, ttl uint32) bool {
		for _, k := range []policyv1.Kind{policyv1.Kind_KIND_FILE_READ, policyv1.Kind_KIND_MODEL_RUN, policyv1.Kind_KIND_EXEC_RUN, policyv1.Kind_KIND_NET_FETCH, policyv1.Kind_KIND_FILE_WRITE} {
			q := Question{Actor: actor, Rows: []Row{{
				Kind: k, Path: path, Asked: asked, Renamed: renamed, TTL: time.Duration(ttl) * time.Second, Remember: remember, Remembered: remembered, Ticked: ticked,
				Model: Model{Name: name, Licence: licence, Role: modelv1.Role(role), MaxTokens: tokens, Size: size},
			}}}
			s, err := q.Sheet([32]byte{}, x11)
			if capability.Grave(k) != (err != nil) || err == nil && (s.Inert != limits.PromptInert || s.NoEnter) {
				return false
			}
			if (s.Warning != "") != (x11 && err == nil) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
	for k := range policyv1.Kind_name {
		k := policyv1.Kind(k)
		mild := []policyv1.Kind{policyv1.Kind_KIND_FILE_READ}
		for _, kinds := range [][]policyv1.Kind{{k}, append(mild, k), {k, mild[0]}} {
			inert, noEnter, err := care(kinds, false)
			if err != nil || noEnter != capability.Grave(k) || (inert == time.Second) != capability.Grave(k) {
				t.Errorf("%v: %v %v %v", kinds, inert, noEnter, err)
			}
			if _, _, err := care(kinds, true); (err != nil) != capability.Grave(k) {
				t.Errorf("%v where others can press: %v", kinds, err)
			}
		}
	}
	if !capability.Grave(policyv1.Kind_KIND_EXEC_RUN) || !capability.Grave(policyv1.Kind_KIND_NET_FETCH) || !capability.Grave(policyv1.Kind_KIND_FILE_WRITE) || capability.Grave(policyv1.Kind_KIND_FILE_READ) {
		t.Error("the kinds do not differ")
	}
}

// FuzzSheet: whatever the names are, nothing on the sheet acts, it has the rows of
// the question, and each object can be read back byte for byte.
func FuzzSheet(f *testing.F) {
	f.Add("Studio", []byte("/home/u/a"), "smollm2", "MIT", false)
	f.Add("\x1b[2J{act}", []byte("/\xff\\x\n\u202e"), "m\u200b", "\u201d; signed", true)
	f.Fuzz(func(t *testing.T, actor string, path []byte, name, licence string, renamed bool) {
		if len(path) > limits.PathBytes || len(actor)+len(name)+len(licence) > 4096 {
			return
		}
		for _, l := range []Language{English, German} {
			q := Question{Actor: actor, Language: l, Rows: []Row{folderRow(string(path)), modelRow(name)}}
			q.Rows[0].Renamed, q.Rows[1].Model.Licence = renamed, licence
			s, err := q.Sheet([32]byte{}, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range s.words() {
				if visible.Path(w) != w {
					t.Fatalf("%q acts", w)
				}
			}
			if len(s.Groups) != 2 || len(s.Groups[0].Rows) != 1 || len(s.Groups[1].Rows) != 1 {
				t.Fatalf("%+v", s.Groups)
			}
			object := s.Groups[0].Rows[0].Object
			if back, err := strconv.Unquote(`"` + strings.ReplaceAll(object, `"`, `\"`) + `"`); err != nil || back != string(path) {
				t.Fatalf("%q is read back as %q, %v", path, back, err)
			}
		}
	})
}
