package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// grantJSON is a row of `grant list --json`.
type grantJSON struct {
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	Scope     string  `json:"scope"`
	Base64    string  `json:"scope_base64,omitempty"`
	Holder    string  `json:"holder"`
	Task      string  `json:"task"`
	Since     *string `json:"since"`
	Expires   *string `json:"expires"`
	Used      uint64  `json:"used"`
	State     string  `json:"state"`
	DecidedBy string  `json:"decided_by"`
	// Progress of work in the background, from 0 to 1; nil when there is none.
	Progress *float64 `json:"progress,omitempty"`
	// Level is that of the sandbox, where it is not the full one.
	Level string `json:"level,omitempty"`
}

func grantOf(g *grantv1.ListResponse) grantJSON {
	scope := jsonPath(g.GetScope())
	out := grantJSON{
		ID: g.GetId(), Kind: capability.Name(g.GetKind()), Scope: scope.Path, Base64: scope.Base64,
		Holder: g.GetHolder(), Task: g.GetTask(), Since: rfc3339(g.GetSinceMs()), Expires: rfc3339(g.GetExpiresMs()),
		Used: g.GetUsed(), State: stateName(g.GetState()), DecidedBy: decidedByName(g.GetDecidedBy()), Level: g.GetLevel(),
	}
	if n := g.GetProgress(); n > 0 {
		part := float64(n) / 1000
		out.Progress = &part
	}
	return out
}

// rfc3339 writes a time in UTC; nil for none.
func rfc3339(ms int64) *string {
	if ms == 0 {
		return nil
	}
	s := time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
	return &s
}

func stateName(s grantv1.State) string {
	switch s {
	case grantv1.State_STATE_LIVE:
		return "live"
	case grantv1.State_STATE_REMEMBERED:
		return "remembered"
	case grantv1.State_STATE_EXPIRED:
		return "expired"
	case grantv1.State_STATE_REVOKED:
		return "revoked"
	case grantv1.State_STATE_DENIED:
		return "denied"
	}
	return "unknown"
}

func grantList(ctx context.Context, c *cli, call *call) error {
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	rows, err := grantRows(ctx, cl, call.has("all"))
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(struct {
			Grants []grantJSON `json:"grants"`
		}{rows})
	}
	if len(rows) == 0 {
		c.out.WriteString("Nothing is allowed now.\n")
		return nil
	}
	t := table{head: []string{"ID", "STATE", "KIND", "APP", "SINCE", "USED", "SCOPE"}, spare: []string{"APP"}}
	for _, g := range rows {
		state := g.State
		if g.Progress != nil {
			state += fmt.Sprintf(", vectors %.0f %%", *g.Progress*100)
		}
		if g.Level != "" {
			state += ", " + visible.Text(g.Level)
		}
		used := fmt.Sprint(g.Used)
		if g.State == stateName(grantv1.State_STATE_REMEMBERED) && !call.has("all") {
			// Counted from the log, which only --all reads.
			used = "-"
		}
		t.add(g.ID, state, g.Kind, visible.Text(g.Holder), localTime(g.Since), used, visible.Path(g.Scope))
	}
	t.print(c.out, c.screen.wide)
	return nil
}

func grantRows(ctx context.Context, cl *client.Client, all bool) ([]grantJSON, error) {
	stream, err := cl.Grant.List(ctx, &grantv1.ListRequest{All: all})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	rows := []grantJSON{}
	for {
		g, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, grantOf(g))
	}
}

// localTime shows a time as a person's clock does.
func localTime(s *string) string {
	if s == nil {
		return "-"
	}
	t, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil {
		return visible.Text(*s)
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// revokeJSON is `grant revoke --json`.
type revokeJSON struct {
	ID    string `json:"id"`
	Ended uint32 `json:"ended"`
	// Remembered is what the next task may still go by.
	Remembered string `json:"remembered,omitempty"`
}

func grantRevoke(ctx context.Context, c *cli, call *call) error {
	id, cl, err := c.dialGrant(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	// Without the list it is withdrawn all the same.
	rows, _ := grantRows(ctx, cl, false)
	r, err := cl.Grant.Revoke(ctx, &grantv1.RevokeRequest{Id: id})
	if err != nil {
		return err
	}
	kept := behind(rows, id)
	if c.json {
		return c.printJSON(revokeJSON{id, r.GetEnded(), kept})
	}
	line := "Revoked " + visible.Path(id)
	if n := r.GetEnded(); n > 1 {
		// It is one of them.
		line += "; " + count(uint64(n-1), "other grant") + " ended with it"
	}
	c.print(line + ".")
	if kept != "" {
		c.print("It is still remembered: `bailey grant revoke " + visible.Path(kept) + "` forgets it too.")
	}
	return nil
}

// behind is the id of what is remembered of a live grant's object, empty where
// nothing is.
func behind(rows []grantJSON, id string) string {
	for _, g := range rows {
		if g.ID != id || g.State != stateName(grantv1.State_STATE_LIVE) {
			continue
		}
		for _, p := range rows {
			if p.State == stateName(grantv1.State_STATE_REMEMBERED) && p.Kind == g.Kind && p.Scope == g.Scope && p.Base64 == g.Base64 && p.Holder == g.Holder {
				return p.ID
			}
		}
	}
	return ""
}

// explainJSON is `grant explain --json`.
type explainJSON struct {
	Grant grantJSON `json:"grant"`
	Lines []string  `json:"lines"`
}

func grantExplain(ctx context.Context, c *cli, call *call) error {
	id, cl, err := c.dialGrant(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	e, err := cl.Grant.Explain(ctx, &grantv1.ExplainRequest{Id: id})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(explainJSON{grantOf(e.GetGrant()), append([]string{}, e.GetLines()...)})
	}
	g := grantOf(e.GetGrant())
	fmt.Fprintf(c.out, "%s: %s %s, %s\n", visible.Path(g.ID), g.Kind, visible.Path(g.Scope), g.State)
	for _, l := range e.GetLines() {
		for _, w := range wrap(visible.Text(l), c.screen.columns) {
			c.out.WriteString(w + "\n")
		}
	}
	return nil
}

// dialGrant returns the id that was named and a client. What cannot be an id is
// refused before the core is asked.
func (c *cli) dialGrant(ctx context.Context, call *call) (string, *client.Client, error) {
	id := call.args[0]
	if id == "" || len(id) > 64 || visible.Name(id) != id {
		return "", nil, usage("that is not the id of a grant", "`bailey grant list` shows the ids")
	}
	cl, err := c.dial(ctx, call, true)
	return id, cl, err
}
