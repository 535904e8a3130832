package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/bailey-run/bailey/test/vm"
)

const (
	// memory of a guest, MiB: the archive twice, while it is unpacked, and as much
	// again for workers that are given more than they may have.
	memory = "1536"
	// whole bounds one guest, from its start to its end.
	whole = 2 * time.Hour
	// tries is how often a guest whose kernel gives up is started: an emulated
	// processor has its moods.
	tries = 3
)

// machine is a guest without a disk, a network or a screen. Of "max" is taken away
// what Debian's 6.12 does not bear under the emulator (cx16), and what makes each
// miss of a page longer (la57). Two processors took twice the time of one for the
// same work, so that two guests with one each do more. Mitigations are of no use in
// what is no real processor. What its own counter counts is found out when it
// starts, and on a busy machine a guest once took five seconds for one.
func machine(k kernel, image string) []string {
	return []string{
		"-accel", "tcg", "-cpu", "max,-cx16,-la57", "-smp", "1", "-m", memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", k.Image, "-initrd", image,
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 oops=panic random.trust_cpu=on mitigations=off clocksource=hpet",
	}
}

// boot runs a guest, again when its kernel panicked, and reads what it said.
func boot(ctx context.Context, k kernel, image, console string, say io.Writer) (vm.Report, error) {
	for n := 1; ; n++ {
		rep, err := once(ctx, k, image, console)
		if err != nil || rep.Panic == "" {
			return rep, err
		}
		fmt.Fprintf(say, "vm-test: %s: try %d of %d: %s\n", k.Series, n, tries, rep.Panic)
		if n == tries {
			return rep, errors.New("the guest's kernel panics")
		}
	}
}

func once(ctx context.Context, k kernel, image, console string) (rep vm.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	f, err := os.Create(console)
	if err != nil {
		return rep, err
	}
	defer f.Close()
	c := exec.CommandContext(ctx, emulator, machine(k, image)...)
	c.Stdout, c.Stderr = f, os.Stderr
	ended := c.Run()
	if ctx.Err() != nil {
		ended = fmt.Errorf("%v are over: %w", whole, ctx.Err())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return rep, err
	}
	rep, err = vm.Read(f)
	return rep, errors.Join(ended, err)
}
