package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// languageSample is how many bytes of prose the guess looks at.
const languageSample = 16 << 10

// language guesses the language of a document's prose: by its script, else by
// how many of its words are among each language's commonest. It returns an ISO
// 639-1 code, or "" when the text is short or undecided.
func language(d *doc.Document) string {
	var score [11]int
	var script [8]int
	words, size := 0, 0
	for i := range d.Blocks {
		b := &d.Blocks[i]
		if b.Role != doc.Prose && b.Role != doc.ListItem && b.Role != doc.Comment && b.Role != doc.FrontMatter {
			continue
		}
		if size >= languageSample {
			break
		}
		s := b.Text[:min(len(b.Text), languageSample)]
		size += len(s)
		words += count(s, &score, &script)
	}
	letters := 0
	best := 0
	for i, n := range script {
		letters += n
		if n > script[best] {
			best = i
		}
	}
	if letters > 20 && letters*2 > words {
		return scriptLanguage(script, best, d)
	}
	first, second := 0, 1
	if score[second] > score[first] {
		first, second = second, first
	}
	for i := 2; i < len(score); i++ {
		if score[i] > score[first] {
			first, second = i, first
		} else if score[i] > score[second] {
			second = i
		}
	}
	if words < 12 || score[first]*100 < words*15 || score[first]*10 < score[second]*12 {
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

func scriptLanguage(n [8]int, best int, d *doc.Document) string {
	switch best {
	case scriptHan, scriptKana:
		if n[scriptKana]*10 > n[scriptHan] {
			return "ja"
		}
		return "zh"
	case scriptHangul:
		return "ko"
	case scriptThai:
		return "th"
	case scriptCyrillic:
		head := d.Source[:min(len(d.Source), languageSample)]
		if strings.Count(head, "і")+strings.Count(head, "ї")+strings.Count(head, "є") > 3+strings.Count(head, "ы")+strings.Count(head, "э") {
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

// count adds the words of s to the scores, and returns how many there were.
func count(s string, score *[11]int, script *[8]int) int {
	words := 0
	var buf [24]byte
	n := 0
	long := false
	end := func() {
		if n > 0 && !long {
			words++
			for m, i := stopLanguages(string(buf[:n])), 0; m != 0; m, i = m>>1, i+1 {
				score[i] += int(m & 1)
			}
		} else if long {
			words++
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
			script[scriptGreek]++
		case r < 0x530:
			script[scriptCyrillic]++
		case r >= 0x590 && r < 0x600:
			script[scriptHebrew]++
		case r >= 0x600 && r < 0x780:
			script[scriptArabic]++
		case r >= 0xe00 && r < 0xe80:
			script[scriptThai]++
		case r >= 0x3041 && r < 0x3100:
			script[scriptKana]++
		case r >= 0x3400 && r < 0xa000:
			script[scriptHan]++
		case r >= 0xac00 && r < 0xd7b0:
			script[scriptHangul]++
		}
		end()
	}
	end()
	return words
}
