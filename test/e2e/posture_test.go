package e2e

import (
	"context"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// What a stranger sees of a worker that holds a grant: two seccomp filters, no
// new privileges, no capability, namespaces of its own, never host root.
func TestPostureFromOutside(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	p.grant(c)
	w := p.worker(c.PID)
	s, err := proc.ReadStatus(w)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seccomp != 2 || s.Filters != 2 || !s.NoNewPrivs {
		t.Errorf("seccomp %d with %d filters, no_new_privs %v", s.Seccomp, s.Filters, s.NoNewPrivs)
	}
	if s.Inheritable|s.Permitted|s.Effective|s.Bounding|s.Ambient != 0 {
		t.Errorf("capabilities: %+v", s)
	}
	for _, id := range append(s.UID[:], s.GID[:]...) {
		if id == 0 {
			t.Error("the worker is host root")
		}
	}
	// A non-dumpable process's links are closed to its own user; root sees them.
	if os.Geteuid() == 0 {
		mine, err := proc.Namespaces(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		its, err := proc.Namespaces(w)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
			if its[n] == "" || its[n] == mine[n] {
				t.Errorf("the %s namespace is %q, ours %q", n, its[n], mine[n])
			}
		}
	} else if _, err := os.ReadDir("/proc/" + itoa(w) + "/fd"); err == nil {
		t.Error("the worker's descriptors can be read from outside: it is dumpable")
	}
	// The control: the core itself shows none of this.
	s, err = proc.ReadStatus(c.PID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seccomp == 2 && s.NoNewPrivs {
		t.Error("control: the core looks confined, so the test shows nothing")
	}
}

// Nothing of Bailey listens on TCP or UDP; one unix socket is the core's.
func TestListeners(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	p.grant(c)
	unix := 0
	for _, pid := range append(p.workers(c.PID), c.PID) {
		ls, err := proc.Listeners(pid)
		if err != nil && os.Geteuid() != 0 {
			continue // non-dumpable: root looks into the core, and a worker's empty net namespace is in TestPosture
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ls {
			if l.Network != "unix" || pid != c.PID {
				t.Errorf("process %d listens: %+v", pid, l)
				continue
			}
			unix++
		}
	}
	if unix != 1 && os.Geteuid() == 0 {
		t.Errorf("the core listens on %d unix sockets", unix)
	}
}

// Revoking kills the worker at once, the stream ends as revoked, and
// the handle is worth nothing any more.
func TestRevokeWhileStreaming(t *testing.T) {
	p := newPlace(t)
	p.many(3000)
	c := p.connect()
	_, g := p.grant(c)
	w := p.worker(c.PID)
	in, err := c.Index.Summarize(t.Context(), &indexv1.SummarizeRequest{Grant: g.Handle})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.Recv(); err != nil {
		t.Fatalf("nothing streamed: %v", err)
	}
	other := p.connect()
	if r, err := other.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil || r.Ended != 1 {
		t.Fatal(r, err)
	}
	if proc.Alive(w) {
		t.Error("the worker was alive when Revoke returned")
	}
	for err = nil; err == nil; {
		_, err = in.Recv()
	}
	if errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("the stream ended with %v", err)
	}
	in, err = c.Index.Summarize(t.Context(), &indexv1.SummarizeRequest{Grant: g.Handle})
	if err == nil {
		_, err = in.Recv()
		in.Close()
	}
	if errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("a call after it gave %v", err)
	}
}

// A handle that was seen on another connection is worth nothing there.
func TestHandleOnAnotherChannel(t *testing.T) {
	p := newPlace(t)
	a, b := p.connect(), p.connect()
	_, g := p.grant(a)
	ask := func(c interface {
		Ask(context.Context, *indexv1.AskRequest) (*indexv1.IndexServiceAskStream, error)
	}) error {
		in, err := c.Ask(t.Context(), &indexv1.AskRequest{Grant: g.Handle, Question: "how is a release signed?"})
		if err != nil {
			return err
		}
		defer in.Close()
		for {
			if _, err := in.Recv(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	if err := ask(a.Index); err != nil {
		t.Fatalf("control: on its own channel: %v", err)
	}
	if err := ask(b.Index); errs.CodeOf(err) != errs.GrantMissing {
		t.Fatalf("on another channel: %v", err)
	}
}

// The kinds that watch the person, and those that this release lacks, are
// refused by name; so is Bailey's own state.
func TestRefusedWants(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	for name, w := range map[string]*grantv1.Want{
		"screen":     {Kind: policyv1.Kind_KIND_SCREEN_CAPTURE, Path: []byte(p.folder)},
		"keystrokes": {Kind: policyv1.Kind_KIND_INPUT_OBSERVE, Path: []byte(p.folder)},
		"exec":       {Kind: policyv1.Kind_KIND_EXEC_RUN, Path: []byte(p.folder)},
		"no kind":    {Path: []byte(p.folder)},
		"own state":  {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.home + "/state")},
		"own log":    {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.home + "/state/audit")},
		"missing":    {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.folder + "/none")},
		"relative":   {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("folder")},
		"a file":     {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.folder + "/notes.txt")},
	} {
		_, g, err := p.tryGrant(c, w)
		if err == nil || g != nil {
			t.Errorf("%s was granted", name)
		}
		if slices.Contains([]string{"screen", "keystrokes", "exec", "own state", "own log"}, name) && errs.CodeOf(err) != errs.Denied {
			t.Errorf("%s gave %v", name, err)
		}
	}
	if n := len(p.workers(c.PID)); n != 0 {
		t.Errorf("%d workers run for refused wants", n)
	}
}
