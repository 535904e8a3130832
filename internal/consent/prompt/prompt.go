// Package prompt lays out the question that is put to a person before a grant is
// minted. It renders typed fields only: what is wanted, on which object as the
// core opened it, for how long, what it does not allow and how to stop it. Every
// name goes through package visible and is shown whole, so that what is read is
// byte for byte what is granted.
//
// It is pure: it draws nothing and decides nothing. The command line calls it for
// terminals. It refuses (an error, which the caller takes as "no") a kind that
// it has no words for, and a question that does not fit the screen: nothing
// that matters is ever out of sight (C7).
package prompt

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Question is one bundle of rows that a task asks for.
type Question struct {
	// Actor is who asks: for the command line its verb, "bailey summarize".
	Actor string
	Rows  []Row
}

// Row is one grant that may be given or not.
type Row struct {
	Kind policyv1.Kind
	// Path is the object's real path as the core opened it.
	Path []byte
	// Asked is the name that was used for it, shown when Renamed.
	Asked   []byte
	Renamed bool
	// TTL is how long the grant lives; 0 is until the task ends.
	TTL      time.Duration
	Remember bool
	// Ticked says whether "yes" includes the row.
	Ticked bool
}

// words are what a kind is called towards a person. A kind that is missing here
// cannot be asked for.
type words struct {
	verb   string // what is typed to say yes
	object string // after "wants to"
	denies string // what is not allowed by it
}

func wordsOf(k policyv1.Kind) (words, bool) {
	switch k {
	case policyv1.Kind_KIND_FILE_READ:
		return words{
			verb:   "read",
			object: "read all files in this folder, and in the folders below it",
			denies: "It cannot change them, read anything outside, or send anything over the network.",
		}, true
	}
	return words{}, false
}

// Verb is the word that says yes to q, for example "read".
func (q Question) Verb() (string, error) {
	if len(q.Rows) == 0 {
		return "", errs.New(errs.Malformed, "prompt.verb")
	}
	w, ok := wordsOf(q.Rows[0].Kind)
	if !ok {
		return "", errs.New(errs.NotSupported, "prompt.verb").With("this kind of grant cannot be asked for here")
	}
	for _, r := range q.Rows[1:] {
		if r.Kind != q.Rows[0].Kind {
			return "", errs.New(errs.NotSupported, "prompt.verb").With("two kinds of grants in one question")
		}
	}
	return w.verb, nil
}

// Lines lays the question out for a screen of so many columns and rows, the
// line of the answer included. It fails if it does not fit.
func (q Question) Lines(columns, rows int) ([]string, error) {
	verb, err := q.Verb()
	if err != nil {
		return nil, err
	}
	w, _ := wordsOf(q.Rows[0].Kind)
	width := min(columns, limits.LineWidth)
	if width < limits.LineWidthMin {
		return nil, tooSmall(limits.LineWidthMin, rows)
	}
	many := len(q.Rows) > 1
	var out []string
	add := func(indent, s string) {
		for _, l := range visible.Wrap(s, width-len(indent)) {
			// Wrap leaves long words whole; on a prompt nothing may run out.
			for _, piece := range visible.Chop(l, width-len(indent)) {
				out = append(out, indent+piece)
			}
		}
	}
	add("", visible.Middle(visible.Name(q.Actor), limits.PromptName)+" wants to "+w.object+":")
	out = append(out, "")
	for i, r := range q.Rows {
		lead := "    "
		if many {
			box := "[ ]"
			if r.Ticked {
				box = "[x]"
			}
			lead = fmt.Sprintf(" %s %s ", box, strconv.Itoa(i+1))
		}
		indent := strings.Repeat(" ", len(lead))
		// The path takes the whole width: the fewer pieces, the easier to read.
		for j, piece := range visible.Chop(visible.Name(string(r.Path)), columns-len(lead)) {
			if j == 0 {
				out = append(out, lead+piece)
			} else {
				out = append(out, indent+piece)
			}
		}
		if r.Renamed {
			add(indent, "named by a link: "+visible.Name(string(r.Asked)))
		}
		add(indent, lasting(r))
	}
	out = append(out, "")
	add("", w.denies)
	add("", "To stop it: Ctrl-C here, or `bailey grant list` and `bailey grant revoke ID` anywhere.")
	if many {
		add("", "A number and Enter takes a row out or puts it back.")
	}
	add("", fmt.Sprintf("Type %s and Enter to allow it. Enter alone, or anything else, means don't.", verb))
	if len(out)+1 > rows {
		return nil, tooSmall(columns, len(out)+1)
	}
	return out, nil
}

func tooSmall(columns, rows int) error {
	return errs.New(errs.Denied, "prompt.lines").
		With("the terminal is too small to show the whole question").
		WithHint(fmt.Sprintf("make it at least %d columns by %d lines, or grant it on the command line with --allow-read DIR", columns, rows))
}

func lasting(r Row) string {
	switch {
	case r.Remember:
		return "remembered until you revoke it"
	case r.TTL > 0:
		return "for " + r.TTL.String()
	}
	return "until this task ends"
}

// Answer is what a line that was typed means.
type Answer int

const (
	// No is the meaning of everything that is not one of the others.
	No Answer = iota
	Yes
	// Toggle ticks or unticks the row that came with it.
	Toggle
)

// Parse reads a line that was typed. row counts from 0.
func (q Question) Parse(line string) (a Answer, row int) {
	line = strings.TrimSpace(line)
	verb, err := q.Verb()
	if err != nil {
		return No, 0
	}
	if strings.EqualFold(line, verb) {
		return Yes, 0
	}
	if n, err := strconv.Atoi(line); err == nil && len(q.Rows) > 1 && n >= 1 && n <= len(q.Rows) && strconv.Itoa(n) == line {
		return Toggle, n - 1
	}
	return No, 0
}
