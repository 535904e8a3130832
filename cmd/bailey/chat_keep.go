package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// keep brings the store up to what was said. A chat goes on whatever comes of
// that; what could not be kept is said, and tried again with the next turn.
func (t *talk) keep(ctx context.Context) {
	if t.o.private || t.unkept || t.continues || t.cl == nil || !t.spoken() {
		return
	}
	// Also after Ctrl-C.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.ChatKept)
	defer cancel()
	for range 2 {
		err := t.push(ctx)
		switch errs.CodeOf(err) {
		case errs.StoreConflict:
			t.note("the conversation goes on elsewhere; from here on it is kept as another one")
			t.id, t.saved = "", 0
			continue
		case errs.StoreDamaged:
			t.note(said(err))
			t.id, t.saved = "", 0
			continue
		case errs.NotFound:
			t.note("the conversation was erased, so nothing of it is kept any more; /new begins another one")
			t.unkept = true
			return
		case errs.TooLarge:
			t.note(said(err) + "; nothing more of it is kept")
			t.unkept = true
			return
		case errs.WorkerCrashed, errs.WorkerHung:
			// The core starts it again.
			continue
		}
		if err != nil {
			t.lose(err)
			t.note("not kept for now: " + said(err))
		}
		return
	}
	t.note("not kept for now: the store does not answer")
}

// said is an error in a sentence without its end.
func said(err error) string { return visible.Path(errs.From(err).Message()) }

// spoken reports whether a person has said anything.
func (t *talk) spoken() bool {
	for _, turn := range t.turns {
		if turn.GetSpeaker() == storev1.Speaker_SPEAKER_USER {
			return true
		}
	}
	return false
}

// turnsSaid counts the turns, without what the model was told before them.
func (t *talk) turnsSaid() (n uint64) {
	for _, turn := range t.turns {
		if turn.GetSpeaker() != storev1.Speaker_SPEAKER_SYSTEM {
			n++
		}
	}
	return n
}

func (t *talk) push(ctx context.Context) error {
	if t.id == "" {
		r, err := t.cl.Store.Begin(ctx, &storev1.BeginRequest{Model: t.model.GetName()})
		if err != nil {
			return err
		}
		t.id = r.GetId()
	}
	for t.saved < len(t.turns) {
		if _, err := t.cl.Store.Append(ctx, &storev1.AppendRequest{Id: t.id, Turn: t.turns[t.saved]}); err != nil {
			return err
		}
		t.saved++
	}
	return nil
}

// keepPart keeps an answer that is still being written. What fails here is tried
// again, and told, when it is done.
func (t *talk) keepPart(ctx context.Context, turn *storev1.Turn) {
	if t.o.private || t.unkept || t.continues || t.id == "" || t.saved != len(t.turns) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limits.ChatKeep)
	defer cancel()
	_, _ = t.cl.Store.Append(ctx, &storev1.AppendRequest{Id: t.id, Turn: proto.CloneOf(turn)})
}

// cut takes the turns from a number on back, here and in the store.
func (t *talk) cut(ctx context.Context, from int) {
	t.turns = t.turns[:from-1]
	if t.saved < from {
		return
	}
	t.saved = from - 1
	if t.id == "" || t.o.private {
		return
	}
	err := t.reach(ctx)
	if err == nil {
		_, err = t.cl.Store.Cut(ctx, &storev1.CutRequest{Id: t.id, From: uint32(from)})
	}
	if err != nil {
		// What is kept and what is here part ways.
		t.note("the kept conversation could not be changed (" + said(err) + "); from here on it is kept as another one")
		t.id, t.saved = "", 0
	}
}

// refusal reports whether an error says that the question will not be answered as
// it is, however often it is asked.
func refusal(err error) bool {
	switch errs.CodeOf(err) {
	case errs.ContextOverflow, errs.SchemaRefused, errs.SchemaStuck, errs.TemplateRefused, errs.ModelRole, errs.ModelTooLarge, errs.ModelRefused, errs.ModelQuarantine,
		errs.ModelChanged, errs.ModelMissing, errs.ModelInUse, errs.EngineMissing, errs.TooLarge, errs.Usage:
		return true
	}
	return false
}

// takeBack takes a question that was refused out of what is kept; a conversation
// that it began is none. One that met a crash stays, and is asked again.
func (t *talk) takeBack(ctx context.Context) {
	if t.id == "" || t.o.private || t.unkept || t.cl == nil {
		return
	}
	if last := len(t.turns); slices.ContainsFunc(t.turns, func(n *storev1.Turn) bool { return n.GetSpeaker() == storev1.Speaker_SPEAKER_ASSISTANT }) {
		t.cut(ctx, last)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.ChatKept)
	defer cancel()
	if _, err := t.cl.Store.Erase(ctx, &storev1.EraseRequest{Id: t.id}); err != nil {
		t.note("the question stays in what is kept: " + said(err))
	}
	t.id, t.saved = "", 0
}

// forget begins another conversation; the one so far stays in the store.
func (t *talk) forget() {
	t.turns, t.id, t.saved, t.tries = nil, "", 0, 0
	t.unkept = false
	if t.o.system != "" {
		t.add(storev1.Speaker_SPEAKER_SYSTEM, t.o.system)
	}
}

// resume reads the conversation to go on with.
func (t *talk) resume(ctx context.Context) error {
	id := t.o.id
	if id != "" {
		var err error
		if id, err = t.whole(ctx, id); err != nil {
			return err
		}
	}
	s, err := t.cl.Store.Read(ctx, &storev1.ReadRequest{Id: id})
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		r, err := s.Recv()
		if err == io.EOF {
			t.saved = len(t.turns)
			return nil
		}
		if errs.CodeOf(err) == errs.NotFound {
			return errs.Wrap(errs.NotFound, "cli.chat", err).With("there is no conversation yet").WithHint("begin one: bailey chat")
		}
		if err != nil {
			return err
		}
		if int(r.GetTurn().GetNumber()) != len(t.turns)+1 || len(t.turns) >= limits.StoreTurns {
			return errs.New(errs.Malformed, "cli.chat").With("the conversation has a gap")
		}
		t.id = r.GetId()
		t.turns = append(t.turns, r.GetTurn())
	}
}

// whole returns the id that begins so.
func (t *talk) whole(ctx context.Context, begin string) (string, error) {
	all, err := conversations(ctx, t.cl, 0)
	if err != nil {
		return "", err
	}
	return wholeID(all, begin)
}

func wholeID(all []*storev1.Conversation, begin string) (string, error) {
	var found []string
	for _, c := range all {
		if strings.HasPrefix(c.GetId(), begin) {
			found = append(found, c.GetId())
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", noConversation(begin)
	}
	return "", usage("more than one conversation has an id that begins with "+visible.Name(begin), "type more of it")
}

func noConversation(id string) error {
	return errs.New(errs.NotFound, "cli.chat").With("no conversation has the id " + visible.Name(visible.Middle(id, limits.PromptName))).WithHint("`bailey chat --list` shows them")
}

// lastModel is who answered last.
func lastModel(turns []*storev1.Turn) string {
	for i := len(turns) - 1; i >= 0; i-- {
		if m := turns[i].GetModel(); m != "" {
			return m
		}
	}
	return ""
}
