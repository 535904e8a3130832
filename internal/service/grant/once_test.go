package grant

import (
	"context"
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

func kept(w *grantv1.Want) *grantv1.Want { w.Remember = true; return w }

// What two are asked about at the same time is remembered once, so that one word
// withdraws it.
func TestRememberedOnce(t *testing.T) {
	for name, wants := range map[string]func(d *desk) []*grantv1.Want{
		"folder": func(d *desk) []*grantv1.Want {
			return []*grantv1.Want{kept(&grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a")})}
		},
		"model and card": func(*desk) []*grantv1.Want {
			return []*grantv1.Want{writer(), kept(&grantv1.Want{Kind: policyv1.Kind_KIND_GPU_USE, Quota: &grantv1.Quota{Vram: 1}})}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			d.s.Graphics = func() (string, error) { return "/dev/dri/renderD128", nil }
			var terminals []*page
			var asked []*grantv1.ProposeResponse
			for range 8 {
				p := d.page("bailey")
				terminals, asked = append(terminals, p), append(asked, p.propose(p.task(), wants(d)...))
			}
			got := make([][]*grantv1.Granted, len(asked))
			var wg sync.WaitGroup
			for i, q := range asked {
				wg.Go(func() { got[i] = terminals[i].decide(q) })
			}
			wg.Wait()
			rows := len(asked[0].Rows)
			if n := len(d.s.Policies.List()); n != rows {
				t.Errorf("%d are remembered of %d", n, rows)
			}
			for _, gs := range got {
				for i, g := range gs {
					if g.Remembered == "" || g.Remembered != got[0][i].Remembered {
						t.Errorf("it came of %q and of %q", g.Remembered, got[0][i].Remembered)
					}
				}
			}
		})
	}
}

// A question that waits is not put for what an answer before it had remembered, and
// not settled by what was withdrawn meanwhile.
func TestRememberedMeanwhile(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	d.want(states(p.request(p.task(), kept(picked("c")))), "live")
	gone := d.s.Policies.List()[0].ID
	open := make(chan struct{})
	d.person.say = func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
		<-open
		return d.yes(ctx, q, hash)
	}
	var wg sync.WaitGroup
	ask := func(wants ...*grantv1.Want) *events {
		e := &events{heard: make(chan uint32, 8)}
		task := p.task()
		wg.Go(func() {
			if err := p.call(t.Context(), e, task, wants...); err != nil {
				t.Error(err)
			}
		})
		<-e.heard
		return e
	}
	first := ask(kept(picked("a")))
	second := ask(kept(picked("a")), picked("c"))
	third := ask(picked("a"), picked("b"))
	if _, err := d.s.Policies.Forget(gone, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	close(open)
	wg.Wait()
	d.want(states(first.rows), "live")
	d.want(states(second.rows), "live denied:"+string(errs.GrantRevoked))
	d.want(states(third.rows), "live live")
	if n := d.person.count(); n != 3 { // c, a, and a with b
		t.Fatalf("%d questions", n)
	}
	if rows := d.person.seen[2].Rows; !rows[0].Remembered || rows[1].Remembered {
		t.Errorf("shown as %+v", rows)
	}
	id := first.rows[0].Granted.Remembered
	if n := len(d.s.Policies.List()); n != 1 || second.rows[0].Granted.Remembered != id || third.rows[0].Granted.Remembered != id {
		t.Errorf("%d are remembered", n)
	}
}
