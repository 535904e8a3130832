package prompthost

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// The tags of a sheet's fields, as cmd/bailey-prompt/sheet.h has them.
const (
	tagEnd       = 0
	tagTitle     = 1
	tagHeading   = 2
	tagGroup     = 3
	tagRow       = 4 // "x" or " ", then "t" if it can be unticked
	tagObject    = 5
	tagDetail    = 6
	tagDenies    = 7
	tagStop      = 8
	tagYes       = 9
	tagNo        = 10
	tagInert     = 11
	tagPatience  = 12
	tagHash      = 13
	tagWordsOf   = 14
	tagWords     = 15
	tagScheme    = 16
	tagScale     = 17
	tagLanguage  = 18
	tagContrast  = 19
	tagMotion    = 20
	tagEnter     = 21
	tagUnread    = 22
	tagWait      = 23
	tagWarning   = 24
	hashLength   = 64
	scaleOne     = 1000
	schemeLight  = "light"
	schemeDark   = "dark"
	languageNone = "en"
)

// writer puts fields together and keeps the first thing that is wrong.
type writer struct {
	out   []byte
	parts int // fields that stand more than once
	bad   string
}

// field writes a text that has to be there.
func (w *writer) field(tag byte, text string) {
	if text == "" {
		w.refuse("a text of the sheet is empty: tag " + strconv.Itoa(int(tag)))
	}
	if !drawable(text) {
		w.refuse("a text of the sheet is not UTF-8 or could act")
	}
	if tag >= tagGroup && tag <= tagStop || tag == tagWordsOf || tag == tagWords {
		w.parts++
	}
	w.out = append(w.out, tag)
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(text)))
	w.out = append(w.out, text...)
}

// drawable is the last look at what package visible and the catalogue of words
// made: no control character, nothing that turns the direction of what follows.
func drawable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return unicode.Is(unicode.Cc, r) || r >= '\u2028' && r <= '\u202e'
	}) < 0
}

// maybe writes a text that may be missing.
func (w *writer) maybe(tag byte, text string) {
	if text != "" {
		w.field(tag, text)
	}
}

func (w *writer) number(tag byte, n int64) { w.field(tag, strconv.FormatInt(n, 10)) }

func (w *writer) flag(tag byte, set bool, text string) {
	if set {
		w.field(tag, text)
	}
}

func (w *writer) refuse(why string) {
	if w.bad == "" {
		w.bad = why
	}
}

func (w *writer) look(l Look) {
	if l.Scheme != "" && l.Scheme != schemeLight && l.Scheme != schemeDark {
		w.refuse("a scheme that is neither dark nor light")
	}
	w.maybe(tagScheme, l.Scheme)
	scale := l.Scale
	if scale == 0 {
		scale = scaleOne
	}
	// What a desktop says is not always sensible; the prompt has to be readable.
	w.number(tagScale, int64(min(max(scale, limits.PromptScaleMin), limits.PromptScaleMax)))
	language := l.Language
	if language == "" {
		language = languageNone
	}
	w.field(tagLanguage, language)
	w.flag(tagContrast, l.HighContrast, "high")
	w.flag(tagMotion, l.ReducedMotion, "reduced")
}

func (w *writer) end() ([]byte, error) {
	w.out = append(w.out, tagEnd, 0, 0, 0, 0)
	if len(w.out) > limits.PromptSheet {
		w.refuse("the sheet is too large")
	}
	if w.bad != "" {
		return nil, errs.New(errs.Malformed, "prompthost.encode").With(w.bad)
	}
	return w.out, nil
}

// Encode writes s as bailey-prompt reads it.
func (s Sheet) Encode() ([]byte, error) {
	var w writer
	w.look(s.Look)
	w.field(tagTitle, s.Title)
	w.field(tagHeading, s.Heading)
	rows := 0
	for _, g := range s.Groups {
		w.maybe(tagGroup, g.Heading)
		for _, r := range g.Rows {
			rows++
			w.field(tagRow, r.mark())
			w.field(tagObject, r.Object)
			for _, d := range r.Details {
				w.field(tagDetail, d)
			}
		}
	}
	notice := s.Yes == ""
	if notice != (rows == 0) || rows > limits.PromptRows || w.parts > limits.PromptParts {
		w.refuse("a question has rows, and not too many; a notice has none")
	}
	if notice {
		return s.encodeNotice(w)
	}
	for _, o := range s.Words {
		w.field(tagWordsOf, o.Label)
		w.field(tagWords, o.Text)
	}
	for _, d := range s.Denies {
		w.field(tagDenies, d)
	}
	for _, p := range s.Stop {
		w.field(tagStop, p)
	}
	w.field(tagYes, s.Yes)
	w.field(tagNo, s.No)
	w.milliseconds(tagInert, s.Inert)
	w.milliseconds(tagPatience, s.Timeout)
	w.hash(s.Hash)
	w.flag(tagEnter, s.NeverEnter, "never")
	w.field(tagUnread, s.Unread)
	w.field(tagWait, s.Wait)
	w.maybe(tagWarning, s.Warning)
	return w.end()
}

// encodeNotice writes the rest of a sheet that asks nothing.
func (s Sheet) encodeNotice(w writer) ([]byte, error) {
	if len(s.Groups)+len(s.Words) > 0 || s.Inert != 0 || s.NeverEnter || s.Unread+s.Wait+s.Warning != "" || len(s.Denies)+len(s.Stop) == 0 {
		w.refuse("a notice says something, and asks nothing")
	}
	for _, text := range s.Denies {
		w.field(tagDenies, text)
	}
	for _, text := range s.Stop {
		w.field(tagStop, text)
	}
	w.field(tagNo, s.No)
	w.milliseconds(tagPatience, s.Timeout)
	w.hash(s.Hash)
	return w.end()
}

func (w *writer) hash(hex string) {
	if len(hex) != hashLength || strings.Trim(hex, "0123456789abcdef") != "" {
		w.refuse("the action hash is not 64 hex digits")
	}
	w.field(tagHash, hex)
}

// encodePicker writes what a picker needs: its title, its buttons, its looks.
func (s Sheet) encodePicker() ([]byte, error) {
	var w writer
	w.look(s.Look)
	w.field(tagTitle, s.Title)
	w.field(tagYes, s.Yes)
	w.field(tagNo, s.No)
	return w.end()
}

func (w *writer) milliseconds(tag byte, d time.Duration) {
	if d <= 0 || d > limits.PromptTimeMax {
		w.refuse("a time of the sheet is not sensible")
	}
	w.number(tag, d.Milliseconds())
}

func (r Row) mark() string {
	m := " "
	if r.Ticked {
		m = "x"
	}
	if !r.Fixed {
		m += "t"
	}
	return m
}
