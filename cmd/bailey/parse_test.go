package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
)

// What makes no sense is refused with a hint, by the words alone.
func TestRefused(t *testing.T) {
	for line, want := range map[string]string{
		"sumarize":                      "did you mean `bailey summarize`",
		"agent":                         "not in this release",
		"tool list":                     "not in this release",
		"--json ask x":                  "the command comes first",
		"grant":                         "one word more",
		"grant --home x":                "one word more",
		"verify":                        "`bailey audit verify`",
		"log":                           "`bailey audit show`",
		"logs --last 5":                 "`bailey audit show`",
		"chat smol What is":             "behind --prompt",
		"chat --context 0":              "for example --context 4096",
		"chat --max-tokens x":           "for example --max-tokens 256",
		"ask a b --timeout --json":      "needs a value",
		"grant lst":                     "use one of: list, revoke, explain",
		"grant revoke":                  "needs ID",
		"grant list x":                  "takes no arguments",
		"summarize":                     "needs DIR",
		"summarize a b":                 "takes DIR",
		"ask a b c":                     "quote words",
		"ask a b --jsn":                 "did you mean --json",
		"ask a b -j":                    "has no flag -j",
		"ask a b --json=1":              "takes no value",
		"ask a b --json --json":         "given twice",
		"ask a b --timeout":             "needs a value",
		"ask a b --timeout=":            "is empty",
		"ask a b --timeout 0":           "is a time",
		"ask a b --timeout -1s":         "is a time",
		"ask a b --timeout 25h":         "is a time",
		"ask a b --timeout soon":        "is a time",
		"ask a b --max-sentences 0":     "1 to 50",
		"ask a b --max-sentences 51":    "1 to 50",
		"summarize a --max-sentences x": "1 to 500",
		"ask a b --format html":         "md or text",
		"ask a b --format md --json":    "exclude each other",
		"ask a b --allow-write c":       "has no flag",
		"ask a b" + strings.Repeat(" --allow-read c", 17): "more than 16",
		"audit show --last -3":                            "1 to 4294967295",
		"version --home x":                                "has no flag",
		"sandbox run --kind tool sh -c ls":                "put -- before PROG",
		"sandbox run --knid tool -- ls":                   "did you mean --kind",
	} {
		_, err := parse(verbs(), strings.Fields(line))
		var e *errs.Error
		if !errors.As(err, &e) || e.Code != errs.Usage || e.Exit() != 2 || e.HintText() == "" {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if said := e.Message() + " " + e.HintText(); !strings.Contains(said, want) {
			t.Errorf("%s: %q does not say %q", line, said, want)
		}
	}
}

func TestParsed(t *testing.T) {
	c, err := parse(verbs(), []string{"ask", "--allow-read=a", "dir", "--allow-read", "b", "--timeout", "90", "--", "--why?"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.timeout()
	if c.verb.name != "ask" || strings.Join(c.args, "|") != "dir|--why?" || strings.Join(c.flags["allow-read"], "|") != "a|b" || d != 90*time.Second || err != nil {
		t.Errorf("%+v %v", c, d)
	}
	for line, verb := range map[string]string{"": "help", "-h": "help", "--version": "version", "grant list --all": "grant list", "audit --help": "help", "stop -h": "stop"} {
		if c, err := parse(verbs(), strings.Fields(line)); err != nil || c.verb.name != verb {
			t.Errorf("%q: %v %v", line, c, err)
		}
	}
}

// An error before --json is read is printed as JSON all the same.
func TestJSONIsSeenFirst(t *testing.T) {
	for _, line := range []string{"nonsense --json", "ask --json --nonsense", "ask a b --nonsense --json"} {
		if c, err := parse(verbs(), strings.Fields(line)); err == nil || !c.has("json") {
			t.Errorf("%q: %v", line, c)
		}
	}
	if c, _ := parse(verbs(), strings.Fields("nonsense -- --json")); c.has("json") {
		t.Error("it was behind --")
	}
}

// FuzzParse: any words give a command or a usage error that can be shown.
func FuzzParse(f *testing.F) {
	f.Add("ask\x00dir\x00why\x00--json")
	f.Add("--\x00\x1b[31m\x00--=")
	f.Add("ask\x00--timeout=\xff")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parse(verbs(), strings.Split(line, "\x00"))
		if err == nil {
			if c.verb == nil || !c.help && (len(c.args) < c.verb.minArgs || len(c.args) > c.verb.maxArgs) {
				t.Fatalf("%q gave %+v", line, c)
			}
			return
		}
		e := errs.From(err)
		if e.Code != errs.Usage || c == nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, s := range []string{e.Message(), e.HintText()} {
			if visible.Path(s) != s {
				t.Fatalf("%q: %q acts", line, s)
			}
		}
	})
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"ask", "ask", 0}, {"sumarize", "summarize", 1}, {"doctr", "doctor", 1}, {"stpo", "stop", 2}, {"x", "summarize", 3}, {"", "", 0}} {
		if got := min(distance(c.a, c.b, 3), 3); got != c.want {
			t.Errorf("%s %s: %d", c.a, c.b, got)
		}
	}
	if got := nearest("xyz", []string{"summarize", "grant"}); got != "" {
		t.Errorf("got %q", got)
	}
}
