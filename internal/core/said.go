package core

import (
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// fromWorker keeps of a worker's error what a worker can know: one code of a few,
// and of its words only those that are Bailey's own. Any others would be taken for
// Bailey's by the person who reads them, and a code such as audit-log-broken for
// a finding of the core.
func fromWorker(err error) error {
	const op = "core.from-worker"
	if d := errs.From(err).Detail; said(errs.HomeUnusable, d) && errs.CodeOf(err) == errs.HomeUnusable {
		// The one thing of a home that a worker knows.
		return errs.Wrap(errs.HomeUnusable, op, err).With(d)
	}
	switch c := errs.CodeOf(err); c {
	case errs.FolderMissing, errs.FolderNotDir, errs.FolderClosed, errs.FolderChanged, errs.NoSpace, errs.TooLarge, errs.NotFound,
		errs.CoreBusy, errs.Cancelled, errs.Deadline, errs.GrantExpired, errs.GrantRevoked, errs.QuotaUsedUp, errs.WorkerCrashed, errs.EngineCrashed, errs.Malformed, errs.Usage, errs.NotSupported,
		errs.EngineMissing, errs.ModelRefused, errs.ModelRole, errs.MemoryUsedUp, errs.ContextOverflow, errs.TemplateRefused, errs.SchemaRefused, errs.SchemaStuck,
		errs.StoreDamaged, errs.StoreConflict:
		e := errs.Wrap(c, op, err)
		switch d := errs.From(err).Detail; {
		case said(c, d):
			e.Detail = d
		case d != "" && (c == errs.TemplateRefused || c == errs.SchemaRefused || c == errs.ModelRefused):
			// Which part of a template, a schema or a file is meant cannot be told in
			// phrases.
			e.Detail = quoted(d)
		}
		return e
	}
	return errs.Wrap(errs.Internal, op, err)
}

// quoted marks words as the engine's own: it cannot leave the quotes, act on a
// terminal or say more than a line or two.
func quoted(words string) string {
	return `the engine says "` + strings.ReplaceAll(plain(words, limits.EngineSays), `"`, "'") + `"`
}

// plain keeps at most so many characters of words, and of those that are no
// letter, digit, sign or blank a question mark. Package visible would show more
// of them, for tables of half a megabyte that nothing else in the core needs.
func plain(words string, most int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(words, "?") {
		if most--; most < 0 {
			b.WriteString("…")
			break
		}
		if r != ' ' && !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// said reports whether detail is one of the phrases that a worker may add to a
// code. A phrase is Bailey's own words with numbers in it, so the worst that a
// worker which was taken over can do is to choose another phrase, or to lie about
// a number.
func said(c errs.Code, detail string) bool {
	for _, p := range phrases() {
		if p.code == c && matches(p.words, detail) {
			return true
		}
	}
	return false
}

// matches compares, with a # in words for one to twelve digits.
func matches(words, s string) bool {
	const digits = 12
	for {
		before, after, more := strings.Cut(words, "#")
		rest, ok := strings.CutPrefix(s, before)
		if !ok {
			return false
		}
		if !more {
			return rest == ""
		}
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if n == 0 || n > digits {
			return false
		}
		words, s = after, rest[n:]
	}
}

// phrase is one that workers use.
type phrase struct {
	code  errs.Code
	words string
}

func phrases() []phrase {
	return []phrase{
		{errs.ContextOverflow, "it has # tokens, and # fit"},
		{errs.ContextOverflow, "# tokens, and # fit"},
		{errs.QuotaUsedUp, "all tokens of the grant were read"},
		{errs.QuotaUsedUp, "all tokens of the grant were written"},
		{errs.QuotaUsedUp, "all the time of the grant was used"},
		{errs.ModelRole, "it was loaded to write"},
		{errs.ModelRole, "it was loaded to make vectors"},
		{errs.ModelRole, "it makes no vectors"},
		{errs.ModelRole, "it does not make vectors"},
		{errs.ModelRole, "it does not write"},
		{errs.ModelRefused, "it has no vocabulary"},
		{errs.ModelRefused, "the model's numbers are none"},
		{errs.ModelRefused, "its vectors have # numbers; # are the most"},
		{errs.TemplateRefused, "the file brings none"},
		{errs.TemplateRefused, "it has # bytes; # are the most"},
		{errs.MemoryUsedUp, "no layer fits the memory of the graphics card that may be used"},
		{errs.MemoryUsedUp, "the graphics card is out of memory"},
		{errs.EngineMissing, "the library for graphics cards is not installed"},
		{errs.EngineMissing, "the library for graphics cards cannot be opened: libvulkan.so.1 is missing"},
		{errs.NotSupported, "no driver of this system offers a graphics card"},
		{errs.NotSupported, "the driver of the graphics card does not start"},
		{errs.HomeUnusable, "conversations.db is no ordinary file, or cannot be opened"},
		{errs.StoreDamaged, "it is kept whole as conversations.damaged-#.db"},
		{errs.StoreDamaged, "it could not be set aside"},
		{errs.StoreConflict, "turns before this one are gone"},
		{errs.NotSupported, "your conversations were written by a newer release of Bailey"},
		{errs.CoreBusy, "another process holds your conversations"},
		{errs.NotFound, "no conversation has that id"},
		{errs.NotFound, "there is no conversation yet"},
		{errs.TooLarge, "# conversations are kept"},
		{errs.TooLarge, "a conversation has at most # turns"},
		{errs.TooLarge, "the conversation is too long to be kept"},
	}
}
