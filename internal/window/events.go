package window

import (
	"context"
	"sync"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// subscriber is one stream of events. What has not been read is kept as what it
// amounts to (the last settings, the last view), and the rest up to a bound.
type subscriber struct {
	wake chan struct{}

	mu     sync.Mutex
	settle bool
	view   bool
	drops  []*surfacev1.Dropped
	grants []*surfacev1.GrantChanged
}

func (s *subscriber) note(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	signal(s.wake)
}

func (s *subscriber) settings() { s.note(func() { s.settle = true }) }
func (s *subscriber) show()     { s.note(func() { s.view = true }) }

func (s *subscriber) dropped(d *surfacev1.Dropped) {
	s.note(func() { s.drops = lastOf(append(s.drops, d), limits.WindowDropped) })
}

func (s *subscriber) grant(id capability.ID, state grantv1.State) {
	g := &surfacev1.GrantChanged{Id: string(id), State: state}
	s.note(func() { s.grants = lastOf(append(s.grants, g), limits.WindowEvents) })
}

// lastOf drops the oldest beyond n.
func lastOf[T any](list []T, n int) []T { return list[max(len(list)-n, 0):] }

// take returns what waits, in the order in which it is sent, and forgets it.
func (s *subscriber) take(w *Window) []*surfacev1.EventsResponse {
	s.mu.Lock()
	settle, view, drops, grants := s.settle, s.view, s.drops, s.grants
	s.settle, s.view, s.drops, s.grants = false, false, nil, nil
	s.mu.Unlock()
	var out []*surfacev1.EventsResponse
	if settle {
		out = append(out, &surfacev1.EventsResponse{Event: &surfacev1.EventsResponse_Settings{Settings: w.pageSettings()}})
	}
	if view {
		w.mu.Lock()
		panel := w.view
		w.mu.Unlock()
		if panel != 0 {
			out = append(out, &surfacev1.EventsResponse{Event: &surfacev1.EventsResponse_Show{Show: &surfacev1.Show{Panel: panel}}})
		}
	}
	for _, d := range drops {
		out = append(out, &surfacev1.EventsResponse{Event: &surfacev1.EventsResponse_Dropped{Dropped: d}})
	}
	for _, g := range grants {
		out = append(out, &surfacev1.EventsResponse{Event: &surfacev1.EventsResponse_Grant{Grant: g}})
	}
	return out
}

// pageSettings are the settings as the page is told.
func (w *Window) pageSettings() *surfacev1.Settings {
	w.mu.Lock()
	desk := w.desk
	w.mu.Unlock()
	s := desk.Settings()
	display := "x11"
	if w.display.Wayland != "" {
		display = "wayland"
	}
	return &surfacev1.Settings{
		Scheme: s.Scheme, TextScale: s.scale(), HighContrast: s.HighContrast, ReducedMotion: s.ReducedMotion,
		Language: Language(w.display.Language), Release: w.m.cfg.Release, Display: display,
	}
}

// each calls f for every subscriber of the document.
func (d *document) each(f func(*subscriber)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.subscribers {
		f(s)
	}
}

// Events sends a page what happens around it, beginning with the settings, until
// ctx ends.
func (m *Manager) Events(ctx context.Context, send func(*surfacev1.EventsResponse) error) error {
	d, err := m.document(session.From(ctx))
	if err != nil {
		return err
	}
	s := &subscriber{wake: make(chan struct{}, 1), settle: true, view: true}
	signal(s.wake)
	d.mu.Lock()
	if d.ended || len(d.subscribers) >= limits.WindowSubscribers {
		d.mu.Unlock()
		return errs.New(errs.CoreBusy, "window.events")
	}
	d.subscribers = append(d.subscribers, s)
	d.mu.Unlock()
	defer d.unsubscribe(s)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.wake:
		}
		for _, e := range s.take(d.window) {
			if err := send(e); err != nil {
				return err
			}
		}
	}
}

func (d *document) unsubscribe(s *subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, o := range d.subscribers {
		if o == s {
			d.subscribers = append(d.subscribers[:i:i], d.subscribers[i+1:]...)
			return
		}
	}
}

// Ack notes what a page has read of a stream. One that has ended is no error: the
// two crossed.
func (m *Manager) Ack(ctx context.Context, id []byte, bytes uint32) error {
	d, err := m.document(session.From(ctx))
	if err != nil {
		return err
	}
	if s := d.stream(id); s != nil {
		return s.ack(int(bytes))
	}
	return nil
}

// CancelStream ends a stream that the page gives up.
func (m *Manager) CancelStream(ctx context.Context, id []byte) error {
	d, err := m.document(session.From(ctx))
	if err != nil {
		return err
	}
	if s := d.stream(id); s != nil {
		s.stop()
	}
	return nil
}
