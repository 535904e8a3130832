//go:build bailey_hostile

package main

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// shared takes what the kernel counts for the person, and looks at what it shows of
// the machine.
func shared() map[string]attack {
	reads := func(name string) attack {
		return func(order) func() answer { return func() answer { return read(name) } }
	}
	return map[string]attack{
		"watchers":     simple(watchers),
		"watches":      simple(manyWatches),
		"boot number":  reads("/proc/sys/kernel/random/boot_id"),
		"command line": reads("/proc/cmdline"),
		"load":         reads("/proc/stat"),
		"packets":      reads("/proc/self/net/softnet_stat"),
		"signal the core by its socket": simple(func(order) error {
			fd, err := unix.GetsockoptInt(connFD, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
			if err != nil {
				return err
			}
			return unix.PidfdSendSignal(fd, 0, nil, 0)
		}),
		"core's process with each message": simple(func(order) error {
			return unix.SetsockoptInt(connFD, unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1)
		}),
	}
}

// watchers makes a quarter of the watchers that a person has.
func watchers(order) error {
	for range 32 {
		if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); err != nil {
			return err
		}
	}
	return nil
}

// manyWatches watches more than half of what a person can on a small machine.
func manyWatches(o order) error {
	const files, watchers = 300, 15
	for w := range watchers {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return err
		}
		for f := range files {
			name := o.Data + "/watched" + strconv.Itoa(f)
			if w == 0 {
				if err := open(unix.AT_FDCWD, name, unix.O_CREAT|unix.O_WRONLY); err != nil {
					return err
				}
			}
			if _, err := unix.InotifyAddWatch(fd, name, unix.IN_MODIFY); err != nil {
				return err
			}
		}
	}
	return nil
}
