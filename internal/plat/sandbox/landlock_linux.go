package sandbox

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// Rights of Landlock by what they are for; include/uapi/linux/landlock.h.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeRights = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_REFER
	// fileRights are those that a rule for a file may give.
	fileRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	runRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
)

// Sizes of struct landlock_ruleset_attr as it grew: a kernel refuses fields
// that it does not know.
const (
	rulesetSizeFiles = 8
	rulesetSizeNet   = 16
	rulesetSizeScope = 24
)

// handled returns what a ruleset of an ABI takes away, and the size of the
// structure that says it. Everything that the ABI can restrict is restricted.
func handled(abi int) (unix.LandlockRulesetAttr, uintptr) {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM}
	size := uintptr(rulesetSizeFiles)
	if abi >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = rulesetSizeNet
	}
	if abi >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = rulesetSizeScope
	}
	if abi >= 9 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	if abi >= 10 {
		a.Handled_access_net |= unix.LANDLOCK_ACCESS_NET_BIND_UDP | unix.LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP
	}
	return a, size
}

// landlockRule gives rights below one open object back.
type landlockRule struct {
	fd     int
	rights uint64
}

// networkOf is what Landlock leaves a kind of networks. The one that a worker has
// is for connecting; on UDP's own rights that depends in ways that Linux has not
// settled. A window's, in a test build, listens on its own loopback.
func networkOf(spec workerspec.Spec) uint64 {
	switch {
	case !slices.Contains(spec.Sockets, "AF_INET"):
		return 0
	case spec.Class == workerspec.Host:
		return ^uint64(0)
	}
	return ^uint64(unix.LANDLOCK_ACCESS_NET_BIND_TCP)
}

// restrict restricts the calling thread to rules, with the best ABI that the
// kernel has; without files it takes only networks, abstract sockets and signals
// away, and leaves files and mounts alone. network is what is left of networks.
// no_new_privs must be set.
func restrict(rules []landlockRule, files bool, network uint64) error {
	abi, err := landlockABI()
	if err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	attr, size := handled(abi)
	attr.Handled_access_net &^= network
	if !files {
		attr.Handled_access_fs = 0
		if attr.Handled_access_net|attr.Scoped == 0 {
			return nil // nothing that this kernel could take away
		}
	}
	set, err := landlockCreate(&attr, size)
	if err != nil {
		return fmt.Errorf("landlock_create_ruleset: %w", err)
	}
	defer unix.Close(set)
	for _, r := range rules {
		if r.rights&attr.Handled_access_fs == 0 {
			continue // what this kernel does not take away needs no giving back
		}
		if err := landlockAllow(set, r.fd, r.rights&attr.Handled_access_fs); err != nil {
			return fmt.Errorf("landlock_add_rule: %w", err)
		}
	}
	if err := landlockRestrict(set); err != nil {
		return fmt.Errorf("landlock_restrict_self: %w", err)
	}
	return nil
}
