package prompt

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Sheet is a question as the native prompt draws it: every string is ready to be
// shown, visible and in one language. Whoever draws it adds no words.
type Sheet struct {
	Language Language
	// Title is the window's, Heading the first thing that is read.
	Title, Heading string
	Groups         []Group
	// Denies are what is not allowed, a paragraph each; Stop says how it ends.
	Denies []string
	Stop   string
	// Yes and No label the two buttons.
	Yes, No string
	// More says that not all was on the screen yet, Delay that yes does not count
	// yet, Warning what this display cannot promise; the last may be empty.
	More, Delay, Warning string
	// Inert is how long yes does not count after the question came to the screen,
	// got the focus or changed its size; Timeout, after which the answer is no.
	Inert, Timeout time.Duration
	// NoEnter: Enter never says yes.
	NoEnter bool
	// Hash is the action's, and has to come back with the answer.
	Hash [sha256.Size]byte
}

// Group are the rows of one kind.
type Group struct {
	// Heading is empty where the sheet's own says it.
	Heading string
	Rows    []SheetRow
}

// SheetRow is one grant.
type SheetRow struct {
	// Index is the row's number in the question.
	Index uint32
	// Ticked says whether yes includes it, and Fixed that it cannot be unticked:
	// there is no other row.
	Ticked, Fixed bool
	// Object is shown whole.
	Object  string
	Details []string
}

// Sheet lays the question out for a native prompt. x11 says that it is shown on a
// display where other programs can press buttons. It fails like
// [Question.Verb], and with errs.Denied for what is not asked on such a display.
func (q Question) Sheet(hash [sha256.Size]byte, x11 bool) (Sheet, error) {
	if _, err := q.Verb(); err != nil {
		return Sheet{}, err
	}
	kinds := make([]policyv1.Kind, len(q.Rows))
	for i, r := range q.Rows {
		kinds[i] = r.Kind
	}
	inert, noEnter, err := care(kinds, x11)
	if err != nil {
		return Sheet{}, err
	}
	t := q.Language.texts()
	actor := q.actor()
	s := Sheet{
		Language: q.Language, Title: t.Title, Stop: t.StopWindow, Yes: q.yes(t), No: t.No, More: t.More, Delay: t.Delay,
		Inert: inert, Timeout: limits.PromptTimeout, NoEnter: noEnter, Hash: hash,
	}
	if x11 {
		s.Warning = t.X11
	}
	for i, r := range q.Rows {
		w, _ := t.of(r.Kind)
		if i == 0 || r.Kind != q.Rows[i-1].Kind {
			g := Group{}
			if i == 0 {
				s.Heading = fill(t.Wants, "{actor}", actor, "{act}", q.act(r.Kind, true))
			} else {
				g.Heading = fill(t.And, "{act}", q.act(r.Kind, true))
			}
			s.Groups = append(s.Groups, g)
		}
		if !slices.Contains(s.Denies, w.Denies) {
			s.Denies = append(s.Denies, w.Denies)
		}
		g := &s.Groups[len(s.Groups)-1]
		g.Rows = append(g.Rows, SheetRow{Index: uint32(i), Ticked: r.Ticked, Fixed: len(q.Rows) == 1, Object: r.object(), Details: r.details(t, q.UserDir, t.UntilWindow)})
	}
	return s, nil
}

// care is how much of it the kinds of a question need. It knows nothing but
// them: no name, no reason and no hint of whoever asks makes it less (C19).
func care(kinds []policyv1.Kind, x11 bool) (inert time.Duration, noEnter bool, err error) {
	if !slices.ContainsFunc(kinds, capability.Grave) {
		return limits.PromptInert, false, nil
	}
	if x11 {
		return 0, true, errs.New(errs.Denied, "prompt.sheet").With("on this display another program could say yes to it").
			WithHint("use the command on a terminal, or a desktop with Wayland")
	}
	return limits.PromptInertGrave, true, nil
}

// yes labels the button of a bundle.
func (q Question) yes(t *texts) string {
	first, _ := t.of(q.Rows[0].Kind)
	switch {
	case len(q.Rows) == 1:
		return first.YesOne
	case slices.ContainsFunc(q.Rows, func(r Row) bool { return r.Kind != q.Rows[0].Kind }):
		return t.YesMixed
	}
	return first.YesMany
}

// actor is who asks, cut: it is not what is granted.
func (q Question) actor() string { return visible.Middle(visible.Name(q.Actor), limits.PromptName) }
