package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// hideAll puts an empty directory that cannot be written in the place of each that
// is hidden below a mount of the new root. Where the worker may write, all that
// stands above one of them is mounted onto itself: what something is mounted on
// cannot be renamed, and by another name the next worker would see it.
func hideAll(root int, sm setupMount) error {
	pinned := map[string]bool{}
	for _, name := range sm.Hide {
		if err := hide(root, strings.TrimPrefix(string(sm.Target), "/"), string(name), sm.Write, pinned); err != nil {
			return fmt.Errorf("hide: %w", err)
		}
	}
	return nil
}

// hide does so for one. One that is not there needs no hiding.
func hide(root int, target, name string, write bool, pinned map[string]bool) error {
	parts := strings.Split(name, "/")
	for i := range parts {
		at := target + "/" + strings.Join(parts[:i+1], "/")
		fd, err := beneath(root, at, unix.O_PATH)
		switch {
		case errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.EACCES) && i == 0:
			// In a folder that nobody may search at the moment nothing can be hidden.
			return fmt.Errorf("openat2: %w", err)
		case errors.Is(err, unix.EACCES):
			// The worker has the stub's id and fewer powers. But a mode may be changed
			// later, so that what cannot be entered now is hidden as a whole.
			return hide(root, target, strings.Join(parts[:i], "/"), false, nil)
		case err != nil:
			return fmt.Errorf("openat2: %w", err)
		case i == len(parts)-1:
			err = cover(fd)
		case write && !pinned[at]:
			pinned[at] = true
			err = pin(fd)
		}
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// cover mounts an empty directory that cannot be written on one.
func cover(at int) error {
	empty, err := emptyRoot()
	if err != nil {
		return err
	}
	defer unix.Close(empty)
	if err := confine(empty, workerspec.Mount{}); err != nil {
		return err
	}
	return onto(empty, at)
}

// pin mounts a directory onto itself, with what is mounted below it.
func pin(at int) error {
	same, err := unix.OpenTree(at, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(same)
	return onto(same, at)
}

func onto(tree, at int) error {
	if err := unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}
