// Package prompt lays out the question that is put to a person before a grant is
// minted. It renders typed fields only: what is wanted, on which object as the
// core opened it or has its digest, for how long, what it does not allow and how to stop it. Every
// name goes through package visible and is shown whole, so that what is read is
// byte for byte what is granted.
//
// It is pure: it draws nothing and decides nothing. The command line calls it for
// terminals. It refuses (an error, which the caller takes as "no") a kind that
// it has no words for, and a question that does not fit the screen: nothing
// that matters is ever out of sight (C7).
package prompt

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
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
	// Model is what the row of a model is about.
	Model Model
	// Path is the object's real path as the core opened it.
	Path []byte
	// Asked is the name that was used for it, shown when Renamed.
	Asked   []byte
	Renamed bool
	// TTL is how long the grant lives; 0 is until the task ends.
	TTL      time.Duration
	Remember bool
	// Remembered was allowed before; the row is there so that it can be unticked.
	Remembered bool
	// Ticked says whether "yes" includes the row.
	Ticked bool
}

// Model is what the core knows of a model that is to be run. Name, size and
// digest it found itself; licence and role are what the file says of itself.
type Model struct {
	Name    string
	SHA256  []byte
	Size    uint64
	Licence string
	Role    modelv1.Role
	// MaxTokens that it may write; 0 = no limit.
	MaxTokens uint64
}

// words are what a kind is called towards a person. A kind that is missing here
// cannot be asked for.
type words struct {
	verb   string // what is typed to say yes
	object string // after "wants to"
	denies string // what is not allowed by it
}

// wordsOf has the words of a kind. A yes to a model that is remembered serves all
// that is asked of it later; else a model that is asked for together with a folder
// is given what stands there.
func wordsOf(k policyv1.Kind, withFolder, remember bool) (words, bool) {
	switch k {
	case policyv1.Kind_KIND_FILE_READ:
		return words{
			verb:   "read",
			object: "read all files in this folder, and in the folders below it",
			denies: "It cannot change them, read anything outside, or send anything over the network.",
		}, true
	case policyv1.Kind_KIND_MODEL_RUN:
		w := words{
			verb:   "run",
			object: "run this model. It is given what you type",
			denies: "The model cannot read files, start anything, or send anything over the network.",
		}
		switch {
		case remember:
			w.object += ", and what you let `ask` and `summarize` read for it"
		case withFolder:
			w.object += " and passages of the folder"
		}
		return w, true
	}
	return words{}, false
}

func (q Question) withFolder() bool {
	return slices.ContainsFunc(q.Rows, func(r Row) bool { return r.Kind == policyv1.Kind_KIND_FILE_READ })
}

// remembersModel reports whether a yes to a model is kept beyond this task.
func (q Question) remembersModel() bool {
	return slices.ContainsFunc(q.Rows, func(r Row) bool { return r.Kind == policyv1.Kind_KIND_MODEL_RUN && r.Remember })
}

// Verb is the word that says yes to q, for example "read": that of its first
// row.
func (q Question) Verb() (string, error) {
	if len(q.Rows) == 0 {
		return "", errs.New(errs.Malformed, "prompt.verb")
	}
	for _, r := range q.Rows {
		if _, ok := wordsOf(r.Kind, false, false); !ok {
			return "", errs.New(errs.NotSupported, "prompt.verb").With("this kind of grant cannot be asked for here")
		}
	}
	w, _ := wordsOf(q.Rows[0].Kind, false, false)
	return w.verb, nil
}

// Lines lays the question out for a screen of so many columns and rows, the
// line of the answer included. It fails if it does not fit.
func (q Question) Lines(columns, rows int) ([]string, error) {
	verb, err := q.Verb()
	if err != nil {
		return nil, err
	}
	width := min(columns, limits.LineWidth)
	if width < limits.LineWidthMin {
		return nil, tooSmall(limits.LineWidthMin, rows)
	}
	many := len(q.Rows) > 1
	var out, denies []string
	add := func(indent, s string) {
		for _, l := range visible.Wrap(s, width-len(indent)) {
			// Wrap leaves long words whole; on a prompt nothing may run out.
			for _, piece := range visible.Chop(l, width-len(indent)) {
				out = append(out, indent+piece)
			}
		}
	}
	for i, r := range q.Rows {
		w, _ := wordsOf(r.Kind, q.withFolder(), q.remembersModel())
		switch {
		case i == 0:
			add("", visible.Middle(visible.Name(q.Actor), limits.PromptName)+" wants to "+w.object+":")
			out = append(out, "")
		case r.Kind != q.Rows[i-1].Kind:
			add("", "and to "+w.object+":")
			out = append(out, "")
		}
		if !slices.Contains(denies, w.denies) {
			denies = append(denies, w.denies)
		}
		lead := "    "
		if many {
			box := "[ ]"
			if r.Ticked {
				box = "[x]"
			}
			lead = fmt.Sprintf(" %s %s ", box, strconv.Itoa(i+1))
		}
		indent := strings.Repeat(" ", len(lead))
		object := visible.Name(string(r.Path))
		if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
			object = visible.Name(r.Model.Name)
		}
		// The object takes the whole width: the fewer pieces, the easier to read.
		for j, piece := range visible.Chop(object, columns-len(lead)) {
			if j == 0 {
				out = append(out, lead+piece)
			} else {
				out = append(out, indent+piece)
			}
		}
		if r.Renamed {
			add(indent, "named by a link: "+visible.Name(string(r.Asked)))
		}
		if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
			add(indent, r.Model.facts())
			add(indent, r.Model.licence())
		}
		add(indent, lasting(r))
		if i == len(q.Rows)-1 || q.Rows[i+1].Kind != r.Kind {
			out = append(out, "")
		}
	}
	for _, d := range denies {
		add("", d)
	}
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

// facts is the line of what the model is for and which bytes are meant.
func (m Model) facts() string {
	role := "of unknown use"
	switch m.Role {
	case modelv1.Role_ROLE_CHAT:
		role = "for chat"
	case modelv1.Role_ROLE_EMBEDDING:
		role = "to find by meaning"
	case modelv1.Role_ROLE_COMPLETION:
		role = "to continue text"
	}
	digest := hex.EncodeToString(m.SHA256)
	return fmt.Sprintf("%s, %s, sha256 %s", role, size(m.Size), digest[:min(len(digest), limits.PromptDigest)])
}

// licence is the line of what nobody has signed. A file may write into its
// header what it likes, so what it says is marked as its own words and cut.
func (m Model) licence() string {
	if m.Licence == "" {
		return "nobody has signed it; the file names no licence"
	}
	return "nobody has signed it; the file says its licence is " + Claim(m.Licence)
}

// size writes bytes as a person reads them, in units of 1000.
func size(n uint64) string {
	unit := []string{"bytes", "kB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 999.95 && i < len(unit)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d %s", n, unit[0])
	}
	return fmt.Sprintf("%.1f %s", f, unit[i])
}

func tooSmall(columns, rows int) error {
	return errs.New(errs.Denied, "prompt.lines").
		With("the terminal is too small to show the whole question").
		WithHint(fmt.Sprintf("make it at least %d columns by %d lines, or grant it on the command line with --allow-read DIR and --allow-model NAME", columns, rows))
}

func lasting(r Row) string {
	s := lastingUntil(r)
	if r.Model.MaxTokens > 0 {
		s += fmt.Sprintf(", at most %d tokens", r.Model.MaxTokens)
	}
	return s
}

func lastingUntil(r Row) string {
	switch {
	case r.Remembered:
		return "allowed before, remembered until you revoke it"
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
