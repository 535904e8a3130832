package main

import (
	"context"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// obtain gets the grant that j needs and returns its handle: remembered, given
// on the command line, or by the person at the terminal. A "no" is told to the
// core as well, so that it stands in the log.
func (c *cli) obtain(ctx context.Context, cl *client.Client, j job, r *result) ([]byte, error) {
	p, err := cl.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: r.task, Wants: []*grantv1.Want{{
		Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(j.dir), Remember: j.remember,
	}}})
	if err != nil {
		return nil, err
	}
	if len(p.GetRows()) != 1 {
		return nil, errs.New(errs.Malformed, "cli.propose").With("the core proposed something else than was asked")
	}
	decision := &grantv1.DecideRequest{Proposal: p.GetProposal(), ActionHash: p.GetActionHash()}
	if refusal := c.decide(ctx, j, p, decision); refusal != nil {
		// Also after Ctrl-C: a question that was not answered is on the record.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.TaskEnd)
		defer cancel()
		_, _ = cl.Grant.Decide(ctx, decision)
		return nil, refusal
	}
	granted, err := cl.Grant.Decide(ctx, decision)
	if err != nil {
		return nil, err
	}
	if len(granted.GetGrants()) != 1 || granted.GetGrants()[0].GetRow() != 0 {
		return nil, errs.New(errs.Denied, "cli.decide")
	}
	g, row := granted.GetGrants()[0], p.GetRows()[0]
	by := decision.GetDecidedBy()
	if !p.GetAsk() {
		by = grantv1.DecidedBy_DECIDED_BY_UNSPECIFIED
	}
	r.folder = row.GetPath()
	r.grants = []grantRow{{g.GetId(), row.GetKind(), row.GetPath(), decidedByName(by), g.GetRemembered()}}
	return g.GetHandle(), nil
}

// decide fills in the decision. The error is why the answer is no.
func (c *cli) decide(ctx context.Context, j job, p *grantv1.ProposeResponse, d *grantv1.DecideRequest) error {
	row := p.GetRows()[0]
	// The row is what the core opened, so the flag is held against that.
	if covered(string(row.GetPath()), j.allowed) {
		d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
		d.Accepted = []uint32{0}
		return nil
	}
	if !p.GetAsk() {
		d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
		d.Accepted = []uint32{0}
		return nil
	}
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
	if len(j.allowed) > 0 {
		return errs.New(errs.Denied, "cli.decide").With("the folder that was opened is " + visible.Path(string(row.GetPath())) + ", which --allow-read does not cover")
	}
	t, ok := tty.Open(c.in, c.screen.errFile)
	if !ok {
		return errs.New(errs.Denied, "cli.decide").
			With("reading " + visible.Path(string(row.GetPath())) + " was not granted, and there is no terminal to ask at").
			WithHint("run the command on a terminal, or grant it with --allow-read " + shellWord(string(row.GetPath())))
	}
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_TERMINAL
	q := prompt.Question{Actor: "bailey " + j.verb, Rows: []prompt.Row{{
		Kind: row.GetKind(), Path: row.GetPath(), Asked: []byte(j.dir), Renamed: row.GetRenamed(),
		TTL: time.Duration(row.GetTtlSeconds()) * time.Second, Remember: row.GetRemember(), Ticked: true,
	}}}
	accepted, err := askAt(ctx, t, q, time.Duration(p.GetInertMs())*time.Millisecond)
	d.Accepted = accepted
	return err
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
		if _, err := t.Write([]byte(verb + " or don't? ")); err != nil {
			return nil, errs.Wrap(errs.Denied, "cli.ask", err).With("the question could not be shown")
		}
		line, err := t.ReadLine(ctx)
		if err != nil {
			_, _ = t.Write([]byte("\n"))
			return nil, unanswered(ctx, err)
		}
		answer, row := q.Parse(line)
		if c, r := t.Size(); answer != prompt.No && (c != columns || r != rows) {
			if _, err := t.Write([]byte("\nThe terminal has another size now. Here is the question again.\n")); err != nil {
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
	case "y", "ye", "yes", "yes!", "ok", "allow", "sure":
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
