package window

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
)

// rss is the memory of a window and of its page's process, in bytes.
func rss(t testing.TB, pid int) int64 {
	t.Helper()
	var sum int64
	for _, p := range tree(t, pid) {
		exe, _ := proc.Exe(p)
		if p != pid && !strings.HasPrefix(filepath.Base(exe), "WebKit") {
			continue
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			continue
		}
		for _, l := range strings.Split(string(b), "\n") {
			var kb int64
			if _, err := fmt.Sscanf(l, "VmRSS: %d kB", &kb); err == nil {
				sum += kb << 10
			}
		}
	}
	return sum
}

// TestR35Stream: pieces of 1 MB to the page, 100 a second as far as the machine
// carries them, for a minute, or some seconds in a short run: neither the window
// nor its processes of WebKit grow by 64 MB. A page that keeps what comes does
// grow by it, which is the control.
func TestR35Stream(t *testing.T) {
	const piece, most = 1 << 20, 64 << 20
	long := time.Minute
	if testing.Short() {
		long = 6 * time.Second
	}
	d := desk.Start(t, desk.Options{})
	run := func(keep bool, long time.Duration) (grown, read int64) {
		s := hostile(t, "stream.js")
		s["/page.js"] = strings.ReplaceAll(s["/page.js"], "KEEP", fmt.Sprint(keep))
		began := make(chan time.Time, 1)
		// As the core does, no more than this is on the way that the page has not
		// said to have taken in.
		const onTheWay = 256 << 10
		acked := make(chan int, 1<<16)
		h := showHost(t, d, s, hostOptions{acked: acked, stream: func(w *os.File) {
			start := time.Now()
			began <- start
			b := make([]byte, piece/16)
			tick := time.NewTicker(10 * time.Millisecond / 16)
			defer tick.Stop()
			for out := 0; time.Since(start) < long; {
				for out > onTheWay-len(b) {
					out -= <-acked
				}
				<-tick.C
				if _, err := w.Write(b); err != nil {
					return
				}
				out += len(b)
			}
		}})
		defer h.end()
		var start time.Time
		select {
		case start = <-began:
		case <-time.After(wait):
			t.Fatal("the page does not ask for the stream")
		}
		// What a page needs to read at all is there with its first pieces.
		h.report("read-20")
		before := rss(t, h.proc.PID())
		for time.Since(start) < long {
			grown = max(grown, rss(t, h.proc.PID())-before)
			<-time.After(50 * time.Millisecond)
		}
		grown = max(grown, rss(t, h.proc.PID())-before)
		if _, err := fmt.Sscan(h.report("done"), &read); err != nil {
			t.Fatal(err)
		}
		t.Logf("keep %v: %d MB in %v, grown by %d MB", keep, read>>20, time.Since(start).Round(time.Second), grown>>20)
		return grown, read
	}
	// The first pieces are there before anything is measured.
	if grown, read := run(true, 6*time.Second); grown < (read-20*piece)/2 {
		t.Errorf("a page that keeps %d MB grows by %d MB only: nothing is measured", read>>20, grown>>20)
	}
	if grown, _ := run(false, long); grown > most {
		t.Errorf("it grew by %d MB", grown>>20)
	}
}
