package main

import (
	"context"
	"fmt"
	"io"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// cardOptions is what the command line says of a graphics card.
type cardOptions struct {
	// wanted asks for it, allowed grants it.
	wanted, allowed bool
	// vram that may be used, bytes; 0 = what is free.
	vram uint64
}

// cardFlags are those of every command that runs a model that writes.
func cardFlags() []flag {
	return []flag{
		{name: "gpu", help: "use the graphics card, and ask for it; where there is none, that is said and the processor does"},
		{name: "allow-gpu", help: "use the graphics card without a question; the log says that the command line did"},
		{name: "max-vram", value: "MB", help: "use at most so many megabytes of the card's memory; with --gpu or --allow-gpu"},
	}
}

func (c *call) card() (cardOptions, error) {
	const mega = 1_000_000
	o := cardOptions{wanted: c.has("gpu") || c.has("allow-gpu"), allowed: c.has("allow-gpu"), vram: mega * uint64(c.number("max-vram"))}
	if o.vram > 0 && !o.wanted {
		return o, usage("--max-vram is of a graphics card, and none is asked for", "give --gpu or --allow-gpu with it")
	}
	return o, nil
}

// row is the row of the question. Without it the command goes on.
func (o cardOptions) row(remember bool) wanted {
	return wanted{
		want: &grantv1.Want{Kind: policyv1.Kind_KIND_GPU_USE, Remember: remember, Quota: &grantv1.Quota{Vram: o.vram}},
		covers: func(*grantv1.Row) (bool, error) {
			return o.allowed, nil
		},
		flag:     func(*grantv1.Row) string { return "--allow-gpu" },
		optional: true,
	}
}

// permitWithCard is permit with the row of a graphics card behind the others,
// where one is wanted. note is told why there is none; nobody is asked for it then.
func (c *cli) permitWithCard(ctx context.Context, cl *client.Client, verb, task string, rows []wanted, o cardOptions, remember bool, note func(string)) (got []*granted, card *granted, err error) {
	if !o.wanted {
		got, err = c.permit(ctx, cl, verb, task, rows)
		return got, nil, err
	}
	got, err = c.permit(ctx, cl, verb, task, append(rows[:len(rows):len(rows)], o.row(remember)))
	if errs.CodeOf(err) == errs.GraphicsMissing {
		note(onProcessor(errs.From(err).Detail))
		got, err = c.permit(ctx, cl, verb, task, rows)
		return got, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	return got[:len(rows)], got[len(rows)], nil
}

// onProcessor says that the processor does what the card was wanted for.
func onProcessor(why string) string {
	return "no graphics card is used: " + visible.Path(why) + "; the model runs on the processor"
}

// cardNote says what became of a card that was allowed; empty where nothing was.
func cardNote(l *modelv1.Loaded) string {
	switch {
	case l.GetCard() != "":
		return fmt.Sprintf("on the graphics card %s: %s, %s of its memory", visible.Text(l.GetCard()), count(uint64(l.GetCardLayers()), "layer"), size(l.GetVram()))
	case l.GetCardRefused() != "":
		return onProcessor(l.GetCardRefused())
	}
	return ""
}

// loadOnCard loads a model that writes before it is used by way of the index, so
// that what becomes of the card is said.
func loadOnCard(ctx context.Context, cl *client.Client, handle []byte, note func(string)) error {
	s, err := cl.Model.Load(ctx, &modelv1.LoadRequest{Grant: handle})
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		r, err := s.Recv()
		switch {
		case err == io.EOF:
			return errs.New(errs.Malformed, "cli.load").With("loading has no end")
		case err != nil:
			return err
		case r.GetLoaded() != nil:
			if n := cardNote(r.GetLoaded()); n != "" {
				note(n)
			}
			return nil
		}
	}
}
