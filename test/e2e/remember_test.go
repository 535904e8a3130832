package e2e

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// rememberedID remembers the folder and returns the permission's id.
func (p *place) rememberedID() string {
	p.t.Helper()
	out, errs, code := p.bailey("ask", p.folder, "how is a release signed?", "--allow-read", p.folder, "--remember", "--json")
	if code != 0 {
		p.t.Fatalf("gave %d: %s", code, errs)
	}
	var a struct {
		Grants []struct{ Remembered string }
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || len(a.Grants) != 1 || a.Grants[0].Remembered == "" {
		p.t.Fatalf("%v in %s", err, out)
	}
	return a.Grants[0].Remembered
}

// without asks with no flag and no terminal: only what is remembered answers.
func (p *place) without() int {
	p.t.Helper()
	_, _, code := p.bailey("ask", p.folder, "how is a release signed?")
	return code
}

// A remembered folder needs no question; forgotten, it does; and an older
// file that is put back gives nothing, which the record says.
func TestOldPolicyFilePutBack(t *testing.T) {
	p := newPlace(t)
	if code := p.without(); code != 3 {
		t.Fatalf("nothing is remembered, and it gave %d", code)
	}
	id := p.rememberedID()
	if code := p.without(); code != 0 {
		t.Fatalf("control: a remembered folder gave %d", code)
	}
	p.gone(wait)
	file := p.home + "/state/policies.json"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, code := p.bailey("grant", "revoke", id); code != 0 {
		t.Fatalf("revoke gave %d: %s%s", code, out, errs)
	}
	if code := p.without(); code != 3 {
		t.Fatalf("forgotten, it gave %d", code)
	}
	p.gone(wait)
	if left, err := os.ReadDir(p.home + "/cache/index"); err != nil || len(left) != 0 {
		t.Errorf("the forgotten folder's index is left: %v %v", left, err)
	}
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := p.without(); code != 3 {
		t.Fatalf("an old file was put back, and it gave %d", code)
	}
	out, _, _ := p.bailey("audit", "show", "--json")
	if !strings.Contains(out, "did not match the log") {
		t.Error("it is not on the record")
	}
	p.verified()
}

// A remembered folder that was replaced by another under the same name is
// another folder.
func TestReplacedFolderAsksAgain(t *testing.T) {
	p := newPlace(t)
	p.rememberedID()
	if code := p.without(); code != 0 {
		t.Fatalf("control: gave %d", code)
	}
	if err := os.Rename(p.folder, p.folder+".old"); err != nil {
		t.Fatal(err)
	}
	p.write("release.md", "Another release altogether is signed by nobody.\n")
	if code := p.without(); code != 3 {
		t.Fatalf("a replaced folder gave %d", code)
	}
	// Moved back, it is the one that was remembered.
	if err := os.RemoveAll(p.folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.folder+".old", p.folder); err != nil {
		t.Fatal(err)
	}
	if code := p.without(); code != 0 {
		t.Fatalf("moved back, it gave %d", code)
	}
}

// A task that begins while another is ending gets the folder's own index, not
// one that has to be made: the other's client may have left without waiting
// for its worker's end.
func TestOneAfterAnotherKeepsTheIndex(t *testing.T) {
	p := newPlace(t)
	p.rememberedID()
	c, ctx := p.connect(), t.Context()
	task, g := p.grant(c)
	for range 50 {
		begun, err := c.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: "ask"})
		if err != nil {
			t.Fatal(err)
		}
		q, err := c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: begun.Task, Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.folder)}}})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := c.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: task, Outcome: corev1.Outcome_OUTCOME_OK})
			ended <- err
		}()
		p.until(wait, "the grant to end", func() bool { return !p.live(c, g.Id) })
		d, err := c.Grant.Decide(ctx, &grantv1.DecideRequest{
			Proposal: q.Proposal, ActionHash: q.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0},
		})
		if err != nil {
			t.Fatal(err)
		}
		task, g = begun.Task, d.Grants[0]
		left, err := os.ReadDir(p.home + "/cache/index")
		if err != nil {
			t.Fatal(err)
		}
		if len(left) != 1 || !strings.HasPrefix(left[0].Name(), "kept-") {
			t.Fatalf("there are %v", left)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// live reports whether the core has a live grant of an id.
func (p *place) live(c *client.Client, id string) bool {
	p.t.Helper()
	rows, err := c.Grant.List(p.t.Context(), &grantv1.ListRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	found := false
	for {
		r, err := rows.Recv()
		if err == io.EOF {
			return found
		}
		if err != nil {
			p.t.Fatal(err)
		}
		found = found || r.Id == id
	}
}
