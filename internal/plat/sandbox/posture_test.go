package sandbox

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// goodPosture is what an index worker looks like.
func goodPosture(spec workerspec.Spec) Posture {
	l := func(v uint64) proc.Limit { return proc.Limit{Soft: v, Hard: v} }
	p := Posture{
		Status:     proc.Status{Seccomp: 2, Filters: 2, NoNewPrivs: true, UID: proc.IDs{7, 7, 7, 7}, GID: proc.IDs{8, 8, 8, 8}, Inner: 1},
		Namespaces: map[string]string{}, Ours: map[string]string{},
		Descriptors: []proc.Descriptor{
			{Number: 0, Target: "/dev/null"}, {Number: 1, Target: "/dev/null"}, {Number: 2, Target: "pipe:[1]"}, {Number: 3, Target: "socket:[2]"},
			{Number: 4, Target: "anon_inode:[eventpoll]"}, {Number: 5, Target: "anon_inode:[eventfd]"},
		},
		Program: "/bin/worker", ReadOnly: true,
		Code: []proc.Mapping{{Rights: "r-xp", Name: "/bin/worker"}, {Rights: "r-xp", Name: "[vdso]"}, {Rights: "--xp", Name: "[vsyscall]"}},
		Cwd:  "/",
		Root: []string{"db", "grant"},
		Mounts: []proc.Mountpoint{
			{Point: "/", Type: "tmpfs", Options: []string{"ro", "nosuid", "nodev", "noexec"}},
			{Point: "/grant", Type: "ext4", Options: []string{"ro", "nosuid", "nodev", "noexec"}},
			{Point: "/db", Type: "ext4", Options: []string{"rw", "nosuid", "nodev", "noexec"}},
		},
		Limits: map[string]proc.Limit{
			"Max open files": l(spec.Limits.OpenFiles), "Max file size": l(spec.Limits.FileSize), "Max processes": l(spec.Limits.Processes),
			"Max data size": l(spec.Limits.Data), "Max core file size": l(limits.WorkerCore), "Max stack size": l(limits.WorkerStack), "Max locked memory": l(0), "Max msgqueue size": l(0), "Max pending signals": l(limits.WorkerSignals),
			"Max realtime priority": l(0), "Max nice priority": l(0),
		},
	}
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		p.Namespaces[n], p.Ours[n] = n+":[2]", n+":[1]"
	}
	return p
}

// TestCheck: every single deviation is found.
func TestCheck(t *testing.T) {
	spec, _ := workerspec.For("index")
	if err := Check(goodPosture(spec), spec); err != nil {
		t.Fatal(err)
	}
	older := goodPosture(spec)
	older.Status.Filters, older.Inherited = -1, -1
	if err := Check(older, spec); err != nil {
		t.Errorf("a kernel that does not count filters: %v", err)
	}
	contained := goodPosture(spec)
	contained.Status.Filters, contained.Inherited = 3, 1
	if err := Check(contained, spec); err != nil {
		t.Errorf("a core with a filter of its own: %v", err)
	}
	nested := goodPosture(spec)
	nested.Mounts = append(nested.Mounts, proc.Mountpoint{Point: "/grant/inner", Options: nested.Mounts[1].Options})
	if err := Check(nested, spec); err != nil {
		t.Errorf("a mount inside the grant: %v", err)
	}
	for what, change := range map[string]func(*Posture){
		"no seccomp":           func(p *Posture) { p.Status.Seccomp = 0 },
		"strict mode":          func(p *Posture) { p.Status.Seccomp = 1 },
		"one of its own":       func(p *Posture) { p.Status.Filters, p.Inherited = 2, 1 },
		"not counted":          func(p *Posture) { p.Status.Filters = -1 },
		"one filter":           func(p *Posture) { p.Status.Filters = 1 },
		"a third filter":       func(p *Posture) { p.Status.Filters = 3 },
		"new privileges":       func(p *Posture) { p.Status.NoNewPrivs = false },
		"inheritable":          func(p *Posture) { p.Status.Inheritable = 1 },
		"permitted":            func(p *Posture) { p.Status.Permitted = 1 << 21 },
		"effective":            func(p *Posture) { p.Status.Effective = 1 },
		"bounding":             func(p *Posture) { p.Status.Bounding = 1 << 40 },
		"ambient":              func(p *Posture) { p.Status.Ambient = 1 },
		"root":                 func(p *Posture) { p.Status.UID = proc.IDs{} },
		"saved root":           func(p *Posture) { p.Status.UID[2] = 0 },
		"group root":           func(p *Posture) { p.Status.GID[3] = 0 },
		"another effective id": func(p *Posture) { p.Status.UID[1] = 9 },
		"not the first":        func(p *Posture) { p.Status.Inner = 2 },
		"user namespace":       func(p *Posture) { p.Namespaces["user"] = p.Ours["user"] },
		"mount namespace":      func(p *Posture) { p.Namespaces["mnt"] = p.Ours["mnt"] },
		"pid namespace":        func(p *Posture) { p.Namespaces["pid"] = p.Ours["pid"] },
		"net namespace":        func(p *Posture) { p.Namespaces["net"] = p.Ours["net"] },
		"ipc namespace":        func(p *Posture) { p.Namespaces["ipc"] = p.Ours["ipc"] },
		"uts namespace":        func(p *Posture) { p.Namespaces["uts"] = p.Ours["uts"] },
		"unknown namespaces":   func(p *Posture) { p.Namespaces = nil },
		"own unknown":          func(p *Posture) { p.Ours = nil },
		"working directory":    func(p *Posture) { p.Cwd = "/grant" },
		"environment":          func(p *Posture) { p.Environ = []string{"HOME=/root"} },
		"a child":              func(p *Posture) { p.Children = []int{4} },
		"a name in the root":   func(p *Posture) { p.Root = []string{"db", "etc", "grant"} },
		"a name missing":       func(p *Posture) { p.Root = p.Root[:1] },
		"writable root":        func(p *Posture) { p.Mounts[0].Options = []string{"rw"} },
		"root of a disk":       func(p *Posture) { p.Mounts[0].Type = "ext4" },
		"no root":              func(p *Posture) { p.Mounts = p.Mounts[1:] },
		"writable grant":       func(p *Posture) { p.Mounts[1].Options = []string{"rw", "nosuid", "nodev", "noexec"} },
		"set-id grant":         func(p *Posture) { p.Mounts[1].Options = []string{"ro", "nodev", "noexec"} },
		"devices in the db":    func(p *Posture) { p.Mounts[2].Options = []string{"rw", "nosuid", "noexec"} },
		"programs in the db":   func(p *Posture) { p.Mounts[2].Options = []string{"rw", "nosuid", "nodev"} },
		"no grant":             func(p *Posture) { p.Mounts = append(p.Mounts[:1], p.Mounts[2]) },
		"a mount of proc":      func(p *Posture) { p.Mounts = append(p.Mounts, proc.Mountpoint{Point: "/proc", Type: "proc"}) },
		"a similar mount":      func(p *Posture) { p.Mounts = append(p.Mounts, proc.Mountpoint{Point: "/grants"}) },
		"writable inside": func(p *Posture) {
			p.Mounts = append(p.Mounts, proc.Mountpoint{Point: "/grant/x", Options: []string{"rw"}})
		},
		"a descriptor more": func(p *Posture) {
			p.Descriptors = append(p.Descriptors, proc.Descriptor{Number: 6, Target: "/etc/passwd"})
		},
		"a directory leaked":    func(p *Posture) { p.Descriptors = append(p.Descriptors, proc.Descriptor{Number: 9, Target: "/"}) },
		"a second poller":       func(p *Posture) { p.Descriptors = append(p.Descriptors, p.Descriptors[4]) },
		"a socket for a pipe":   func(p *Posture) { p.Descriptors[2].Target = "socket:[9]" },
		"a terminal for a pipe": func(p *Posture) { p.Descriptors[2].Target = "/dev/pts/1" },
		"no connection":         func(p *Posture) { p.Descriptors = append(p.Descriptors[:3], p.Descriptors[4:]...) },
		"a program to write":    func(p *Posture) { p.ReadOnly = false },
		"no program":            func(p *Posture) { p.Program = "" },
		"no code":               func(p *Posture) { p.Code = nil },
		"code of no file":       func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp"}) },
		"another file's code":   func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: "/lib64/libc.so.6"}) },
		"code that is written":  func(p *Posture) { p.Code[0].Rights = "rwxp" },
		"code that is shared":   func(p *Posture) { p.Code[0].Rights = "r-xs" },
		"no limits":             func(p *Posture) { p.Limits = nil },
		"soft limit alone":      func(p *Posture) { p.Limits["Max open files"] = proc.Limit{Soft: spec.Limits.OpenFiles, Hard: 4096} },
		"real time":             func(p *Posture) { p.Limits["Max realtime priority"] = proc.Limit{Soft: 0, Hard: 95} },
		"less niceness":         func(p *Posture) { delete(p.Limits, "Max nice priority") },
		"core dumps": func(p *Posture) {
			p.Limits["Max core file size"] = proc.Limit{Soft: proc.Unlimited, Hard: proc.Unlimited}
		},
		"any core dumps later": func(p *Posture) { p.Limits["Max core file size"] = proc.Limit{Hard: proc.Unlimited} },
		"any stack":            func(p *Posture) { p.Limits["Max stack size"] = proc.Limit{Soft: 8 << 20, Hard: proc.Unlimited} },
		"a stack of no limit":  func(p *Posture) { delete(p.Limits, "Max stack size") },
	} {
		p := goodPosture(spec)
		change(&p)
		if err := Check(p, spec); errs.CodeOf(err) != errs.PostureFailed || err == nil {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// TestCheckWrapped: what bubblewrap cannot do is not asked for, and all else is.
func TestCheckWrapped(t *testing.T) {
	full, _ := workerspec.For("index")
	spec, err := full.Wrap()
	if err != nil {
		t.Fatal(err)
	}
	good := func() Posture {
		p := goodPosture(spec)
		p.Root = []string{"bailey-program", "bailey-stub", "db", "grant"}
		for i, m := range p.Mounts {
			p.Mounts[i].Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "noexec" })
		}
		for _, at := range []string{"/bailey-program", "/bailey-stub"} {
			p.Mounts = append(p.Mounts, proc.Mountpoint{Point: at, Type: "ext4", Options: []string{"ro", "nosuid", "nodev"}})
		}
		return p
	}
	if err := Check(good(), spec); err != nil {
		t.Fatalf("%v: %s", err, errs.From(err).Detail)
	}
	if Check(good(), full) == nil || Check(goodPosture(full), spec) == nil {
		t.Error("the one is taken for the other")
	}
	for what, change := range map[string]func(*Posture){
		"a grant that can be written": func(p *Posture) { p.Mounts[1].Options = []string{"nosuid", "nodev"} },
		"a grant with devices":        func(p *Posture) { p.Mounts[1].Options = []string{"ro", "nosuid"} },
		"a database with set-id":      func(p *Posture) { p.Mounts[2].Options = []string{"rw", "nodev"} },
		"a root that can be written":  func(p *Posture) { p.Mounts[0].Options = []string{"nosuid", "nodev"} },
		"a stub that can be written":  func(p *Posture) { p.Mounts[3].Options = []string{"nosuid", "nodev"} },
		"a mount more":                func(p *Posture) { p.Mounts = append(p.Mounts, proc.Mountpoint{Point: "/etc"}) },
		"a name more":                 func(p *Posture) { p.Root = append(p.Root, "etc") },
		"bounding capabilities":       func(p *Posture) { p.Status.Bounding = 1 },
		"a child of another's":        func(p *Posture) { p.Status.Inner = 2 },
		"the network":                 func(p *Posture) { p.Namespaces["net"] = p.Ours["net"] },
	} {
		p := good()
		change(&p)
		if err := Check(p, spec); err == nil {
			t.Errorf("%s passes", what)
		}
	}
	tool, _ := workerspec.For("tool")
	if tool, err = tool.Wrap(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		point, kind string
		want        []string
	}{
		{"/usr", "ext4", []string{"ro", "nosuid", "nodev"}},
		{"/tmp", "tmpfs", []string{"nosuid", "nodev"}},
		{"/dev/null", "devtmpfs", []string{"nosuid"}},
		{"/proc", "proc", []string{"ro", "nosuid", "nodev"}},
		{"/etc", "ext4", nil},
	} {
		if got := surroundingNeeds(proc.Mountpoint{Point: m.point, Type: m.kind}, tool); !slices.Equal(got, m.want) {
			t.Errorf("%s has to be %q", m.point, got)
		}
	}
}

// TestCheckEngine: what an engine is made of is code there, by its very names.
func TestCheckEngine(t *testing.T) {
	spec, _ := workerspec.For("engine")
	good := func() Posture {
		p := goodPosture(spec)
		p.Environ = spec.Env
		p.Mounts = p.Mounts[:1]
		names := map[string]bool{}
		for _, m := range spec.Mounts {
			p.Mounts = append(p.Mounts, proc.Mountpoint{Point: m.Target, Options: []string{"ro", "nosuid", "nodev"}})
			name := m.Target
			if !m.File {
				name += "/lib.so"
			}
			p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: name})
			names[strings.Split(m.Target, "/")[1]] = true
		}
		p.Root = slices.Sorted(maps.Keys(names))
		return p
	}
	if err := Check(good(), spec); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Posture){
		"a library that can be written": func(p *Posture) { p.Mounts[1].Options = []string{"rw", "nosuid", "nodev"} },
		"a library that is set-id":      func(p *Posture) { p.Mounts[1].Options = []string{"ro", "nodev"} },
		"a library missing":             func(p *Posture) { p.Mounts = p.Mounts[:len(p.Mounts)-1] },
		"a file beside the libraries": func(p *Posture) {
			p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: spec.Mounts[0].Target + "x"})
		},
		"a file beside the engine's": func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: "/engineering/x"}) },
		"memory that became code":    func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp"}) },
		"the heap as code":           func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: "[heap]"}) },
		"another environment":        func(p *Posture) { p.Environ = append(p.Environ, "LD_PRELOAD=/engine/x") },
		"a directory more":           func(p *Posture) { p.Root = append(p.Root, "usr") },
	} {
		p := good()
		change(&p)
		if err := Check(p, spec); errs.CodeOf(err) != errs.PostureFailed || err == nil {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// TestPostureIsClassified fails on a field that Check was not taught.
func TestPostureIsClassified(t *testing.T) {
	judged := map[string]bool{"Status": true, "Namespaces": true, "Descriptors": true, "Environ": true, "Cwd": true, "Root": true,
		"Mounts": true, "Limits": true, "Program": true, "Code": true, "Children": true, "Ours": true, "Inherited": true,
		"Named": true, "ReadOnly": true}
	typ := reflect.TypeFor[Posture]()
	for i := range typ.NumField() {
		if !judged[typ.Field(i).Name] {
			t.Errorf("Check does not know the field %s", typ.Field(i).Name)
		}
	}
}
