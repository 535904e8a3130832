// Package prompt lays out the question that is put to a person before a grant is
// minted. It renders typed fields only: what is wanted, on which object as the
// core opened it or has its digest, for how long, what it does not allow and how to stop it. Every
// name goes through package visible and is shown whole, so that what is read is
// byte for byte what is granted.
//
// One model has two renderings, [Question.Lines] for a terminal and
// [Question.Sheet] for the native prompt, from one catalogue of words in English
// and German.
//
// It is pure: it draws nothing and decides nothing. The command line calls it for
// terminals, the core for windows. It refuses (an error, which the caller takes as "no") a kind that
// it has no words for, and a question that does not fit a terminal: nothing
// that matters is ever out of sight (C7). A native prompt scrolls, and does not
// take a yes before all of it was on the screen.
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
	// Actor is who asks: for the command line its verb, "bailey summarize", for a
	// window its app's name, "Studio".
	Actor    string
	Language Language
	Rows     []Row
	// UserDir is the real path of the person's home folder, where it is known: a
	// folder that holds all of it is said to.
	UserDir string
}

// Row is one grant that may be given or not.
type Row struct {
	Kind policyv1.Kind
	// Model is what the row of a model is about.
	Model Model
	// Path is the object's real path as the core opened it, or a card's device node.
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
	// VRAM of a graphics card that may be used, bytes; 0 = no limit.
	VRAM uint64
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

// act is what is wanted, with what a model is given. A yes to a model that is
// remembered serves all that is asked of it later; else a model that is asked for
// together with a folder is given what stands there.
func (q Question) act(k policyv1.Kind, window bool) string {
	t := q.Language.texts()
	w, _ := t.of(k)
	act, rows := w.Act, 0
	for _, r := range q.Rows {
		if r.Kind == k {
			rows++
		}
	}
	if rows > 1 {
		act = w.Acts
	}
	if k != policyv1.Kind_KIND_MODEL_RUN {
		return act
	}
	switch {
	case q.remembersModel() && window:
		return act + fill(t.GivenToApp, "{actor}", q.actor())
	case q.remembersModel():
		return act + t.GivenRemembered
	case q.withFolder():
		return act + t.GivenFolder
	}
	return act
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
	t := q.Language.texts()
	for _, r := range q.Rows {
		if _, ok := t.of(r.Kind); !ok {
			return "", errs.New(errs.NotSupported, "prompt.verb").With("this kind of grant cannot be asked for here")
		}
	}
	w, _ := t.of(q.Rows[0].Kind)
	return w.Verb, nil
}

// Line is what stands before the answer on a terminal.
func (q Question) Line() string {
	verb, err := q.Verb()
	if err != nil {
		return ""
	}
	return fill(q.Language.texts().Ask, "{verb}", verb)
}

// Resized says why a question is shown anew on a terminal.
func (q Question) Resized() string { return q.Language.texts().Resized }

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
	t := q.Language.texts()
	for i, r := range q.Rows {
		w, _ := t.of(r.Kind)
		switch {
		case i == 0:
			add("", fill(t.Wants, "{actor}", q.actor(), "{act}", q.act(r.Kind, false)))
			out = append(out, "")
		case r.Kind != q.Rows[i-1].Kind:
			add("", fill(t.And, "{act}", q.act(r.Kind, false)))
			out = append(out, "")
		}
		if !slices.Contains(denies, w.Denies) {
			denies = append(denies, w.Denies)
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
		// The object takes the whole width: the fewer pieces, the easier to read.
		for j, piece := range visible.Chop(r.object(), columns-len(lead)) {
			if j == 0 {
				out = append(out, lead+piece)
			} else {
				out = append(out, indent+piece)
			}
		}
		for _, d := range r.details(t, q.UserDir, t.UntilTask) {
			add(indent, d)
		}
		if i == len(q.Rows)-1 || q.Rows[i+1].Kind != r.Kind {
			out = append(out, "")
		}
	}
	for _, d := range denies {
		add("", d)
	}
	if slices.ContainsFunc(q.Rows, func(r Row) bool { return r.Remember || r.Remembered }) {
		add("", t.StopRemembered)
	} else {
		add("", t.StopTerminal)
	}
	if many {
		add("", t.Toggle)
	}
	add("", fill(t.Type, "{verb}", verb))
	if len(out)+1 > rows {
		return nil, tooSmall(columns, len(out)+1)
	}
	return out, nil
}

// object is what the row is about, whole.
func (r Row) object() string {
	if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
		return visible.Name(r.Model.Name)
	}
	return visible.Name(string(r.Path))
}

// details are the lines below the object.
func (r Row) details(t *texts, userDir, until string) []string {
	var out []string
	if r.Kind == policyv1.Kind_KIND_FILE_READ {
		switch path := string(r.Path); {
		case path == "/":
			out = append(out, t.Everything)
		case userDir != "" && strings.HasPrefix(userDir+"/", path+"/"):
			out = append(out, t.WholeHome)
		}
	}
	switch {
	case r.Renamed && len(r.Asked) > 0:
		out = append(out, fill(t.Linked, "{name}", visible.Name(string(r.Asked))))
	case r.Renamed:
		out = append(out, t.LinkedSomewhere)
	}
	if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
		out = append(out, r.Model.facts(t), r.Model.licence(t))
	}
	return append(out, r.lasting(t, until))
}

// facts is the line of what the model is for and which bytes are meant.
func (m Model) facts(t *texts) string {
	role := t.NoRole
	switch m.Role {
	case modelv1.Role_ROLE_CHAT:
		role = t.Chat
	case modelv1.Role_ROLE_EMBEDDING:
		role = t.Embedding
	case modelv1.Role_ROLE_COMPLETION:
		role = t.Completion
	}
	digest := hex.EncodeToString(m.SHA256)
	return fill(t.Facts, "{role}", role, "{size}", size(t, m.Size), "{digest}", digest[:min(len(digest), limits.PromptDigest)])
}

// licence is the line of what nobody has signed. A file may write into its
// header what it likes, so what it says is marked as its own words and cut.
func (m Model) licence(t *texts) string {
	if m.Licence == "" {
		return t.Unsigned
	}
	return fill(t.UnsignedLicensed, "{licence}", Claim(m.Licence))
}

// size writes bytes as a person reads them, in units of 1000.
func size(t *texts, n uint64) string {
	unit := []string{t.Bytes, "kB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 999.95 && i < len(unit)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d %s", n, unit[0])
	}
	return strings.Replace(fmt.Sprintf("%.1f %s", f, unit[i]), ".", t.Decimal, 1)
}

func tooSmall(columns, rows int) error {
	return errs.New(errs.Denied, "prompt.lines").
		With("the terminal is too small to show the whole question").
		WithHint(fmt.Sprintf("make it at least %d columns by %d lines, or grant it on the command line with --allow-read DIR, --allow-model NAME and --allow-gpu", columns, rows))
}

func (r Row) lasting(t *texts, until string) string {
	switch {
	case r.Remembered:
		until = t.AllowedBefore
	case r.Remember:
		until = t.Remembered
	case r.TTL > 0:
		until = fill(t.For, "{time}", r.TTL.String())
	}
	if r.VRAM > 0 {
		until += fill(t.VRAM, "{size}", size(t, r.VRAM))
	}
	if r.Model.MaxTokens > 0 {
		until += fill(t.Tokens, "{tokens}", strconv.FormatUint(r.Model.MaxTokens, 10))
	}
	return until
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
