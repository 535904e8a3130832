package prompt_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

func one(path string) prompt.Question {
	return prompt.Question{Actor: "bailey summarize", Rows: []prompt.Row{{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(path), Ticked: true}}}
}

func lines(t *testing.T, q prompt.Question) string {
	t.Helper()
	l, err := q.Lines(80, 24)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(l, "\n")
}

// The whole text is pinned: who, what, on which object, how long, what not, how
// to stop, how to answer.
func TestWholeQuestion(t *testing.T) {
	got := lines(t, one("/home/u/project"))
	want := `bailey summarize wants to read all files in this folder, and in the folders
below it:

    /home/u/project
    until this task ends

It cannot change them, read anything outside, or send anything over the network.
To stop it: Ctrl-C here, or ` + "`bailey grant list` and `bailey grant revoke ID`" + `
anywhere.
Type read and Enter to allow it. Enter alone, or anything else, means don't.`
	if got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
}

func TestRowsSayTheirTerms(t *testing.T) {
	q := one("/real/place")
	q.Rows[0].Renamed, q.Rows[0].Asked, q.Rows[0].Remember = true, []byte("/home/u/link"), true
	got := lines(t, q)
	for _, want := range []string{"    /real/place\n", "named by a link: /home/u/link", "remembered until you revoke it"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	q.Rows[0].Remember, q.Rows[0].TTL = false, 90*time.Second
	if got := lines(t, q); !strings.Contains(got, "for 1m30s") {
		t.Errorf("no time in\n%s", got)
	}
}

func TestRowsCanBeUnticked(t *testing.T) {
	q := one("/a")
	q.Rows = append(q.Rows, prompt.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/b")})
	got := lines(t, q)
	if !strings.Contains(got, "[x] 1 /a") || !strings.Contains(got, "[ ] 2 /b") {
		t.Errorf("boxes are missing in\n%s", got)
	}
	if a, row := q.Parse("2"); a != prompt.Toggle || row != 1 {
		t.Errorf("2 is %v %d", a, row)
	}
	for _, s := range []string{"0", "3", "02", "+1", "-1", "1 2"} {
		if a, _ := q.Parse(s); a != prompt.No {
			t.Errorf("%q is %v", s, a)
		}
	}
}

// What holds all that a person has is said to, on both renderings; what does not,
// however alike its name, is not.
func TestWhatHoldsTheHome(t *testing.T) {
	words := map[prompt.Language][2]string{
		prompt.English: {"this is the whole computer", "your whole home folder is in it"},
		prompt.German:  {"das ist der ganze Rechner", "Ihr ganzer persönlicher Ordner liegt darin"},
	}
	for l, say := range words {
		for _, c := range []struct{ path, home, want string }{
			{"/", "/home/u", say[0]}, {"/", "", say[0]},
			{"/home", "/home/u", say[1]}, {"/home/u", "/home/u", say[1]},
			{"/home/u", "", ""}, {"/home/u/notes", "/home/u", ""}, {"/home/us", "/home/u", ""}, {"/home/u", "/home/us", ""}, {"/ho", "/home/u", ""},
		} {
			q := one(c.path)
			q.Language, q.UserDir = l, c.home
			sheet, err := q.Sheet([32]byte{}, false)
			if err != nil {
				t.Fatal(err)
			}
			for as, got := range map[string]string{"terminal": strings.Join(strings.Fields(lines(t, q)), " "), "window": strings.Join(sheet.Groups[0].Rows[0].Details, "\n")} {
				for _, w := range say {
					if strings.Contains(got, w) != (w == c.want) {
						t.Errorf("%s, %q of %q: want %q in\n%s", as, c.path, c.home, c.want, got)
					}
				}
			}
		}
	}
	// Nothing is said of a model whose name is such a path.
	q := prompt.Question{Actor: "bailey", UserDir: "/home/u", Rows: []prompt.Row{{Kind: policyv1.Kind_KIND_MODEL_RUN, Path: []byte("/"), Model: prompt.Model{Name: "/", SHA256: make([]byte, 32)}}}}
	if got := lines(t, q); strings.Contains(got, words[prompt.English][0]) {
		t.Error(got)
	}
}

// What a name tries never reaches the terminal, and the rest of the
// question stands where it should.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{
		"/home/u/\x1b[2J\x1b[HAll is well", "/a\nType yes", "/photo\u202egpj", "/a\u200bb", "/\xff\xfe", "/a\r/etc",
	} {
		got := lines(t, one(name))
		if visible.Path(strings.ReplaceAll(got, "\n", "")) != strings.ReplaceAll(got, "\n", "") {
			t.Errorf("%+q acts:\n%q", name, got)
		}
		if strings.Count(got, "\n") != strings.Count(lines(t, one("/a")), "\n") {
			t.Errorf("%+q moves the lines:\n%s", name, got)
		}
	}
}

// Nothing that matters is out of sight.
func TestTooLongForTheScreen(t *testing.T) {
	q := one("/" + strings.Repeat("very-long-name/", 200))
	for _, size := range [][2]int{{80, 24}, {19, 100}, {0, 0}} {
		if _, err := q.Lines(size[0], size[1]); errs.CodeOf(err) != errs.Denied {
			t.Errorf("%v: %v", size, err)
		}
	}
	l, err := q.Lines(80, 200)
	if err != nil || len(l) < 40 {
		t.Errorf("%d lines, %v", len(l), err)
	}
}

func TestKindsWithoutWords(t *testing.T) {
	for k := range policyv1.Kind_name {
		q := one("/a")
		q.Rows[0].Kind = policyv1.Kind(k)
		_, err := q.Lines(80, 24)
		has := policyv1.Kind(k) == policyv1.Kind_KIND_FILE_READ || policyv1.Kind(k) == policyv1.Kind_KIND_MODEL_RUN || policyv1.Kind(k) == policyv1.Kind_KIND_GPU_USE
		if (err == nil) != has {
			t.Errorf("%v: %v", policyv1.Kind(k), err)
		}
		for _, word := range []string{"read", "run"} {
			if a, _ := q.Parse(word); err != nil && a != prompt.No {
				t.Errorf("%v can be answered yes", policyv1.Kind(k))
			}
		}
	}
	if _, err := (prompt.Question{}).Lines(80, 24); err == nil {
		t.Error("a question about nothing")
	}
}

func TestAnswers(t *testing.T) {
	q := one("/a")
	for line, want := range map[string]prompt.Answer{
		"read": prompt.Yes, " READ ": prompt.Yes, "": prompt.No, "y": prompt.No, "yes": prompt.No, "don't": prompt.No,
		"readd": prompt.No, "1": prompt.No, "read\x00": prompt.No, "re\u200bad": prompt.No,
	} {
		if got, _ := q.Parse(line); got != want {
			t.Errorf("%q is %v", line, got)
		}
	}
}

// FuzzLines: whatever the names are, the question fits the screen, acts in no way, and
// shows the path byte for byte.
func FuzzLines(f *testing.F) {
	f.Add([]byte("/home/u/project"), []byte("/l"), 80, 24, true)
	f.Add([]byte("/\x1b[2J\xff\\x"), []byte("\n"), 30, 60, false)
	f.Fuzz(func(t *testing.T, path, asked []byte, columns, rows int, renamed bool) {
		if len(path) > 4096 || columns > 500 {
			return
		}
		q := one(string(path))
		q.Rows[0].Renamed, q.Rows[0].Asked = renamed, asked
		l, err := q.Lines(columns, rows)
		if err != nil {
			return
		}
		if len(l)+1 > rows {
			t.Fatalf("%d lines on %d", len(l), rows)
		}
		for _, line := range l {
			if visible.Width(line) > columns {
				t.Fatalf("line %q is wider than %d", line, columns)
			}
			if visible.Path(line) != line {
				t.Fatalf("line %q acts", line)
			}
		}
		// The path stands behind the heading, which may take several lines.
		all := strings.ReplaceAll(strings.Join(l, "\n"), "\n    ", "")
		if !strings.Contains(all, visible.Name(string(path))) && len(path) > 0 {
			t.Fatalf("%q is not whole in %q", path, all)
		}
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(visible.Name(string(path)), `"`, `\"`) + `"`)
		if err != nil || !bytes.Equal([]byte(back), path) {
			t.Fatalf("%q cannot be read back", path)
		}
	})
}

// A graphics card is a row of its own, which says what it costs, and the question
// of `chat` fits a terminal of the usual size with it.
func TestCard(t *testing.T) {
	for _, l := range []prompt.Language{prompt.English, prompt.German} {
		q := one("/home/you/notes")
		q.Language = l
		q.Rows = append(q.Rows,
			prompt.Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: prompt.Model{Name: "m", SHA256: make([]byte, 32), Licence: "mit"}, Ticked: true},
			prompt.Row{Kind: policyv1.Kind_KIND_GPU_USE, Path: []byte("/dev/dri/renderD128"), VRAM: 2_000_000_000, Ticked: true})
		lines, err := q.Lines(80, 31)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(lines, "\n")
		size := map[prompt.Language]string{prompt.English: "at most 2.0 GB of its memory", prompt.German: "höchstens 2,0 GB ihres Speichers"}[l]
		for _, want := range []string{"[x] 3 /dev/dri/renderD128", size} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		q.Rows = q.Rows[1:]
		if _, err := q.Lines(80, 24); err != nil {
			t.Error(err)
		}
	}
}
