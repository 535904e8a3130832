package workerspec

import (
	"reflect"
	"slices"
	"testing"
)

// reduced are the kinds that bear level 2, as they are there.
func reduced(t *testing.T) []Spec {
	t.Helper()
	var all []Spec
	for _, s := range All() {
		if r, err := s.Reduce(); err == nil {
			all = append(all, r)
		}
	}
	return all
}

// TestWhoBearsLevel2: what executes, has a network or a device, or draws does not.
func TestWhoBearsLevel2(t *testing.T) {
	bears := func(kind string) bool {
		return slices.ContainsFunc(reduced(t), func(s Spec) bool { return s.Kind == kind })
	}
	for _, kind := range []string{"index", "store", "inspect", "engine", "pdf"} {
		if !bears(kind) {
			t.Errorf("%s does not", kind)
		}
	}
	for _, s := range append(All(), Hosts()...) {
		_, err := s.Reduce()
		if s.Class != Plain && s.Class != JIT && s.Class != Engine && err == nil {
			t.Errorf("%s is %s", s.Kind, s.Class)
		}
		if len(s.Devices)+len(s.Sockets) > 0 && err == nil {
			t.Errorf("%s has devices or sockets", s.Kind)
		}
		s.FullOnly = true
		if _, err := s.Reduce(); err == nil {
			t.Errorf("%s demands level 1, and is given another", s.Kind)
		}
	}
	two, _ := For("index")
	two.Mounts = append(two.Mounts, Mount{Target: "/other"})
	if _, err := two.Reduce(); err == nil {
		t.Error("two folders of a person's")
	}
}

// opens reports whether a rule for openat or open takes some flags.
func opens(c Syscall, flags uint64) bool {
	arg := map[string]int{"openat": 2, "open": 1}[c.Name]
	return len(c.Any) == 0 || slices.ContainsFunc(c.Any, func(alt []Cond) bool {
		return !slices.ContainsFunc(alt, func(cond Cond) bool { return cond.Arg == arg && cond.Op == NoBits && flags&cond.Value != 0 })
	})
}

// TestLevel2 holds what every spec of level 2 must be, against the spec that it was
// made of.
func TestLevel2(t *testing.T) {
	for _, r := range reduced(t) {
		full, _ := For(r.Kind)
		if r.Level() != ReducedLevel || full.Level() != FullLevel || !r.Reduced || full.Reduced {
			t.Errorf("%s: %s", r.Kind, r.Level())
		}
		for _, l := range Layers() {
			if r.Requires(l) == slices.Contains(namespaces(), l) || !full.Requires(l) {
				t.Errorf("%s: %s", r.Kind, l)
			}
		}
		for _, c := range r.Syscalls {
			if slices.Contains([]string{"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",
				"inotify_add_watch", "chdir", "fchdir", "getxattr", "listxattr", "statfs", "name_to_handle_at", "truncate", "utimensat"}, c.Name) {
				t.Errorf("%s may call %s", r.Kind, c.Name)
			}
			if c.Name != "openat" && c.Name != "open" {
				continue
			}
			const readOnly, writeOnly, readWrite, nothing, create = 0, 1, 2, 3, 0x40
			for flags, may := range map[uint64]bool{readOnly: true, writeOnly | create: true, readWrite | create: true, nothing: false, oPath: false, oPath | readWrite: false, oPath | nothing: false} {
				if opens(c, flags) != may {
					t.Errorf("%s: %s with flags %#x", r.Kind, c.Name, flags)
				}
			}
		}
		if len(r.Syscalls) > len(full.Syscalls) {
			t.Errorf("%s may call more at level 2", r.Kind)
		}
		for _, p := range r.Probes {
			if slices.Contains(p.Errnos, "ENOENT") && len(p.Errnos) == 1 {
				t.Errorf("%s: %s is held by a file's absence", r.Kind, p.Name)
			}
		}
		if (r.Grant() >= 0) != slices.ContainsFunc(r.Descriptors, func(d Descriptor) bool { return d.Number == GrantFD }) {
			t.Errorf("%s: its folder is no descriptor", r.Kind)
		}
		if again, err := r.Reduce(); err != nil || len(again.Probes) != len(r.Probes) || len(again.Descriptors) != len(r.Descriptors) {
			t.Errorf("%s reduced twice is another", r.Kind)
		}
		// What was made of it is not shared with it.
		r.Syscalls[0].Name, r.Required[0], r.Descriptors[0].For = "changed", "changed", "changed"
		if other, _ := For(r.Kind); other.Syscalls[0].Name == "changed" || other.Required[0] == "changed" || other.Descriptors[0].For == "changed" {
			t.Errorf("%s is shared", r.Kind)
		}
	}
}

// TestWhoBubblewrapStarts: all but what draws and what has a card, with every layer
// that they have anyway, and nothing else changed.
func TestWhoBubblewrapStarts(t *testing.T) {
	for _, s := range append(All(), Hosts()...) {
		w, err := s.Wrap()
		if refuses := s.Class == Host || s.Driver != nil; refuses != (err != nil) {
			t.Errorf("%s: %v", s.Kind, err)
		}
		if err != nil {
			continue
		}
		if w.Level() != WrappedLevel || s.Level() != FullLevel {
			t.Errorf("%s: levels %s and %s", s.Kind, w.Level(), s.Level())
		}
		if w.Wrapped = false; !reflect.DeepEqual(w, s) {
			t.Errorf("%s is another one", s.Kind)
		}
	}
	for _, s := range reduced(t) {
		if _, err := s.Wrap(); err == nil {
			t.Errorf("%s is at two levels", s.Kind)
		}
	}
}
