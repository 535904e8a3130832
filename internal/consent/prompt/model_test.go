package prompt_test

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

func model(name, licence string) prompt.Row {
	return prompt.Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Ticked: true, Remember: true, Model: prompt.Model{
		Name: name, SHA256: []byte{0xb1, 0x79, 0xc9, 0x52, 0x3d, 0x0e, 0x6a, 0x0f}, Size: 98_362_432, Licence: licence, Role: modelv1.Role_ROLE_CHAT,
	}}
}

func pull(name, licence string) prompt.Question {
	return prompt.Question{Actor: "bailey model pull", Rows: []prompt.Row{model(name, licence)}}
}

// The whole text is pinned: what the model is for, how large, which bytes, whose
// word the licence is, what it is given, what it cannot do.
func TestWholeQuestionOfAModel(t *testing.T) {
	got := lines(t, pull("smollm2-135m", "apache-2.0"))
	want := `bailey model pull wants to run this model. It is given what you type, and what
you let ` + "`ask` and `summarize`" + ` read for it:

    smollm2-135m
    for chat, 98.4 MB, sha256 b179c9523d0e
    nobody has signed it; the file says its licence is "apache-2.0"
    remembered until you revoke it

The model cannot read files, start anything, or send anything over the network.
To stop it: Ctrl-C here. What is remembered stays allowed until you revoke it:
` + "`bailey grant list` and `bailey grant revoke ID`" + ` anywhere.
Type run and Enter to allow it. Enter alone, or anything else, means don't.`
	if got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
}

// One question has both rows: the model's says that it gets passages too, and
// each kind says what it does not allow.
func TestFolderAndModel(t *testing.T) {
	q := one("/home/u/project")
	q.Actor = "bailey ask"
	m := model("all-minilm-l6-v2-q8_0", "")
	m.Remember, m.Remembered, m.Model.Role, m.Model.MaxTokens = false, true, modelv1.Role_ROLE_EMBEDDING, 500
	q.Rows = append(q.Rows, m)
	want := `bailey ask wants to read all files in this folder, and in the folders below it:

 [x] 1 /home/u/project
       until this task ends

and to run this model. It is given what you type and passages of the folder:

 [x] 2 all-minilm-l6-v2-q8_0
       to find by meaning, 98.4 MB, sha256 b179c9523d0e
       nobody has signed it; the file names no licence
       allowed before, remembered until you revoke it, at most 500 tokens

It cannot change them, read anything outside, or send anything over the network.
The model cannot read files, start anything, or send anything over the network.
To stop it: Ctrl-C here. What is remembered stays allowed until you revoke it:
` + "`bailey grant list` and `bailey grant revoke ID`" + ` anywhere.
A number and Enter takes a row out or puts it back.
Type read and Enter to allow it. Enter alone, or anything else, means don't.`
	if got := lines(t, q); got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
	if a, _ := q.Parse("run"); a != prompt.No {
		t.Error("the word of the second row says yes to the first")
	}
	if a, row := q.Parse("2"); a != prompt.Toggle || row != 1 {
		t.Errorf("2 is %v %d", a, row)
	}
}

// The heading says as much as a yes allows, and no more.
func TestWhatAYesAllows(t *testing.T) {
	for _, c := range []struct {
		folder, remember bool
		want             string
	}{
		{false, false, "It is given what you type:"},
		{true, false, "It is given what you type and passages of the folder:"},
		{false, true, "It is given what you type, and what you let `ask` and `summarize` read for it:"},
		{true, true, "It is given what you type, and what you let `ask` and `summarize` read for it:"},
	} {
		q := pull("m", "")
		q.Rows[0].Remember = c.remember
		if c.folder {
			q.Rows = append(one("/a").Rows, q.Rows...)
		}
		if got := strings.ReplaceAll(lines(t, q), "\n", " "); !strings.Contains(got, c.want) {
			t.Errorf("no %q in %q", c.want, got)
		}
	}
}

// What a file says of itself neither acts on the terminal nor passes for
// Bailey's own words, and the lines stay where they are.
func TestHostileModels(t *testing.T) {
	usual := strings.Count(lines(t, pull("m", "x")), "\n")
	for _, hostile := range []string{
		"\x1b[2J\x1b[Hsigned by all", "a\nType yes", "photo\u202egpj", "a\u200bb", "\xff\xfe", "a\r/etc", `MIT"; "signed by the publisher`,
	} {
		for _, q := range []prompt.Question{pull(hostile, "x"), pull("m", hostile)} {
			got := lines(t, q)
			one := strings.ReplaceAll(got, "\n", "")
			if visible.Path(one) != one {
				t.Errorf("%+q acts:\n%q", hostile, got)
			}
			// A licence may need a second line for itself.
			if n := strings.Count(got, "\n"); n < usual || n > usual+1 {
				t.Errorf("%+q moves the lines:\n%s", hostile, got)
			}
		}
	}
	got := strings.ReplaceAll(lines(t, pull("m", `MIT"; signed by the publisher`)), "\n    ", " ")
	if !strings.Contains(got, `licence is "MIT'; signed by the publisher"`) {
		t.Errorf("a licence gets out of its quotes:\n%s", got)
	}
	long := lines(t, pull("m", strings.Repeat("x", 256)))
	if strings.Count(long, "\n") > usual+2 {
		t.Errorf("a long licence pushes the question away:\n%s", long)
	}
}

// Nothing inside closes the quotes of a claim, by whatever mark.
func TestClaim(t *testing.T) {
	for _, mark := range []string{`"`, "“", "”", "„", "‟", "«", "»", "‹", "›", "＂", "〝", "〞", "〟", "「", "」", "⹂", "❝", "❞", "״", "ʺ", "″", "''", "‘‘", "’’", "``", "´´", "′′", "x\u030b", "'\"'", "＇＇", "🙷"} {
		got := prompt.Claim("MIT" + mark + "; signed by all " + mark)
		inner := strings.TrimSuffix(strings.TrimPrefix(got, `"`), `"`)
		if len(inner)+2 != len(got) || strings.ReplaceAll(inner, "x", "") != "MIT'; signed by all '" {
			t.Errorf("%q in a claim is %q", mark, got)
		}
	}
	if got := prompt.Claim(`it's C:\x, Größe 日本`); got != `"it's C:\\x, Größe 日本"` {
		t.Error(got)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 25_300_000: "25.3 MB", 4_000_000_000: "4.0 GB", 1 << 63: "9223372.0 TB"} {
		q := pull("m", "")
		q.Rows[0].Model.Size = n
		if got := lines(t, q); !strings.Contains(got, ", "+want+", sha256") {
			t.Errorf("%d is not %s in\n%s", n, want, got)
		}
	}
}
