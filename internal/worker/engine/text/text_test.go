package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// push feeds the answer in pieces of n bytes.
func push(t testing.TB, c *Cutter, answer string, n int) (text string, stopped bool) {
	t.Helper()
	var out strings.Builder
	for len(answer) > 0 {
		k := min(n, len(answer))
		s, stop := c.Push([]byte(answer[:k]))
		if !utf8.ValidString(s) {
			t.Fatalf("half a character came out: %q", s)
		}
		out.WriteString(s)
		if stop {
			return out.String(), true
		}
		answer = answer[k:]
	}
	out.WriteString(c.End())
	return out.String(), false
}

func TestCutter(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		stops        []string
		want         string
		stopped      bool
	}{
		{"plain", "hello", nil, "hello", false},
		{"characters of two to four bytes", "é€😀 ok", nil, "é€😀 ok", false},
		{"never a character", "a\xffb", nil, "a\ufffdb", false},
		{"a character that the end cuts off", "a😀\xf0\x9f\x98", nil, "a😀", false},
		{"one behind what may be a stop", "a#\xf0\x9f", []string{"##"}, "a#", false},
		{"a character that is cut off by another", "\xe2\x82x", nil, "\ufffd\ufffdx", false},
		{"a surrogate", "\xed\xa0\x80", nil, "\ufffd\ufffd\ufffd", false},
		{"stop", "one two three", []string{"two"}, "one ", true},
		{"the first in the text, not in the list", "abcdef", []string{"e", "bc"}, "a", true},
		{"nearly a stop", "a##b#", []string{"###"}, "a##b#", false},
		{"overlapping beginnings", "aab", []string{"ab"}, "a", true},
		{"at once", "stop", []string{"stop"}, "", true},
		{"an empty stop is none", "text", []string{""}, "text", false},
		{"a stop of many bytes", "x😀y", []string{"😀"}, "x", true},
		{"a stop that holds another", "xaby", []string{"abc", "b"}, "xa", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.answer); n++ {
				got, stopped := push(t, NewCutter(c.stops), c.answer, n)
				if got != c.want || stopped != c.stopped {
					t.Fatalf("in pieces of %d: %q, %v; want %q, %v", n, got, stopped, c.want, c.stopped)
				}
			}
		})
	}
}

// What is not part of a stop or a character comes at once.
func TestNothingIsKeptBackWithoutReason(t *testing.T) {
	c := NewCutter([]string{"\n\nUser:"})
	for _, s := range []string{"Hello", " there", ".\nHow", " é"} {
		if got, _ := c.Push([]byte(s)); got != s || c.Held() {
			t.Fatalf("of %q came %q", s, got)
		}
	}
	if got, _ := c.Push([]byte("x\n")); got != "x" || !c.Held() {
		t.Fatalf("%q", got)
	}
}

func TestNothingAfterAStop(t *testing.T) {
	c := NewCutter([]string{"."})
	if got, stopped := c.Push([]byte("a.b")); got != "a" || !stopped {
		t.Fatal(got)
	}
	if got, stopped := c.Push([]byte("c")); got != "" || !stopped || c.End() != "" {
		t.Fatal("text came after the stop")
	}
}

// However the bytes are cut up, the text is the same, and valid.
func FuzzCutter(f *testing.F) {
	f.Add([]byte("héllo wörld"), "w", "rl", uint8(1))
	f.Add([]byte("\xff\xe2\x82\xac\xe2"), "\ufffd", "", uint8(2))
	f.Fuzz(func(t *testing.T, answer []byte, a, b string, n uint8) {
		stops := []string{a, b}
		whole, stopped := push(t, NewCutter(stops), string(answer), max(len(answer), 1))
		parts, stopped2 := push(t, NewCutter(stops), string(answer), int(n%7)+1)
		if whole != parts || stopped != stopped2 {
			t.Fatalf("%q, %v and %q, %v", whole, stopped, parts, stopped2)
		}
		for _, s := range stops {
			if s != "" && utf8.ValidString(s) && strings.Contains(whole, s) {
				t.Fatalf("%q holds the stop %q", whole, s)
			}
		}
	})
}

func BenchmarkPush(b *testing.B) {
	c := NewCutter([]string{"<|im_end|>", "\n\nUser:", "###"})
	token := []byte(" token")
	b.ReportAllocs()
	for b.Loop() {
		c.Push(token)
	}
}
