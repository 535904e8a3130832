package main

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
)

// streams are the pipes between a program in a sandbox and this command's own
// streams. The program never holds those themselves: a terminal could be typed
// into, and a file be reached by its place.
type streams struct {
	// theirs are the program's ends of its standard input, output and error, ours
	// the other ones.
	theirs, ours [3]*os.File

	in       io.Reader
	out, err *carried
	carrying sync.WaitGroup

	// own is where Bailey's own words follow those of the program, and to is what
	// leads there.
	own *place
	to  io.Writer
}

func newStreams(c *cli) (*streams, error) {
	s := &streams{in: c.in}
	for i := range s.theirs {
		r, w, err := os.Pipe()
		if err != nil {
			s.close()
			return nil, errs.Wrap(errs.Internal, "cli.pipe", err)
		}
		s.theirs[i], s.ours[i] = r, w
		if i > 0 {
			s.theirs[i], s.ours[i] = w, r
		}
		// A program expects pipes that block; Fd makes it so.
		_ = s.theirs[i].Fd()
	}
	onErr, onOut := &place{}, &place{}
	if c.screen.together {
		onOut = onErr
	}
	s.err = &carried{to: c.errOut, at: onErr, seen: tty.Is(c.screen.errFile)}
	s.to = c.errOut
	if c.json {
		s.out = &carried{to: c.errOut, at: onErr, seen: s.err.seen}
		s.own = onOut
	} else {
		s.out = &carried{to: c.out, flush: c.out.Flush, at: onOut, seen: c.screen.columns > 0}
		s.own = onErr
	}
	return s, nil
}

func (s *streams) closeTheirs() {
	for _, f := range s.theirs {
		if f != nil {
			f.Close()
		}
	}
}

func (s *streams) close() {
	s.closeTheirs()
	for _, f := range s.ours {
		if f != nil {
			f.Close()
		}
	}
}

// carry begins to carry, once what differs has been said.
func (s *streams) carry(fail context.CancelCauseFunc) {
	// Nobody waits for this one: it may stand in a read of the terminal when the
	// program is long gone.
	go func() {
		_, _ = io.Copy(s.ours[0], s.in)
		s.ours[0].Close()
	}()
	for i, to := range []*carried{s.out, s.err} {
		s.carrying.Go(func() {
			_, err := io.Copy(onlyWriter{to}, s.ours[i+1])
			if err == nil {
				err = to.end() // and nothing where drain gave up, or after a write that failed
			}
			if err != nil {
				fail(outputError(err))
			}
		})
	}
}

// onlyWriter keeps io.Copy from other ways than Write.
type onlyWriter struct{ io.Writer }

// drain waits for the rest of what the program wrote: it is gone, so the pipes end.
// What Bailey says next begins a line.
func (s *streams) drain(ctx context.Context) {
	defer s.endLine()
	done := make(chan struct{})
	go func() {
		s.carrying.Wait()
		close(done)
	}()
	if ctx.Err() == nil {
		<-done
		return
	}
	t := time.NewTimer(limits.ProgramDrain)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// endLine ends a line that the program left unfinished where Bailey's own is to
// follow.
func (s *streams) endLine() {
	if !s.own.lock.TryLock() {
		return // by a write to a pipe that nobody reads, which drain gave up
	}
	defer s.own.lock.Unlock()
	if s.own.mid {
		_, _ = io.WriteString(s.to, "\n")
		s.own.mid = false
	}
}

// place is where streams lead: a terminal, a file or a pipe. Two streams may lead
// to one.
type place struct {
	lock sync.Mutex
	// mid says that something stands on its last line.
	mid bool
}

// carried passes bytes on as they are, and makes what could act visible where a
// person sees them.
type carried struct {
	to    io.Writer
	flush func() error
	seen  bool

	at *place
	// held is the beginning of a character whose rest has not come, or a return
	// whose line may end next.
	held []byte
}

func (w *carried) Write(b []byte) (int, error) {
	w.at.lock.Lock()
	defer w.at.lock.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	out := b
	if w.seen {
		whole := append(w.held, b...)
		n := len(whole) - unfinished(whole)
		w.held = append([]byte(nil), whole[n:]...)
		out = []byte(shown(string(whole[:n])))
	}
	if err := w.pass(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// end shows what was held when nothing comes any more.
func (w *carried) end() error {
	w.at.lock.Lock()
	defer w.at.lock.Unlock()
	out := []byte(shown(string(w.held)))
	w.held = nil
	return w.pass(out)
}

func (w *carried) pass(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	w.at.mid = out[len(out)-1] != '\n'
	if _, err := w.to.Write(out); err != nil {
		return err
	}
	if w.flush != nil {
		return w.flush()
	}
	return nil
}

// shown makes text of somebody else's fit for a terminal: lines and tabs stay.
func shown(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, cell := range strings.Split(line, "\t") {
			if j > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(visible.Path(cell))
		}
	}
	return b.String()
}

// unfinished is how many bytes at the end begin a character, or the end of a line,
// and do not end it.
func unfinished(b []byte) int {
	if len(b) > 0 && b[len(b)-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
