package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// takeDriver takes what a driver needs of the host, before its tree is out of
// reach: the system's files, the devices, and what the kernel says of these
// devices and no others.
func takeDriver(root int, spec workerspec.Spec) (trees []tree, err error) {
	if spec.Driver == nil {
		return nil, nil
	}
	add := func(fd int, target string, file bool) {
		trees = append(trees, tree{fd, strings.TrimPrefix(target, "/"), file})
	}
	for _, name := range spec.Driver.System {
		fd, file, err := takeSystem(root, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if fd >= 0 {
			add(fd, name, file)
		}
	}
	described := map[string]bool{}
	for _, d := range spec.Devices {
		var st unix.Stat_t
		if err := unix.Lstat(d, &st); err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR {
			return nil, fmt.Errorf("%s: %w", d, unix.ENODEV)
		}
		fd, err := takeTree(d, deviceAttrs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		add(fd, d, true)
		link, dir := describes(sysfs, st.Rdev)
		if dir == "" {
			continue
		}
		if err := linkDevice(root, st.Rdev, link); err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		if described[dir] {
			continue
		}
		described[dir] = true
		if fd, err = takeTree(dir, mountAttrs|unix.MOUNT_ATTR_RDONLY); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		add(fd, dir, false)
	}
	return trees, nil
}

const sysfs = "/sys"

// charDevices is where the kernel lists devices by number.
const charDevices = "/dev/char"

// describes finds what the kernel says of the card of a device: the link by which
// it is found, and the card's own directory, in which nothing of another device
// stands. Both are empty where it says nothing.
func describes(sys string, rdev uint64) (link, dir string) {
	name := fmt.Sprintf("%s%s/%d:%d", sys, charDevices, unix.Major(rdev), unix.Minor(rdev))
	link, err := os.Readlink(name)
	if err != nil {
		return "", ""
	}
	whole, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", ""
	}
	card, _, ok := strings.Cut(whole, "/drm/")
	if !ok || !within(card, sys+"/devices") || card == sys+"/devices" {
		return "", ""
	}
	return link, card
}

// linkDevice repeats the link in the new root.
func linkDevice(root int, rdev uint64, link string) error {
	dir := strings.TrimPrefix(sysfs+charDevices, "/")
	if err := mkdirs(root, dir); err != nil {
		return err
	}
	return unix.Symlinkat(link, root, fmt.Sprintf("%s/%d:%d", dir, unix.Major(rdev), unix.Minor(rdev)))
}

// driverRules adds Landlock's rules for what a driver needs: it reads the system's
// files, and reads, writes and commands the devices, which nothing else does.
func driverRules(spec workerspec.Spec, rules []landlockRule) ([]landlockRule, error) {
	if spec.Driver == nil {
		return rules, nil
	}
	add := func(name string, rights uint64) error {
		fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return &stepError{stepOpen, name, err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return &stepError{stepOpen, name, err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			rights &= fileRights
		}
		rules = append(rules, landlockRule{fd, rights})
		return nil
	}
	for _, name := range spec.Driver.System {
		if err := add(name, readRights); err != nil {
			return nil, err
		}
	}
	for _, d := range spec.Devices {
		if err := add(d, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_IOCTL_DEV); err != nil {
			return nil, err
		}
	}
	// A driver lists the devices that there are, and reads what is said of them.
	if err := add("/dev", unix.LANDLOCK_ACCESS_FS_READ_DIR); err != nil {
		return nil, err
	}
	return rules, add(sysfs, readRights)
}
