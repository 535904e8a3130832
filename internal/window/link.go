package window

import (
	"bufio"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// link is the way to one host.
type link struct {
	host *Host
	in   *bufio.Reader
	out  writer
	// end gets why reading ended, once.
	end chan error
	// blank is set by the reader when the host has shown nothing.
	blank bool
	// all are the reader and the calls on this host.
	all sync.WaitGroup
	// reread starts another reader.
	reread func()

	mu sync.Mutex
	// quick are the methods whose last call was.
	quick map[uint32]bool
	// The reader makes calls of quick methods itself: lent says that it is at one,
	// and loan which.
	lent bool
	loan uint64
	// One timer serves all that must not take too long, as long as there are
	// calls and writes, which uses counts: to set one for each would wake the
	// runtime's poller each time. seenLoan and seenUses are from the last look.
	uses               uint64
	tick               *time.Timer
	ticking            bool
	seenLoan, seenUses uint64
	over               bool
}

func (w *Window) newLink(h *Host) *link {
	l := &link{host: h, in: bufio.NewReaderSize(h.Conn, limits.WindowReadBuffer), end: make(chan error, 1), quick: map[uint32]bool{}}
	l.out = writer{conn: h.Conn, watch: l.watch}
	l.reread = func() { l.all.Go(func() { w.read(l) }) }
	l.tick = time.AfterFunc(limits.WindowStart, l.onTick)
	l.tick.Stop()
	return l
}

// lend is called when the reader is about to make a call. It returns the number
// of the loan, or 0 when another has to read meanwhile, because the method was
// slow the last time, or was never called.
func (l *link) lend(method uint32) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.quick[method] {
		return 0
	}
	l.loan++
	l.lent = true
	l.uses++
	l.start()
	return l.loan
}

// takeBack ends a loan and notes how long the method took; false if another
// reads by now.
func (l *link) takeBack(method uint32, loan uint64, took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quick[method] = took < limits.WindowQuick
	if loan == 0 || !l.lent || l.loan != loan {
		return false
	}
	l.lent = false
	return true
}

// watch sees to it that the timer runs.
func (l *link) watch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses++
	l.start()
}

// start is watch for who holds the lock.
func (l *link) start() {
	if !l.ticking && !l.over {
		l.ticking, l.seenUses, l.seenLoan = true, l.uses, l.loan
		l.tick.Reset(limits.IPCTick)
	}
}

// onTick has another read where the reader is at the same call since the last
// tick, and ends a host that does not take what is written to it.
func (l *link) onTick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticking = false
	if l.over {
		return
	}
	if l.lent && l.seenLoan == l.loan {
		l.lent = false
		l.reread()
	}
	if writing := l.out.check(); writing || l.lent || l.seenUses != l.uses {
		l.start()
	}
}

// stop ends the timer.
func (l *link) stop() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.tick.Stop()
}
