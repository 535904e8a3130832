package grant

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// List implements grantv1.GrantServiceServer: live grants, remembered
// permissions, and with all those that have ended, from the log.
func (s *Service) List(ctx context.Context, in *grantv1.ListRequest, out *grantv1.GrantServiceListSender) error {
	if in.All {
		done, err := session.From(ctx).Reading()
		if err != nil {
			return err
		}
		defer done()
	}
	rows, err := s.rows(ctx, in.All)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := out.Send(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) rows(ctx context.Context, all bool) ([]*grantv1.ListResponse, error) {
	var rows []*grantv1.ListResponse
	var of map[string]uint64
	if all {
		ended, uses, err := s.fromLog(ctx)
		if err != nil {
			return nil, err
		}
		rows, of = ended, uses
	}
	for _, p := range s.Policies.List() {
		r := remembered(p)
		if d, ok := p.Model(); ok {
			// It may have got another name since.
			if m, ok := s.Model(d); ok {
				r.Scope = scopeText("", m.Name, p.Digest)
			}
		}
		r.Progress, r.Used = s.Progress(p.ID), of[r.Id]
		rows = append(rows, r)
	}
	for _, r := range s.Policies.Refusals() {
		rows = append(rows, blocked(r))
	}
	for _, l := range s.Table.List() {
		rows = append(rows, live(l))
	}
	return rows, nil
}

func live(l grant.Ended) *grantv1.ListResponse {
	r := &grantv1.ListResponse{
		Id: string(l.Row.ID), Kind: l.Row.Kind, Scope: scopeOf(l.Row), Holder: l.Row.Holder.App, Task: l.Row.Holder.Task,
		SinceMs: l.Row.Since.UnixMilli(), Used: l.Calls, State: grantv1.State_STATE_LIVE, DecidedBy: decidedBy(l.Row.By),
	}
	if l.Level != workerspec.FullLevel {
		r.Level = l.Level
	}
	if !l.Row.Expiry.Wall.IsZero() {
		r.ExpiresMs = l.Row.Expiry.Wall.UnixMilli()
	}
	return r
}

func scopeOf(r capability.Row) []byte {
	if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
		return scopeText("", r.Scope.Name, hex.EncodeToString(r.Scope.Digest[:]))
	}
	if r.Kind == policyv1.Kind_KIND_NET_FETCH {
		return []byte(r.Scope.Name)
	}
	if r.Kind == policyv1.Kind_KIND_EXEC_RUN {
		return scopeText(r.Scope.Path, "", hex.EncodeToString(r.Scope.Digest[:]))
	}
	return []byte(r.Scope.Path)
}

func remembered(p grant.Remembered) *grantv1.ListResponse {
	return &grantv1.ListResponse{
		Id: string(p.ID), Kind: kind(p.Kind), Scope: scopeText(p.Path, p.Name, p.Digest), Holder: p.App,
		SinceMs: p.Since.UnixMilli(), State: grantv1.State_STATE_REMEMBERED, DecidedBy: decidedBy(capability.Decision(p.By)),
	}
}

func kind(name string) policyv1.Kind {
	for n := range policyv1.Kind_name {
		if k := policyv1.Kind(n); capability.Name(k) == name {
			return k
		}
	}
	return policyv1.Kind_KIND_UNSPECIFIED
}

func decidedBy(d capability.Decision) grantv1.DecidedBy {
	switch d {
	case capability.ByTerminal:
		return grantv1.DecidedBy_DECIDED_BY_TERMINAL
	case capability.ByCommandLine:
		return grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
	case capability.ByPrompt:
		return grantv1.DecidedBy_DECIDED_BY_PROMPT
	}
	return grantv1.DecidedBy_DECIDED_BY_UNSPECIFIED
}

// ModelGrants is the detail of a call's end that has the grants of the models that
// it used, by their ids with blanks between.
const ModelGrants = "model-grants"

// fromLog pieces the ended grants together: a grant record and, later, what
// ended it. One whose end was never written went with a core that was killed.
//
// of is how many grants came of each remembered permission.
func (s *Service) fromLog(ctx context.Context) (ended []*grantv1.ListResponse, of map[string]uint64, err error) {
	of = map[string]uint64{}
	liveNow := map[string]bool{}
	for _, l := range s.Table.List() {
		liveNow[string(l.Row.ID)] = true
	}
	var order []*grantv1.ListResponse
	byID := map[string]*grantv1.ListResponse{}
	// levels are those of tasks whose workers had less than the full sandbox.
	levels := map[string]string{}
	err = s.Log.Read(ctx, audit.Filter{}, func(r audit.Record) error {
		switch r.Kind {
		case auditlog.Grant:
			g := &grantv1.ListResponse{
				Id: r.Grant, Kind: kind(r.Detail["kind"]), Scope: scopeText(cmp.Or(r.Detail["path"], r.Detail["host"]), r.Detail["model"], r.Detail["sha256"]), Holder: r.App, Task: r.Task,
				SinceMs: r.Time.UnixMilli(), State: grantv1.State_STATE_EXPIRED, DecidedBy: decidedBy(capability.Decision(r.By)),
			}
			if t, err := time.Parse(time.RFC3339, r.Detail["expires"]); err == nil {
				g.ExpiresMs = t.UnixMilli()
			}
			order = append(order, g)
			byID[r.Grant] = g
			of[r.Detail["remembered"]]++
		case auditlog.Call:
			// That an engine was joined to the index is no call of the client's.
			if g := byID[r.Grant]; g != nil && r.Method != indexv1.IndexServiceAttachMethod().Name {
				g.Used++
			}
		case auditlog.CallEnd:
			for _, id := range strings.Fields(r.Detail[ModelGrants]) {
				if g := byID[id]; g != nil {
					g.Used++
				}
			}
		case auditlog.Revoke:
			if g := byID[r.Grant]; g != nil {
				g.State = grantv1.State_STATE_REVOKED
			}
		}
		if level := r.Detail["level"]; level != "" && r.Task != "" {
			levels[r.Task] = level
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	out := order[:0]
	for _, g := range order {
		if !liveNow[g.Id] {
			g.Level = levels[g.Task]
			out = append(out, g)
		}
	}
	return out, of, nil
}

// Explain implements grantv1.GrantServiceServer.
func (s *Service) Explain(ctx context.Context, in *grantv1.ExplainRequest) (*grantv1.ExplainResponse, error) {
	done, err := session.From(ctx).Reading()
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := s.rows(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Id == in.Id {
			return &grantv1.ExplainResponse{Grant: r, Lines: explain(r)}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "grant.explain").With("no grant has that id").WithHint("`bailey grant list --all` shows them")
}

// explain says in sentences what a grant is. The scope is not in them: the
// client shows it from its field, made visible.
func explain(r *grantv1.ListResponse) []string {
	who := map[grantv1.DecidedBy]string{
		grantv1.DecidedBy_DECIDED_BY_TERMINAL:     "A person said yes on the terminal.",
		grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE: "It was given on the command line.",
		grantv1.DecidedBy_DECIDED_BY_PROMPT:       "You said yes, in a prompt.",
	}[r.DecidedBy]
	if r.State == grantv1.State_STATE_DENIED {
		no := "You said no to this twice, in prompts."
		if r.DecidedBy != grantv1.DecidedBy_DECIDED_BY_PROMPT {
			no = "The app took this question off the screen before you could answer, again and again, which counts as no."
		}
		return []string{
			no,
			"The app gets nothing by it, and you are not asked about it again.",
			"When you take this row away, by Revoke or with `bailey grant revoke`, the app may ask again; that alone allows nothing.",
		}
	}
	if who == "" {
		who = "It was remembered from an earlier yes."
	}
	lines := []string{who}
	switch r.Kind {
	case policyv1.Kind_KIND_FILE_READ:
		lines = append(lines,
			"It allows reading the files in that folder and below it.",
			"It does not allow changing anything, reading anything outside, or any network; links that lead out of the folder lead nowhere.",
			"The reading is done by a process that sees nothing but that folder.")
	case policyv1.Kind_KIND_FILE_WRITE:
		lines = append(lines,
			"It allows one program, that was run by hand in a sandbox, reading and changing the files in that folder and below it.",
			"It does not allow reading or changing anything outside; links that lead out of the folder lead nowhere.")
	case policyv1.Kind_KIND_EXEC_RUN:
		lines = append(lines,
			"It allows running that program once, with those bytes, in the sandbox of a kind of worker.",
			"It does not allow it anything that the kind's own worker may not do.")
	case policyv1.Kind_KIND_NET_FETCH:
		lines = append(lines,
			"It allows one program, that was run by hand in the sandbox of the kind net, connecting to any address, like the worker of that kind, which nothing but its own code keeps to the addresses that were granted.",
			"It does not allow reading any file, or listening.")
	case policyv1.Kind_KIND_MODEL_RUN:
		lines = append(lines,
			"It allows running that model, the one with that digest and no other, on what the command gives it: what you type, and for `ask` and `summarize` passages of the folder.",
			"It does not allow the model to read files, to start anything, or any network; what it writes is text and can permit nothing.",
			"The running is done by a process that sees nothing but the model.")
	}
	if r.Kind == policyv1.Kind_KIND_GPU_USE {
		lines = append(lines,
			"It allows the model of the same task to use that graphics card, within the memory that was allowed.",
			"It does not allow the model to read your files, to start anything, or any network. The card's driver works in the model's process, whose sandbox holds less for it: a fault of the driver, or of its part in the kernel, could let the model out.",
			"The running is done by a process that sees the model, the device and the system's libraries, and none of your files.")
	}
	switch r.Level {
	case "":
	case workerspec.WrappedLevel:
		lines = append(lines, "The work under it is, or was, started by the system's bubblewrap, with every layer of the sandbox.")
	default:
		lines = append(lines, "The work under it runs, or ran, at "+r.Level+" of the sandbox, without namespaces: Landlock and the filters of system calls keep it in, and it can find out which paths exist. `bailey doctor` says why, and what mends it.")
	}
	switch r.State {
	case grantv1.State_STATE_LIVE:
		end := "It ends with its task, or when you revoke it."
		if r.ExpiresMs != 0 {
			end = "It ends with its task, at its time, or when you revoke it, whichever comes first."
		}
		lines = append(lines, end, fmt.Sprintf("It was used for %d calls so far.", r.Used))
	case grantv1.State_STATE_REMEMBERED:
		end := "or when the folder is not the same any more."
		if r.Kind == policyv1.Kind_KIND_MODEL_RUN {
			end = "and the model is then not loaded until you allow it anew."
		}
		if r.Kind == policyv1.Kind_KIND_GPU_USE {
			end = "and models then run on the processor."
		}
		lines = append(lines, "It is remembered: a new task gets it without a question, and each time is on the record. It ends when you revoke it, "+end)
		if r.Progress != 0 {
			lines = append(lines, fmt.Sprintf("Work in the background under it is at %d %%.", r.Progress/10))
		}
	case grantv1.State_STATE_REVOKED:
		lines = append(lines, "It was revoked.")
	case grantv1.State_STATE_EXPIRED:
		lines = append(lines, "It is over: its task ended or its time did.")
	}
	return lines
}
