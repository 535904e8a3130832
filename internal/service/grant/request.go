package grant

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Prompter puts a question before the person at a session's window.
type Prompter interface {
	// Ask returns what was said. The end of ctx takes the question off the screen.
	// An error is a no, whatever else is returned.
	Ask(ctx context.Context, s *session.Session, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error)
}

// Request implements grantv1.GrantServiceServer. It is Propose and Decide in one,
// and the page has no part in what lies between: the core resolves what is wanted,
// asks the person, and mints what was accepted.
func (s *Service) Request(ctx context.Context, in *grantv1.RequestRequest, out *grantv1.GrantServiceRequestSender) error {
	sess := session.From(ctx)
	task, err := s.Sessions.Task(sess, in.Task)
	if err != nil {
		return err
	}
	for _, w := range in.Wants {
		if err := fromPage(w); err != nil {
			return s.refusedTo(task, w, grantv1.GrantServiceRequestMethod().Name, err)
		}
	}
	if err := s.Log.Note(audit.Event{Kind: auditlog.Call, Actor: actor(task), Method: grantv1.GrantServiceRequestMethod().Name}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-task.Done():
			cancel(errs.New(errs.Cancelled, "grant.request"))
		case <-ctx.Done():
		}
	}()
	r := &request{
		s: s, task: task, out: out, answers: make([]*grantv1.Answered, len(in.Wants)),
		q: &consent.Question{App: sess.App, Surface: sess.Surface, Channel: sess.Channel, Task: task.ID, Verb: task.Verb},
	}
	defer func() { r.q.Close() }() // what was not handed on; closing twice is harmless
	if err := r.resolve(in.Wants); err != nil {
		return err
	}
	if err := r.ask(ctx); err != nil {
		return err
	}
	err = out.Send(&grantv1.RequestResponse{Event: &grantv1.RequestResponse_Answered{Answered: &grantv1.AnsweredAll{Rows: r.answers}}})
	if err != nil {
		// Nobody has the handles.
		s.undo(task, r.granted)
	}
	return err
}

// fromPage refuses a want that names what a page cannot know.
func fromPage(w *grantv1.Want) error {
	bad := len(w.Path) > 0
	switch w.Kind {
	case policyv1.Kind_KIND_FILE_READ:
		bad = bad || len(w.Picked) != limits.PickedToken || w.Model != "" || w.Quota != nil
	default:
		bad = bad || len(w.Picked) > 0
	}
	if bad {
		return errs.New(errs.Malformed, "grant.request").With("a page names a folder by what was picked, and by nothing else")
	}
	return nil
}

// request is one call of Request.
type request struct {
	s    *Service
	task *session.Task
	out  *grantv1.GrantServiceRequestSender
	// answers has one entry for each want; q holds the rows that are still to be
	// asked about, and wants which want each of them was.
	answers []*grantv1.Answered
	q       *consent.Question
	wants   []int
	granted []*grantv1.Granted
	// unasked are refusals that are not on the record yet, equal ones together.
	unasked []refusal
}

// refusal is one record of wants that were refused without a person.
type refusal struct {
	event audit.Event
	// object is empty where a want named nothing that there is: else a page would
	// fill the log with names that it makes up.
	object string
}

// no answers a want with no. What is to stand on the record is kept for
// [request.note].
func (r *request) no(want int, w *grantv1.Want, row *consent.Row, err error) {
	e := errs.From(err)
	a := &grantv1.Answered{Row: uint32(want), State: grantv1.State_STATE_DENIED, Reason: string(e.Code)}
	r.answers[want] = a
	n := refusal{}
	if row == nil {
		n.event = refusalOf(r.task, w, grantv1.GrantServiceRequestMethod().Name, e)
	} else {
		a.Object = object(row)
		n.event, n.object = unasked(r.task, *row, e), tagged(row.Kind, row.Scope)
	}
	for i := range r.unasked {
		o := &r.unasked[i]
		if o.object == n.object && o.event.Code == n.event.Code && o.event.Detail["kind"] == n.event.Detail["kind"] {
			o.event.Messages = max(o.event.Messages, 1) + 1
			o.event.Detail["reason"] = "and others of the same question"
			return
		}
	}
	r.unasked = append(r.unasked, n)
}

// note puts on the record what was refused without a person: of one question a
// record for each kind and reason, not for each want.
func (r *request) note() error {
	rows := r.unasked
	r.unasked = nil
	for _, n := range rows {
		if err := r.s.Log.Note(n.event); err != nil {
			return err
		}
	}
	return nil
}

// resolve opens what is wanted, as far as the app may ask for it.
func (r *request) resolve(wants []*grantv1.Want) error {
	for i, w := range wants {
		// Never alone: a page does not bring a model out of quarantine.
		const alone = false
		var row consent.Row
		var err error
		if !r.s.Allows(r.task.Session.App, w.Kind) {
			err = errs.New(errs.AboveCeiling, "grant.request")
		} else {
			row, err = r.s.resolve(r.task, w, alone)
		}
		if err != nil {
			r.no(i, w, nil, err)
			continue
		}
		if twice(r.q.Rows, row) {
			row.Close()
			if err := r.note(); err != nil {
				return err
			}
			err := errs.New(errs.Malformed, "grant.request").With("a page asks for each folder and each model once")
			return r.s.refusedTo(r.task, w, grantv1.GrantServiceRequestMethod().Name, err)
		}
		r.q.Rows = append(r.q.Rows, row)
		r.wants = append(r.wants, i)
	}
	return r.sift() // it notes what was refused here too
}

// sift takes out the rows that the person is not asked about again, by what is
// remembered and refused now.
func (r *request) sift() error {
	app := r.task.Session.App
	for i := range r.q.Rows {
		r.s.recall(app, &r.q.Rows[i])
	}
	return r.drop(func(row consent.Row) error {
		refused, ok := r.s.refusal(app, row)
		switch {
		case row.Policy != "" && !r.s.remembers(row.Policy):
			return withdrawn()
		case row.Asks() && ok && refused.Blocked():
			return errs.New(errs.Blocked, "grant.request")
		case r.s.Desk.Denied(r.q, row):
			return errs.New(errs.Denied, "grant.request").With("it was refused in the same task")
		}
		return nil
	})
}

// drop answers the rows with no for which why returns an error.
func (r *request) drop(why func(consent.Row) error) error {
	rows, wants := r.q.Rows, r.wants
	r.q.Rows, r.wants = nil, nil
	for i, row := range rows {
		err := why(row)
		if err == nil {
			r.q.Rows, r.wants = append(r.q.Rows, row), append(r.wants, wants[i])
			continue
		}
		row.Close()
		r.no(wants[i], nil, &row, err)
	}
	return r.note()
}

// ask has the rows answered, by a person where one is needed.
func (r *request) ask(ctx context.Context) error {
	if !r.asks() {
		return r.remembered(ctx)
	}
	turn, err := r.turn(ctx)
	if turn == nil {
		return err
	}
	defer turn.Leave()
	// The answer to one that stood before may answer this one too.
	if err := r.sift(); err != nil {
		return err
	}
	if !r.asks() {
		return r.remembered(ctx)
	}
	q := r.q
	if err := r.s.Desk.Put(q); err != nil {
		return r.drop(func(consent.Row) error { return err })
	}
	said, err := r.show(ctx)
	if err != nil {
		return err
	}
	switch {
	case said.Outcome == consent.Yes:
		return r.yes(ctx, said)
	case !r.s.Desk.Withdraw(q):
		return errs.New(errs.Cancelled, "grant.request") // the window is gone, and that is on the record
	case said.Outcome == consent.No:
		return r.refused()
	case said.Outcome == consent.Unanswered:
		r.s.Desk.Deny(q, q.Rows)
		return r.drop(func(consent.Row) error { return errs.New(errs.PromptNoAnswer, "grant.request") })
	}
	return r.drop(func(consent.Row) error { return errs.New(errs.PromptFailed, "grant.request") })
}

// turn waits until the screen is the question's; nil when it does not come to that,
// and the rows are answered.
func (r *request) turn(ctx context.Context) (*consent.Turn, error) {
	for {
		// Not in the line: others do not wait for what this app has done.
		if err := wait(ctx, r.s.Desk.Pause(r.q)); err != nil {
			return nil, r.gone(err)
		}
		turn, err := r.s.Line.Enter(r.q.App, r.same())
		if err != nil {
			return nil, r.drop(func(consent.Row) error { return err })
		}
		err = turn.Wait(ctx, func(before int) error {
			return r.out.Send(&grantv1.RequestResponse{Event: &grantv1.RequestResponse_Waiting{Waiting: &grantv1.Waiting{Before: uint32(before)}}})
		})
		if err != nil {
			turn.Leave()
			return nil, r.gone(err)
		}
		if r.s.Desk.Pause(r.q) == 0 {
			return turn, nil
		}
		// One that stood before was taken off the screen meanwhile.
		turn.Leave()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

func (r *request) asks() bool {
	for i := range r.q.Rows {
		if r.q.Rows[i].Asks() {
			return true
		}
	}
	return false
}

// same is equal for questions that a person could not tell apart.
func (r *request) same() [sha256.Size]byte {
	asked := make([]capability.Asked, len(r.q.Rows))
	for i, row := range r.q.Rows {
		asked[i] = row.Asked
	}
	return capability.ActionHash("", "", asked)
}

// show puts the question on the screen and waits. The error is for a requester
// that is gone; what else goes wrong is an answer.
func (r *request) show(ctx context.Context) (consent.Said, error) {
	if r.s.Prompter == nil {
		return consent.Said{}, nil
	}
	shown, cancel := context.WithTimeout(ctx, limits.PromptTimeout)
	defer cancel()
	said, err := r.s.Prompter.Ask(shown, r.task.Session, r.question(), r.q.Hash)
	switch {
	case ctx.Err() != nil:
		if err := r.takenBack(); err != nil {
			return consent.Said{}, err
		}
		// A yes that came with the end of its task is none.
		if r.s.Desk.Withdraw(r.q) {
			return consent.Said{}, r.gone(context.Cause(ctx))
		}
		return consent.Said{}, context.Cause(ctx)
	case shown.Err() != nil:
		return consent.Said{Outcome: consent.Unanswered}, nil
	case err != nil:
		return consent.Said{}, nil
	}
	return said, nil
}

// takenBack counts that the question was on the screen and its requester took it
// off, which is a no in the end.
func (r *request) takenBack() error {
	for _, row := range r.s.Desk.TakenBack(r.q) {
		if err := r.s.refuse(r.task, row, capability.ByPolicy); err != nil {
			return err
		}
	}
	return nil
}

// gone ends a question that its requester does not wait for any more. It is not
// put again in the same task: a page cannot have prompts flicker.
func (r *request) gone(cause error) error {
	r.s.Desk.Deny(r.q, r.q.Rows)
	if err := r.drop(func(consent.Row) error { return errs.New(errs.Cancelled, "grant.request") }); err != nil {
		return err
	}
	return cause
}

// yes settles what a person accepted, if that was this question and its time had
// come.
func (r *request) yes(ctx context.Context, said consent.Said) error {
	q, err := r.s.Desk.Take(r.q.Channel, r.q.ID[:], said.Hash[:], capability.ByPrompt)
	if err != nil {
		return r.drop(func(consent.Row) error { return errs.Wrap(errs.PromptFailed, "grant.request", err) })
	}
	accepted := make([]uint32, len(said.Rows))
	for i, row := range said.Rows {
		accepted[i] = uint32(row)
	}
	return r.settle(ctx, q, accepted, capability.ByPrompt)
}

// remembered settles rows that need no person.
func (r *request) remembered(ctx context.Context) error {
	if len(r.q.Rows) == 0 {
		return nil
	}
	if err := r.s.Desk.Put(r.q); err != nil {
		return r.drop(func(consent.Row) error { return err })
	}
	q, err := r.s.Desk.Take(r.q.Channel, r.q.ID[:], r.q.Hash[:], capability.ByRemembered)
	if err != nil {
		return err
	}
	accepted := make([]uint32, len(q.Rows))
	for i := range accepted {
		accepted[i] = uint32(i)
	}
	return r.settle(ctx, q, accepted, capability.ByRemembered)
}

// refused settles a question that a person said no to.
func (r *request) refused() error {
	for i, row := range r.q.Rows {
		if err := r.s.denied(r.task, r.q, row, capability.ByPrompt); err != nil {
			return err
		}
		r.answers[r.wants[i]] = r.saidNo(r.wants[i], row)
	}
	return nil
}

// saidNo is the answer to a row that a person refused; the page hears at once that
// this was the last time that they were asked.
func (r *request) saidNo(want int, row consent.Row) *grantv1.Answered {
	a := &grantv1.Answered{Row: uint32(want), State: grantv1.State_STATE_DENIED, Object: object(&row)}
	if now, ok := r.s.refusal(r.task.Session.App, row); ok && now.Blocked() {
		a.Reason = string(errs.Blocked)
	}
	return a
}

// settle mints what was accepted.
func (r *request) settle(ctx context.Context, q *consent.Question, accepted []uint32, by capability.Decision) error {
	granted, err := r.s.settle(ctx, r.task, q, accepted, by)
	if err != nil {
		return err
	}
	for i, row := range q.Rows {
		r.answers[r.wants[i]] = r.saidNo(r.wants[i], row)
	}
	r.granted = granted
	ends := map[string]int64{}
	for _, l := range r.s.Table.List() {
		if !l.Row.Expiry.Wall.IsZero() {
			ends[string(l.Row.ID)] = l.Row.Expiry.Wall.UnixMilli()
		}
	}
	for _, g := range granted {
		row, want := g.Row, r.wants[g.Row]
		g.Row = uint32(want)
		a := r.answers[want]
		a.State, a.Reason, a.Granted, a.ExpiresMs = grantv1.State_STATE_LIVE, "", g, ends[g.Id]
		if by == capability.ByPrompt && q.Rows[row].Asks() {
			r.s.Desk.Accepted(q, q.Rows[row])
			if err := r.s.accepted(r.task, q.Rows[row]); err != nil {
				r.s.undo(r.task, granted)
				return err
			}
		}
	}
	return nil
}

// question is what a person is shown.
func (r *request) question() prompt.Question {
	q := prompt.Question{Actor: r.s.Name(r.task.Session.App), UserDir: r.s.UserDir}
	for _, row := range r.q.Rows {
		out := prompt.Row{
			Kind: row.Kind, Path: []byte(row.Scope.Path), Renamed: row.Folder != nil && row.Folder.Renamed,
			TTL: time.Duration(row.TTLSeconds) * time.Second, Remember: row.Remember || row.Again, Remembered: !row.Asks(), Ticked: true,
			VRAM: row.Quota.VRAM,
		}
		if m := row.Model; m != nil {
			f := m.GetFacts()
			out.Model = prompt.Model{
				Name: m.GetName(), SHA256: f.GetSha256(), Size: f.GetSize(), Licence: f.GetLicence(), Role: f.GetRole(), MaxTokens: row.Quota.Tokens,
			}
		}
		q.Rows = append(q.Rows, out)
	}
	return q
}

// object is what a page may show of a row.
func object(row *consent.Row) string {
	if row.Model != nil {
		return visible.Name(row.Model.GetName())
	}
	return visible.Name(row.Scope.Path)
}

// unasked is the record of a row that nobody said yes or no to.
func unasked(t *session.Task, row consent.Row, e *errs.Error) audit.Event {
	return audit.Event{
		Kind: auditlog.Deny, Actor: actor(t), Method: grantv1.GrantServiceRequestMethod().Name, Decision: "deny", DecidedBy: "policy", Code: string(e.Code),
		Detail: scopeDetail(row.Kind, row.Scope), Tagged: tagged(row.Kind, row.Scope),
	}
}
