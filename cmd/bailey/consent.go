package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	platfolder "github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// wanted is one row that a command needs.
type wanted struct {
	want *grantv1.Want
	// asked is the folder's name in the user's words.
	asked string
	// covers reports whether the command line grants what the core has opened or
	// found; an error is why it does not although it names something. nil = the
	// command line says nothing of it.
	covers func(*grantv1.Row) (bool, error)
	// flag is what would grant it on the command line, for a hint; it gets the row.
	flag func(*grantv1.Row) string
	// optional rows may be left out by the person, and the command goes on.
	optional bool
	// known rows were remembered when the command began. One that no longer is was
	// withdrawn meanwhile, by a person: nothing but a person grants it.
	known bool
	// offered rows are allowed by a person who has seen them ticked, and never
	// without: nobody named them.
	offered bool
}

// granted is a row that was allowed.
type granted struct {
	grantRow
	row    *grantv1.Row
	handle []byte
}

// permit gets the grants that a task wants, in one question at most: remembered,
// given on the command line, or by the person at the terminal. The result has one
// entry for each row, nil for an optional one that was left out. A "no" is told
// to the core as well, so that it stands in the log.
func (c *cli) permit(ctx context.Context, cl *client.Client, verb, task string, rows []wanted) ([]*granted, error) {
	q := &grantv1.ProposeRequest{Task: task}
	for _, w := range rows {
		q.Wants = append(q.Wants, w.want)
	}
	p, err := cl.Grant.Propose(ctx, q)
	if err != nil {
		// The one that is missing is named in the error.
		return nil, meant(ctx, cl, errs.From(err).Detail, err)
	}
	if len(p.GetRows()) != len(rows) {
		return nil, errs.New(errs.Malformed, "cli.propose").With("the core proposed something else than was asked")
	}
	decision := &grantv1.DecideRequest{Proposal: p.GetProposal(), ActionHash: p.GetActionHash()}
	if refusal := c.decide(ctx, verb, rows, p, decision); refusal != nil {
		// Also after Ctrl-C: a question that was not answered is on the record.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.TaskEnd)
		defer cancel()
		decision.Accepted = nil
		_, _ = cl.Grant.Decide(ctx, decision)
		return nil, refusal
	}
	answer, err := cl.Grant.Decide(ctx, decision)
	if err != nil {
		return nil, err
	}
	out := make([]*granted, len(rows))
	for _, g := range answer.GetGrants() {
		i := g.GetRow()
		if !slices.Contains(decision.GetAccepted(), i) || out[i] != nil {
			return nil, errs.New(errs.Denied, "cli.decide")
		}
		row, by := p.GetRows()[i], decision.GetDecidedBy()
		if row.GetRemembered() {
			by = grantv1.DecidedBy_DECIDED_BY_UNSPECIFIED
		}
		scope := row.GetPath()
		if m := row.GetModel(); m != nil {
			scope = []byte(m.GetName())
		}
		out[i] = &granted{grantRow{g.GetId(), row.GetKind(), scope, decidedByName(by), g.GetRemembered()}, row, g.GetHandle()}
	}
	for _, i := range decision.GetAccepted() {
		if out[i] == nil {
			return nil, errs.New(errs.Denied, "cli.decide")
		}
	}
	return out, nil
}

// obtain gets what j needs: the folder's handle, and those of the models that may
// be used with it.
func (c *cli) obtain(ctx context.Context, cl *client.Client, j job, r *result) (folder []byte, engines [][]byte, err error) {
	rows := j.rows()
	note := func(s string) { c.tell("bailey: " + s + ".") }
	if j.card.wanted && len(rows) == 1 {
		note("no graphics card is used: it is for a model that writes, and none is named")
		j.card.wanted = false
	}
	got, card, err := c.permitWithCard(ctx, cl, j.verb, r.task, rows, j.card, j.remember, note)
	if err != nil {
		return nil, nil, err
	}
	if card != nil {
		r.grants = append(r.grants, card.grantRow)
		for i, g := range got {
			if i == 0 || g == nil || g.row.GetModel().GetFacts().GetRole() == modelv1.Role_ROLE_EMBEDDING {
				continue
			}
			if err := loadOnCard(ctx, cl, g.handle, note); err != nil {
				return nil, nil, err
			}
		}
	}
	for i, g := range got {
		if g == nil {
			continue
		}
		r.grants = append(r.grants, g.grantRow)
		if i > 0 {
			engines = append(engines, g.handle)
		}
	}
	r.folder = got[0].row.GetPath()
	return got[0].handle, engines, nil
}

// rows are the folder of a job, then the models that may be used with it.
func (j job) rows() []wanted {
	rows := []wanted{{
		want:  &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(j.dir), Remember: j.remember},
		asked: j.dir,
		// The row is what the core opened, so the flag is held against that.
		covers: func(row *grantv1.Row) (bool, error) {
			switch {
			case covered(string(row.GetPath()), j.allowed):
				return true, nil
			case len(j.allowed) > 0:
				return false, errs.New(errs.Denied, "cli.decide").With("the folder that was opened is " + visible.Path(string(row.GetPath())) + ", which --allow-read does not cover")
			}
			return false, nil
		},
		flag: func(row *grantv1.Row) string { return "--allow-read " + shellWord(string(row.GetPath())) },
	}}
	for i, m := range slices.Concat(j.models, j.known) {
		w := modelWanted(m, j.remember)
		if i >= len(j.models) {
			w.covers, w.flag, w.known = nil, nil, true
		}
		w.want.Quota = &grantv1.Quota{Tokens: j.capped[m]}
		w.optional = true
		rows = append(rows, w)
	}
	for _, m := range j.offered {
		rows = append(rows, wanted{want: &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: m, Remember: j.remember}, optional: true, offered: true})
	}
	return rows
}

// modelWanted is the row of a model that the command line names, which grants it:
// for this task, or for good where that is said.
func modelWanted(name string, remember bool) wanted {
	return wanted{
		want:   &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: name, Remember: remember},
		covers: func(*grantv1.Row) (bool, error) { return true, nil },
		flag:   func(*grantv1.Row) string { return "--allow-model " + shellWord(name) },
	}
}

// decide fills in the decision. The error is why the answer is no.
func (c *cli) decide(ctx context.Context, verb string, rows []wanted, p *grantv1.ProposeResponse, d *grantv1.DecideRequest) error {
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
	open, err := settled(rows, p, d)
	if err != nil || len(open) == 0 {
		return err
	}
	t, ok := tty.Open(c.in, c.screen.errFile)
	if !ok {
		return notGranted(rows, p, open)
	}
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_TERMINAL
	q := prompt.Question{Actor: "bailey " + verb, Language: prompt.LanguageOf(c.env.Language), UserDir: platfolder.Real(c.env.Home)}
	for i, row := range p.GetRows() {
		q.Rows = append(q.Rows, promptRow(row, rows[i].asked))
	}
	if d.Accepted, err = askAt(ctx, t, q, time.Duration(p.GetInertMs())*time.Millisecond); err != nil {
		return err
	}
	for i, w := range rows {
		if !w.optional && !slices.Contains(d.Accepted, uint32(i)) {
			return errs.New(errs.Denied, "cli.decide").With("you took out " + act(p.GetRows()[i]) + ", without which nothing can be done").
				WithHint("run the command again to be asked again")
		}
	}
	return nil
}

// settled accepts what needs no person and returns the rows that do. Nothing is
// accepted in advance where one is asked: the person sees all rows.
func settled(rows []wanted, p *grantv1.ProposeResponse, d *grantv1.DecideRequest) (open []int, err error) {
	for i, row := range p.GetRows() {
		named := false
		if rows[i].covers != nil {
			named, err = rows[i].covers(row)
		}
		switch {
		case named, row.GetRemembered() && !rows[i].offered:
			d.Accepted = append(d.Accepted, uint32(i))
		case rows[i].offered, rows[i].known:
		case err != nil:
			return nil, err
		default:
			open = append(open, i)
		}
	}
	return open, nil
}

// act is how a row is called in a sentence.
func act(row *grantv1.Row) string {
	if m := row.GetModel(); m != nil {
		return "running the model " + visible.Name(m.GetName())
	}
	if row.GetKind() == policyv1.Kind_KIND_GPU_USE {
		return "using the graphics card " + visible.Path(string(row.GetPath()))
	}
	return "reading " + visible.Path(string(row.GetPath()))
}

// notGranted says what nobody granted, and what would.
func notGranted(rows []wanted, p *grantv1.ProposeResponse, open []int) error {
	var what, flags []string
	for _, i := range open {
		what = append(what, act(p.GetRows()[i]))
		if rows[i].flag != nil {
			flags = append(flags, rows[i].flag(p.GetRows()[i]))
		}
	}
	return errs.New(errs.Denied, "cli.decide").
		With(strings.Join(what, " and ") + " was not granted, and there is no terminal to ask at").
		WithHint("run the command on a terminal, or grant it with `" + strings.Join(flags, " ") + "`")
}

// promptRow is a row of the core as a person is shown it.
func promptRow(row *grantv1.Row, asked string) prompt.Row {
	out := prompt.Row{
		Kind: row.GetKind(), Path: row.GetPath(), Asked: []byte(asked), Renamed: row.GetRenamed(),
		TTL: time.Duration(row.GetTtlSeconds()) * time.Second, Remember: row.GetRemember(), Remembered: row.GetRemembered(), Ticked: true,
		VRAM: row.GetQuota().GetVram(),
	}
	if m := row.GetModel(); m != nil {
		f := m.GetFacts()
		out.Model = prompt.Model{
			Name: m.GetName(), SHA256: f.GetSha256(), Size: f.GetSize(), Licence: f.GetLicence(), Role: f.GetRole(),
			MaxTokens: row.GetQuota().GetTokens(),
		}
	}
	return out
}

// terminal is where a question is put; package tty implements it.
type terminal interface {
	Write([]byte) (int, error)
	Size() (columns, rows int)
	// Hold waits, then forgets what was typed.
	Hold(context.Context, time.Duration) error
	ReadLine(context.Context) (string, error)
}

// askAt puts the question and returns the rows that were answered yes. Only the
// verb, typed after the inert time, is a yes; a minute without an answer is a
// no. Each time the question is shown anew, the inert time starts anew; so it is
// when the terminal's size is no longer the one that the question was laid out
// for, because then nobody knows what of it could be seen.
func askAt(ctx context.Context, t terminal, q prompt.Question, inert time.Duration) ([]uint32, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limits.PromptTimeout, errs.New(errs.Denied, "cli.ask").With("nobody answered within a minute"))
	defer cancel()
	verb, err := q.Verb()
	if err != nil {
		return nil, err
	}
	for {
		columns, rows := t.Size()
		lines, err := q.Lines(columns, rows)
		if err != nil {
			return nil, err
		}
		if _, err := t.Write([]byte("\n" + strings.Join(lines, "\n") + "\n")); err != nil {
			return nil, errs.Wrap(errs.Denied, "cli.ask", err).With("the question could not be shown")
		}
		if err := t.Hold(ctx, inert); err != nil {
			return nil, unanswered(ctx, err)
		}
		if _, err := t.Write([]byte(q.Line())); err != nil {
			return nil, errs.Wrap(errs.Denied, "cli.ask", err).With("the question could not be shown")
		}
		line, err := t.ReadLine(ctx)
		if err != nil {
			_, _ = t.Write([]byte("\n"))
			return nil, unanswered(ctx, err)
		}
		answer, row := q.Parse(line)
		if c, r := t.Size(); answer != prompt.No && (c != columns || r != rows) {
			if _, err := t.Write([]byte("\n" + q.Resized() + "\n")); err != nil {
				return nil, errs.Wrap(errs.Denied, "cli.ask", err).With("the question could not be shown")
			}
			continue
		}
		switch answer {
		case prompt.Toggle:
			q.Rows[row].Ticked = !q.Rows[row].Ticked
		case prompt.Yes:
			_, _ = t.Write([]byte("\n"))
			var accepted []uint32
			for i, r := range q.Rows {
				if r.Ticked {
					accepted = append(accepted, uint32(i))
				}
			}
			if len(accepted) > 0 {
				return accepted, nil
			}
			return nil, declined(verb, "")
		default:
			return nil, declined(verb, line)
		}
	}
}

// declined says why the answer is no. Somebody who typed another word than the
// verb may have meant yes.
func declined(verb, answer string) error {
	said := "you answered don't"
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "ye", "yes", "yes!", "ok", "allow", "sure", "j", "ja", "ja!", "erlauben":
		said = "only the word " + verb + " is a yes"
	}
	return errs.New(errs.Denied, "cli.ask").With(said).WithHint("run the command again to be asked again")
}

// unanswered tells a minute that is over from a Ctrl-C.
func unanswered(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errs.CodeOf(cause) == errs.Denied {
		return cause
	}
	return err
}

// shellWord quotes a path so that a POSIX shell reads it as one word. A path
// that cannot be shown as it is, is not offered for copying.
func shellWord(p string) string {
	if visible.Path(p) != p {
		return "DIR"
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,@%:=", r)
	}
	if strings.IndexFunc(p, func(r rune) bool { return !plain(r) }) < 0 {
		return p
	}
	return "'" + strings.ReplaceAll(p, "'", `'\''`) + "'"
}
