// Package language guesses which language a text is in, and knows the commonest
// words of some. It is for choosing rules, never for refusing a text: a wrong
// guess costs a little quality. It keeps nothing and does no I/O.
package language

import (
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// Sample is how many bytes of prose are enough for a guess.
const Sample = limits.LanguageSample

// Guesser counts the words of a text's pieces. The zero Guesser is ready.
type Guesser struct {
	score     [11]int
	script    [8]int
	ukrainian int
	words     int
	size      int
}

// Add counts the words of s; more reports whether more would help.
func (g *Guesser) Add(s string) (more bool) {
	s = s[:min(len(s), Sample)]
	g.size += len(s)
	g.count(s)
	return g.size < Sample
}

// Language returns an ISO 639-1 code: by the script, else by how many words are
// among each language's commonest. It is "" when the text is short or undecided.
func (g *Guesser) Language() string {
	letters := 0
	best := 0
	for i, n := range g.script {
		letters += n
		if n > g.script[best] {
			best = i
		}
	}
	if letters > 20 && letters*2 > g.words {
		return g.scriptLanguage(best)
	}
	first, second := 0, 1
	if g.score[second] > g.score[first] {
		first, second = second, first
	}
	for i := 2; i < len(g.score); i++ {
		if g.score[i] > g.score[first] {
			first, second = i, first
		} else if g.score[i] > g.score[second] {
			second = i
		}
	}
	if g.words < 12 || g.score[first]*100 < g.words*15 || g.score[first]*10 < g.score[second]*12 {
		return ""
	}
	return languages()[first]
}

const (
	scriptHan = iota
	scriptKana
	scriptHangul
	scriptThai
	scriptCyrillic
	scriptArabic
	scriptHebrew
	scriptGreek
)

func (g *Guesser) scriptLanguage(best int) string {
	switch best {
	case scriptHan, scriptKana:
		if g.script[scriptKana]*10 > g.script[scriptHan] {
			return "ja"
		}
		return "zh"
	case scriptHangul:
		return "ko"
	case scriptThai:
		return "th"
	case scriptCyrillic:
		if g.ukrainian > 3 {
			return "uk"
		}
		return "ru"
	case scriptArabic:
		return "ar"
	case scriptHebrew:
		return "he"
	}
	return "el"
}

// count adds the words of s to the scores.
func (g *Guesser) count(s string) {
	var buf [24]byte
	n := 0
	long := false
	end := func() {
		if n > 0 && !long {
			g.words++
			for m, i := Common(string(buf[:n])), 0; m != 0; m, i = m>>1, i+1 {
				g.score[i] += int(m & 1)
			}
		} else if long {
			g.words++
		}
		n, long = 0, false
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if upper(c) {
				c |= 0x20
			}
			if !letter(c) {
				end()
				continue
			}
			if n < len(buf)-utf8.UTFMax {
				buf[n] = c
				n++
			} else {
				long = true
			}
			continue
		}
		r, w := utf8.DecodeRuneInString(s[i:])
		i += w
		switch {
		case r < 0x370:
			if unicode.IsLetter(r) && n < len(buf)-utf8.UTFMax {
				n += utf8.EncodeRune(buf[n:], unicode.ToLower(r))
			} else {
				end()
			}
			continue
		case r < 0x400:
			g.script[scriptGreek]++
		case r < 0x530:
			g.script[scriptCyrillic]++
			switch r {
			case 'і', 'ї', 'є', 'ґ':
				g.ukrainian++
			case 'ы', 'э', 'ъ':
				g.ukrainian--
			}
		case r >= 0x590 && r < 0x600:
			g.script[scriptHebrew]++
		case r >= 0x600 && r < 0x780:
			g.script[scriptArabic]++
		case r >= 0xe00 && r < 0xe80:
			g.script[scriptThai]++
		case r >= 0x3041 && r < 0x3100:
			g.script[scriptKana]++
		case r >= 0x3400 && r < 0xa000:
			g.script[scriptHan]++
		case r >= 0xac00 && r < 0xd7b0:
			g.script[scriptHangul]++
		}
		end()
	}
	end()
}

func upper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
