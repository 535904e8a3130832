package cores

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func usable() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return runtime.NumCPU()
	}
	n := physical("/sys/devices/system/cpu", set.IsSet, set.Count())
	if q, ok := quota("/sys/fs/cgroup", read("/proc/self/cgroup")); ok {
		n = min(n, q)
	}
	return n
}

// physical counts the cores that the allowed processors belong to: processors
// of one core name the same siblings.
func physical(dir string, allowed func(int) bool, count int) int {
	cores := map[string]bool{}
	for cpu, seen := 0, 0; seen < count && cpu < len(unix.CPUSet{})*strconv.IntSize; cpu++ {
		if !allowed(cpu) {
			continue
		}
		seen++
		siblings := read(filepath.Join(dir, fmt.Sprintf("cpu%d", cpu), "topology", "thread_siblings_list"))
		if siblings == "" {
			siblings = fmt.Sprint(cpu)
		}
		cores[siblings] = true
	}
	return len(cores)
}

// quota is the smallest of the whole processors that the control groups from
// the process's own up to the root give.
func quota(root, groups string) (int, bool) {
	group := ""
	for line := range strings.Lines(groups) {
		if g, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			group = g
		}
	}
	least, found := 0, false
	for g := filepath.Clean("/" + group); ; g = filepath.Dir(g) {
		most, period, ok := strings.Cut(read(filepath.Join(root, g, "cpu.max")), " ")
		m, err := strconv.Atoi(most)
		p, err2 := strconv.Atoi(period)
		if ok && err == nil && err2 == nil && p > 0 {
			n := max(1, m/p)
			if !found || n < least {
				least, found = n, true
			}
		}
		if g == "/" {
			return least, found
		}
	}
}

func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
