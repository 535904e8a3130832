package live

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
)

// Memory reads a field of /proc/PID/status in bytes: VmHWM is the most that was
// ever resident since the program was executed, VmRSS what is now. Not
// getrusage: what that counts begins before exec, with the memory of the
// process that started this one.
func Memory(pid int, field string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, field+":"); ok {
			var kb int64
			_, err := fmt.Sscan(v, &kb)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/%d/status", field, pid)
}

// Peaks watches VmHWM of a process and all below it, by the names of their
// programs, until stop is called, which returns the most that any process of
// each name had. A process that lives shorter than every may be missed.
func Peaks(root int, every time.Duration) (stop func() map[string]int64) {
	done, out := make(chan struct{}), map[string]int64{}
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			pids, _ := proc.Descendants(root)
			for _, pid := range append(pids, root) {
				args, err := proc.Cmdline(pid)
				if err != nil || len(args) == 0 {
					continue
				}
				// Gone between the two looks: its last peak is the one before.
				if m, err := Memory(pid, "VmHWM"); err == nil {
					name := filepath.Base(args[0])
					out[name] = max(out[name], m)
				}
			}
			select {
			case <-t.C:
			case <-done:
				return
			}
		}
	})
	return func() map[string]int64 { close(done); wg.Wait(); return out }
}
