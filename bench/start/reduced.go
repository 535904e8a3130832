package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
)

// reducedName is the argument that makes this program start workers where there
// are no namespaces.
const reducedName = "reduced-starts"

// reduced has a copy of this program, in a user namespace whose limit of further
// ones it sets to 0, start workers at level 2 and plain ones in turn. Root's
// workers need an id of their own, which that namespace has not.
func reduced(ctx context.Context, s live.Stage, granted string, n int, p *rows.Part) error {
	if os.Geteuid() == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(granted), "reduced-")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.Self(), reducedName, s.Dir, dir, granted, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", reducedName, err)
	}
	var took map[string][]float64
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&took); err != nil {
		return err
	}
	for name, ms := range took {
		p.Raw[name+", ms"] = ms
	}
	return nil
}

// reducedStarts writes how long each start took, in milliseconds.
func reducedStarts(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%d arguments", len(args))
	}
	s, dir, granted := live.Stage{Dir: args[0]}, args[1], args[2]
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	db := filepath.Join(dir, "plain-db")
	if err := os.Mkdir(db, 0o700); err != nil {
		return err
	}
	ctx := context.Background()
	ours, closeAll, err := supervised(ctx, s, dir, granted)
	if err != nil {
		return err
	}
	took := map[string][]float64{}
	for range n {
		for _, sys := range []system{{"level 2", ours}, {"plain there", func(ctx context.Context) (int, func(), error) {
			return plain(ctx, []string{s.Self(), plainName, granted, db})
		}}} {
			begin := time.Now()
			_, stop, err := sys.start(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", sys.name, err)
			}
			took[sys.name] = append(took[sys.name], rows.Milliseconds(time.Since(begin)))
			stop()
		}
	}
	if err := closeAll(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took)
}
