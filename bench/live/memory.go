package live

import (
	"bytes"
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

// Seen is what all processes of one program's name used.
type Seen struct {
	// Peak is the most memory in bytes that any of them had resident.
	Peak int64 `json:"peak_bytes"`
	// CPU is the processor time of all of them together, in seconds.
	CPU float64 `json:"cpu_seconds"`
}

// Watch looks at a process and all below it until stop is called, which returns
// what was seen by the names of the programs. What a process did after the last
// look at it is missed, and one that lives shorter than every may be.
func Watch(root int, every time.Duration) (stop func() map[string]Seen) {
	type one struct {
		pid  int
		name string
	}
	done, cpus, peaks := make(chan struct{}), map[one]float64{}, map[string]int64{}
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
				// Gone between two looks: what counts is what was seen before.
				name := filepath.Base(args[0])
				if m, err := Memory(pid, "VmHWM"); err == nil {
					peaks[name] = max(peaks[name], m)
				}
				if c, err := CPU(pid); err == nil {
					cpus[one{pid, name}] = c
				}
			}
			select {
			case <-t.C:
			case <-done:
				return
			}
		}
	})
	return func() map[string]Seen {
		close(done)
		wg.Wait()
		out := map[string]Seen{}
		for name, m := range peaks {
			out[name] = Seen{Peak: m}
		}
		for p, c := range cpus {
			s := out[p.name]
			s.CPU += c
			out[p.name] = s
		}
		return out
	}
}

// ticks is the unit of the times in /proc/PID/stat, USER_HZ (proc(5)).
const ticks = 100

// CPU is the processor time that a process has used, in seconds.
func CPU(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; fields 14 and 15 are utime
	// and stime, the state behind the name is field 3.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	var user, system int64
	_, err = fmt.Sscan(f[11]+" "+f[12], &user, &system)
	return float64(user+system) / ticks, err
}
