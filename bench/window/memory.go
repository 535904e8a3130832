package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// used is the memory of one process in bytes: PSS, and what of it is no file's.
type used struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
	PSS  int64  `json:"pss"`
	Own  int64  `json:"own"`
}

// tree is the memory of a process and all below it. One that shows its memory to
// nobody is an error, for a sum without it would be none.
func tree(root int) ([]used, error) {
	pids, err := proc.Descendants(root)
	if err != nil {
		return nil, err
	}
	var out []used
	for _, pid := range append([]int{root}, pids...) {
		u, err := memory(pid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func memory(pid int) (used, error) {
	u := used{PID: pid}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return u, err
	}
	u.Name = strings.TrimSpace(string(name))
	if args, err := proc.Cmdline(pid); err == nil && len(args) > 0 {
		u.Name = filepath.Base(args[0])
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if errors.Is(err, os.ErrPermission) && u.Name == "bailey-core" {
		// It is closed to its own user. What is resident stands for its share: of the
		// files that it maps, its program alone, others have at most its own line.
		if u.PSS, err = live.Memory(pid, "VmRSS"); err == nil {
			u.Own, err = live.Memory(pid, "RssAnon")
		}
		return u, err
	}
	if err != nil {
		return u, err
	}
	for l := range strings.Lines(string(b)) {
		field, v, ok := strings.Cut(l, ":")
		var kb int64
		if _, err := fmt.Sscan(v, &kb); !ok || err != nil {
			continue
		}
		switch field {
		case "Pss":
			u.PSS += kb << 10
			u.Own += kb << 10
		case "Pss_File":
			u.Own -= kb << 10
		}
	}
	return u, nil
}

func sum(us []used) (pss int64) {
	for _, u := range us {
		pss += u.PSS
	}
	return pss
}

// mb is what tables say: millions of bytes.
func mb(n int64) float64 { return float64(n) / 1e6 }
