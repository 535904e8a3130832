package main

import (
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

func TestCountWeights(t *testing.T) {
	for n, want := range map[uint64]string{0: "unknown", 7: "7", 999: "999", 1000: "1.0k", 260032: "260k", 134515008: "135M", 999_600_000: "1.0B", 1_235_814_400: "1.2B", 70_553_706_496: "71B", 1 << 50: "1126T"} {
		if got := countWeights(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestCopyLine(t *testing.T) {
	begin := time.Unix(0, 0)
	var s speedometer
	at := func(after time.Duration, stage string, bytes uint64) string {
		p := &modelv1.PullProgress{Stage: stage, Bytes: bytes, Total: 1_000_000_000}
		return copyLine(p, s.at(begin.Add(after), p))
	}
	for i, c := range []struct {
		got, want string
	}{
		{at(0, "checking", 0), "checking"},
		{at(time.Second, "copying", 0), "copying 0 B of 1.0 GB"},
		{at(2*time.Second, "copying", 100_000_000), "copying 100 MB of 1.0 GB, 100 MB/s, 9 s left"},
		{at(3*time.Second, "copying", 101_000_000), "copying 101 MB of 1.0 GB, 50.5 MB/s, 18 s left"},
		{at(4*time.Second, "copying", 1_000_000_000), "copying 1.0 GB of 1.0 GB"},
		{at(5*time.Second, "checking\x1b[31m", 0), `checking\x1b[31m`},
	} {
		if c.got != c.want {
			t.Errorf("%d: %q, want %q", i, c.got, c.want)
		}
	}
	if got := leftText(3600); got != "60 minutes" {
		t.Error(got)
	}
}

func TestFitSentence(t *testing.T) {
	for _, c := range []struct {
		fit  *modelv1.Fit
		want string
	}{
		{&modelv1.Fit{Fits: true, Context: 10, LongestContext: 20}, "It fits; so would a context of 20 tokens."},
		{&modelv1.Fit{Fits: true, Context: 20, LongestContext: 20}, "It fits."},
		{&modelv1.Fit{Context: 20, LongestContext: 7}, "It does not fit; a context of 7 tokens would."},
		{&modelv1.Fit{Context: 20}, "It does not fit, whatever the context."},
	} {
		if got := fitSentence(c.fit); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// What goes is named, and what has no name is counted.
func TestGcSentence(t *testing.T) {
	for _, c := range []struct {
		r    *modelv1.GcResponse
		dry  bool
		want string
	}{
		{&modelv1.GcResponse{}, true, "There is nothing to remove."},
		{&modelv1.GcResponse{Removed: 2, Freed: 5_000_000, Names: []string{"a", "b\x1b"}}, true, `It would remove a, b\x1b, and free 5.0 MB.`},
		{&modelv1.GcResponse{Removed: 3, Freed: 5_000_000, Names: []string{"a"}}, false, "Removed a, 2 files of no model; 5.0 MB are free again."},
		{&modelv1.GcResponse{Removed: 1, Freed: 7}, false, "Removed 1 file of no model; 7 B are free again."},
	} {
		if got := gcSentence(c.r, c.dry); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// What only a file says of itself stands in quotes that it cannot close.
func TestClaimsAreQuoted(t *testing.T) {
	for _, mark := range []string{`"`, "”", "»"} {
		f := &modelv1.Facts{Licence: "MIT" + mark + ", signed by all", Title: "Small" + mark + ", checked"}
		if got := licenceWords(f); got != `"MIT', signed by all", by the file's own word` {
			t.Error(got)
		}
		if got := titleWords(f); got != `"Small', checked", by the file's own word` {
			t.Error(got)
		}
		if got := claim(f.GetLicence()); got != `"MIT', signed by all"` {
			t.Error(got)
		}
	}
	if got := licenceWords(&modelv1.Facts{}) + claim(""); got != "the file names none-" {
		t.Error(got)
	}
}
