package grant

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// hands is a clock that goes on when it is told to.
type hands struct{ boot atomic.Int64 }

func (c *hands) Boot() time.Duration { return time.Duration(c.boot.Load()) }
func (c *hands) Wall() time.Time     { return time.Unix(1_700_000_000, c.boot.Load()) }
func (c *hands) on(d time.Duration)  { c.boot.Add(int64(d)) }

// person answers prompts as the test says.
type person struct {
	desk *desk
	say  func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error)

	mu   sync.Mutex
	seen []prompt.Question
}

func (p *person) Ask(ctx context.Context, _ *session.Session, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
	p.mu.Lock()
	p.seen = append(p.seen, q)
	p.mu.Unlock()
	return p.say(ctx, q, hash)
}

func (p *person) count() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.seen) }

// desk is a grant service with everything around it.
type desk struct {
	t        *testing.T
	s        *Service
	clock    *hands
	log      *audit.Log
	file     *file
	person   *person
	base     string
	assigned atomic.Int32
	full     atomic.Bool // nothing can be written to the log
}

func setup(t *testing.T) *desk {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := base + "/home"
	for _, d := range []string{home, base + "/a", base + "/b", base + "/c", base + "/d"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, clock: &hands{}, file: &file{}, base: base, person: &person{}}
	d.person.desk = d
	full := dir.WithHook(func(s safefile.Step) error {
		if d.full.Load() && s.Op == safefile.OpWrite && s.Name == auditlog.LogFile {
			return syscall.ENOSPC
		}
		return nil
	})
	d.log, err = audit.Open(t.Context(), audit.Config{Home: full, Clock: d.clock, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := grant.OpenPolicies(d.file)
	if err != nil {
		t.Fatal(err)
	}
	d.s = &Service{
		Clock: d.clock, Sessions: session.NewRegistry(d.clock), Table: grant.NewTable(d.clock), Policies: policies, Log: d.log,
		Desk: consent.NewDesk(d.clock, func(q *consent.Question) { Unanswered(d.log, q) }), Line: &consent.Line{}, Prompter: d.person,
		Name:   func(string) string { return "Studio" },
		Allows: func(_ string, k policyv1.Kind) bool { return capability.Grantable(k) },
		Picked: func(_ *session.Session, token []byte) (*folder.Folder, error) {
			if token[0] != 'p' {
				return nil, errs.New(errs.NotFound, "test")
			}
			return folder.Open(base + "/" + string(token[1]))
		},
		Assign:      func(_ context.Context, _ *grant.Grant, f *folder.Folder) error { d.assigned.Add(1); return f.Close() },
		AssignModel: func(*grant.Grant, *modelv1.Model, *grant.Grant) { d.assigned.Add(1) },
		Wanted: func(_ *session.Task, ref string, pin bool) (*Wanted, error) {
			if ref == "set-aside" && !pin {
				return nil, errs.New(errs.ModelQuarantine, "test")
			}
			if ref != "writer" && ref != "set-aside" {
				return nil, errs.New(errs.ModelMissing, "test")
			}
			sum := sha256.Sum256([]byte(ref))
			return &Wanted{Model: &modelv1.Model{Name: ref, Facts: &modelv1.Facts{Sha256: sum[:], Size: 1}}}, nil
		},
		Model: func(capability.Digest) (*modelv1.Model, bool) { return nil, false },
		Pins:  &sync.Mutex{}, Own: []string{home}, Progress: func(capability.ID) uint32 { return 0 }, Forgotten: func(grant.Remembered) {},
	}
	t.Cleanup(func() { d.s.Table.Close(); d.log.Close(); dir.Close() })
	d.person.say = d.yes
	return d
}

// yes presses the button in its time, with every row ticked.
func (d *desk) yes(_ context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
	d.clock.on(limits.PromptInert)
	said := consent.Said{Outcome: consent.Yes, Hash: hash}
	for i := range q.Rows {
		said.Rows = append(said.Rows, i)
	}
	return said, nil
}

func (d *desk) says(o consent.Outcome) {
	d.person.say = func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
		return consent.Said{Outcome: o}, nil
	}
}

// page is a window with its tasks.
type page struct {
	d    *desk
	sess *session.Session
}

func (d *desk) page(app string) *page {
	d.t.Helper()
	s, err := d.s.Sessions.Open(app, "window", 1)
	if err != nil {
		d.t.Fatal(err)
	}
	return &page{d, s}
}

func (p *page) task() string {
	p.d.t.Helper()
	t, err := p.d.s.Sessions.Begin(p.sess, "summarize")
	if err != nil {
		p.d.t.Fatal(err)
	}
	return t.ID
}

// events keeps what a call streams.
type events struct {
	mu     sync.Mutex
	waited []uint32
	rows   []*grantv1.Answered
	fail   bool
	heard  chan uint32
}

func (e *events) Send(b []byte) error {
	m := &grantv1.RequestResponse{}
	if err := proto.Unmarshal(b, m); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := m.GetWaiting(); w != nil {
		e.waited = append(e.waited, w.Before)
		if e.heard != nil {
			e.heard <- w.Before
		}
		return nil
	}
	e.rows = m.GetAnswered().Rows
	if e.fail {
		return errors.New("gone")
	}
	return nil
}

func (p *page) call(ctx context.Context, e *events, task string, wants ...*grantv1.Want) error {
	b, err := proto.Marshal(&grantv1.RequestRequest{Task: task, Wants: wants})
	if err != nil {
		p.d.t.Fatal(err)
	}
	i := slices.IndexFunc(grantv1.GrantServiceRoutes(p.d.s), func(r rpc.Route) bool { return r.Method == grantv1.GrantServiceRequestMethod() })
	return grantv1.GrantServiceRoutes(p.d.s)[i].Stream(session.With(ctx, p.sess), b, e)
}

func (p *page) request(task string, wants ...*grantv1.Want) []*grantv1.Answered {
	p.d.t.Helper()
	e := &events{}
	if err := p.call(p.d.t.Context(), e, task, wants...); err != nil {
		p.d.t.Fatal(err)
	}
	return e.rows
}

func picked(name string) *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Picked: append([]byte("p"+name), make([]byte, 14)...)}
}

func writer() *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "writer", Remember: true}
}

// states writes what became of each want: live, denied, or denied:REASON.
func states(rows []*grantv1.Answered) string {
	var out []string
	for i, r := range rows {
		s := strings.ToLower(strings.TrimPrefix(r.State.String(), "STATE_"))
		if r.Reason != "" {
			s += ":" + r.Reason
		}
		if int(r.Row) != i || (r.Granted != nil) != (r.State == grantv1.State_STATE_LIVE) {
			s += "?"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// records counts the records that match.
func (d *desk) records(match func(audit.Record) bool) int {
	d.t.Helper()
	n := 0
	if err := d.log.Read(d.t.Context(), audit.Filter{}, func(r audit.Record) error {
		if match(r) {
			n++
		}
		return nil
	}); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func denied(code errs.Code, by string) func(audit.Record) bool {
	return func(r audit.Record) bool {
		return r.Kind == auditlog.Deny && r.Code == string(code) && r.By == by && r.App == "studio"
	}
}

func (d *desk) want(got, want string) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("got %q, want %q", got, want)
	}
}
