package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is a made-up machine: a directory with the files that the search reads, and
// what the kernel does beside storing what is written.
type tree struct {
	t *testing.T
	*system
	// mountRoot is the part of the hierarchy that is mounted.
	mountRoot string
	// old are the lines of version 1 in /proc/self/cgroup.
	old string
	// marked are the groups that systemd delegated.
	marked []string
	// refuse makes a write or a new directory fail.
	refuse func(op, name string) error
	asked  int
}

// newTree returns a machine whose hierarchy has these controllers, with this
// process in a group.
func newTree(t *testing.T, group, have string) *tree {
	t.Helper()
	m := &tree{t: t, mountRoot: "/", refuse: func(string, string) error { return nil }}
	m.system = &system{
		root: t.TempDir(), pid: 4711, uid: 1000,
		mkdir: m.mkdir, rmdir: m.rmdir, write: m.write,
		born:      func(*os.File) error { return nil },
		delegated: func(dir string) bool { return slices.Contains(m.marked, dir) },
		ours:      func(pid string) bool { return pid == "4712" },
		systemd:   func() bool { return exists(filepath.Join(m.root, "run/systemd/system")) },
		ask: func(context.Context, Options, int, int) (string, error) {
			m.asked++
			return "", errors.New("nobody is to be asked")
		},
	}
	m.put("proc/self/mountinfo", "22 1 0:5 / /sys rw - sysfs sysfs rw\n41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n")
	m.put("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n")
	m.put("proc/self/cgroup", "0::/\n")
	m.fill("/sys/fs/cgroup", have)
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
		if part == "" {
			continue
		}
		m.put(filepath.Join("sys/fs/cgroup", at, "cgroup.subtree_control"), have)
		at = filepath.Join(at, part)
		if err := os.Mkdir(m.at(at), 0o755); err != nil {
			t.Fatal(err)
		}
		m.fill(filepath.Join("/sys/fs/cgroup", at), have)
	}
	m.enter(at)
	return m
}

func (m *tree) at(group string) string { return filepath.Join(m.root, "sys/fs/cgroup", group) }

func (m *tree) put(name, text string) {
	m.t.Helper()
	name = filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *tree) get(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// fill makes the files of a group that has controllers.
func (m *tree) fill(dir, have string) {
	files := map[string]string{"cgroup.controllers": have, "cgroup.subtree_control": "", "cgroup.procs": "", "cgroup.kill": "", "cgroup.events": "populated 0\nfrozen 0\n"}
	for c := range strings.FieldsSeq(have) {
		switch c {
		case "memory":
			files["memory.max"], files["memory.swap.max"], files["memory.oom.group"], files["memory.events"] = "max", "max", "0", "low 0\noom 1\noom_kill 2\n"
		case "pids":
			files["pids.max"], files["pids.events"] = "max", "max 7\n"
		case "cpu":
			files["cpu.max"], files["cpu.stat"] = "max 100000", "usage_usec 1\nnr_periods 9\nnr_throttled 5\n"
		}
	}
	for f, text := range files {
		m.put(filepath.Join(dir, f), text)
	}
}

// enter puts this process into a group.
func (m *tree) enter(group string) {
	m.put("proc/self/cgroup", m.old+"0::"+group+"\n")
	m.put("proc/"+strconv.Itoa(m.pid)+"/cgroup", "0::"+group+"\n")
	m.put(filepath.Join("sys/fs/cgroup", group, "cgroup.procs"), strconv.Itoa(m.pid)+"\n")
}

func (m *tree) mkdir(name string) error {
	if err := m.refuse("mkdir", name); err != nil {
		return &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	if err := os.Mkdir(name, 0o755); err != nil {
		return err
	}
	rel, err := filepath.Rel(m.root, name)
	if err != nil {
		return err
	}
	m.fill(rel, m.get(filepath.Join(filepath.Dir(rel), "cgroup.subtree_control")))
	return nil
}

// rmdir removes a group that has no other below it.
func (m *tree) rmdir(name string) error {
	entries, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, os.DirEntry.IsDir) {
		return unix.ENOTEMPTY
	}
	if b, err := os.ReadFile(filepath.Join(name, "cgroup.procs")); err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return unix.EBUSY
	}
	return os.RemoveAll(name)
}

func (m *tree) write(name, value string) error {
	if err := m.refuse("write", name); err != nil {
		return &os.PathError{Op: "write", Path: name, Err: err}
	}
	dir, file := filepath.Split(name)
	switch file {
	case "cgroup.subtree_control":
		if c, ok := strings.CutPrefix(value, "-"); ok {
			return os.WriteFile(name, []byte(strings.ReplaceAll(m.get(strings.TrimPrefix(name, m.root)), c, "")), 0o644)
		}
		c := strings.TrimPrefix(value, "+")
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Fields(string(b)), c) {
			return unix.ENOENT
		}
		if b, err = os.ReadFile(filepath.Join(dir, "cgroup.procs")); err != nil || len(b) > 0 && filepath.Clean(dir) != m.at("/") {
			return errors.Join(unix.EBUSY, err)
		}
		old, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(strings.TrimSpace(string(old)+" "+c)), 0o644)
	case "cgroup.procs":
		rel, err := filepath.Rel(m.at("/"), filepath.Clean(dir))
		if err != nil {
			return err
		}
		// They leave the group that they were in, above it or below.
		for _, from := range []string{filepath.Dir(filepath.Clean(dir)), filepath.Join(dir, coreName)} {
			if err := os.WriteFile(filepath.Join(from, "cgroup.procs"), nil, 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if value == strconv.Itoa(m.pid) {
			m.enter("/" + rel)
		}
		return nil
	}
	if _, err := os.Stat(name); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(value), 0o644)
}

func (m *tree) take() (*Group, error) {
	return m.system.take(m.t.Context(), Options{RuntimeDir: filepath.Join(m.root, "run/user/1000")})
}

// TestTreeIsLikeTheKernel: a made-up machine that let everything through would
// prove nothing.
func TestTreeIsLikeTheKernel(t *testing.T) {
	m := newTree(t, "/a/b", "cpu memory")
	if err := m.write(m.at("/a/b/cgroup.subtree_control"), "+cpu"); !errors.Is(err, unix.EBUSY) {
		t.Errorf("controllers for the children of a group with processes: %v", err)
	}
	if err := m.write(m.at("/a/cgroup.subtree_control"), "+pids"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a controller that is not there: %v", err)
	}
	if err := m.rmdir(m.at("/a")); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("a group with groups in it was removed: %v", err)
	}
	if err := m.rmdir(m.at("/a/b")); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a group with a process was removed: %v", err)
	}
	if err := m.write(m.at("/a/none"), "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
	if err := m.mkdir(m.at("/a/c")); err != nil || m.get("sys/fs/cgroup/a/c/cgroup.controllers") != "cpu memory" {
		t.Error(fmt.Sprint(err), m.get("sys/fs/cgroup/a/c/cgroup.controllers"))
	}
}
