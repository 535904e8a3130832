package cgroup

import (
	"context"

	"github.com/bailey-run/bailey/internal/limits"
)

// Source looks for a group once, in the background: systemd takes its time, and
// a core is not to wait for it before it answers.
type Source struct {
	cancel context.CancelFunc
	found  chan struct{} // closed when group and err are set
	group  *Group
	err    error
}

// Begin begins the search. The Source has to be closed.
func Begin(o Options) *Source {
	return begin(func(ctx context.Context) (*Group, error) { return host().take(ctx, o) })
}

func begin(take func(context.Context) (*Group, error)) *Source {
	ctx, cancel := context.WithTimeout(context.Background(), limits.GroupFind)
	s := &Source{cancel: cancel, found: make(chan struct{})}
	go func() {
		defer close(s.found)
		defer cancel()
		s.group, s.err = take(ctx)
	}()
	return s
}

// Group waits for the end of the search and returns what was found: the error is
// errs.NotSupported, with the reason and what would mend it, or the context's.
func (s *Source) Group(ctx context.Context) (*Group, error) {
	select {
	case <-s.found:
		return s.group, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the search, and gives the group back. The workers in it have to be
// gone.
func (s *Source) Close() {
	s.cancel()
	<-s.found
	if s.group != nil {
		s.group.close()
	}
}
