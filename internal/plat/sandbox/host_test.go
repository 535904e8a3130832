package sandbox

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// goodHost is what a host that is as it should be looks like.
func goodHost(spec workerspec.Spec) (Posture, Given) {
	u := spec.Surroundings
	given := Given{Env: []string{"LANG=C.UTF-8", "GDK_BACKEND=x11"}, Places: []Place{{Target: workerspec.X11Target + "5"}}}
	if u.Proxy {
		given = Given{Places: []Place{{Target: workerspec.AccessibilityTarget}, {Target: workerspec.SocketsTarget, Sockets: true}}}
	}
	limit := func(v uint64) proc.Limit { return proc.Limit{Soft: v, Hard: v} }
	l := spec.Limits
	p := Posture{
		Status:      proc.Status{UID: proc.IDs{7, 7, 7, 7}, GID: proc.IDs{7, 7, 7, 7}, NoNewPrivs: true, Seccomp: 2, Filters: 1, Inner: 1},
		Namespaces:  map[string]string{},
		Ours:        map[string]string{},
		Environ:     slices.Concat(spec.Env, given.Env),
		Cwd:         "/",
		Root:        []string{"lib", "run", "usr"},
		Descriptors: []proc.Descriptor{{Number: 0, Target: "/dev/null"}, {Number: 1, Target: "/dev/null"}, {Number: 2, Target: spec.Descriptors[2].Type}, {Number: 3, Target: "socket:[2]"}},
		Mounts: []proc.Mountpoint{
			{Point: "/", Type: "tmpfs", Options: []string{"ro", "nosuid", "nodev", "noexec"}},
			{Point: u.System[0], Type: "ext4", Options: []string{"ro", "nosuid", "nodev"}},
			{Point: u.System[0] + "/local", Type: "ext4", Options: []string{"ro", "nosuid", "nodev"}},
		},
		Limits: map[string]proc.Limit{"Max open files": limit(l.OpenFiles), "Max file size": limit(l.FileSize), "Max processes": limit(l.Processes),
			"Max data size": limit(l.Data), "Max core file size": limit(limits.WorkerCore), "Max stack size": limit(4 << 20), "Max locked memory": limit(0), "Max msgqueue size": limit(0), "Max pending signals": limit(limits.WorkerSignals),
			"Max realtime priority": limit(0), "Max nice priority": limit(0)},
		Program: "/opt/bailey-window", ReadOnly: true,
		Code: []proc.Mapping{{Rights: "r-xp", Name: "/opt/bailey-window"}, {Rights: "r-xp", Name: "/usr/lib/libgtk-4.so.1"}, {Rights: "r-xp", Name: "[vdso]"}},
	}
	for _, t := range u.Scratch {
		p.Mounts = append(p.Mounts, proc.Mountpoint{Point: t.Path, Type: "tmpfs", Options: []string{"rw", "nosuid", "nodev", "noexec"}})
		name, _, _ := strings.Cut(strings.TrimPrefix(t.Path, "/"), "/")
		p.Root = append(p.Root, name)
	}
	for _, d := range spec.Devices {
		p.Mounts = append(p.Mounts, proc.Mountpoint{Point: d, Type: "tmpfs", Options: []string{"ro", "nosuid", "noexec"}})
	}
	for _, g := range given.Places {
		m := proc.Mountpoint{Point: g.Target, Type: "ext4", Options: []string{"ro", "nosuid", "nodev", "noexec"}}
		if g.Sockets {
			m.Options[0] = "rw"
		}
		p.Mounts = append(p.Mounts, m)
	}
	if spec.Requires(workerspec.SeccompStrict) {
		p.Status.Filters = 2
	}
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		p.Namespaces[n], p.Ours[n] = n+":[1]", n+":[2]"
	}
	return p, given
}

// TestCheckHost: every deviation alone is seen.
func TestCheckHost(t *testing.T) {
	for _, spec := range workerspec.Hosts() {
		p, given := goodHost(spec)
		if err := CheckHost(p, spec, given); err != nil {
			t.Errorf("%s: %v", spec.Kind, err)
		}
		mount := func(m proc.Mountpoint) func(*Posture) { return func(p *Posture) { p.Mounts = append(p.Mounts, m) } }
		u := spec.Surroundings
		option := func(point, without string) func(*Posture) {
			return func(p *Posture) {
				i := slices.IndexFunc(p.Mounts, func(m proc.Mountpoint) bool { return m.Point == point })
				p.Mounts[i].Options = slices.DeleteFunc(slices.Clone(p.Mounts[i].Options), func(o string) bool { return o == without })
			}
		}
		bad := map[string]func(*Posture){
			"no filter":            func(p *Posture) { p.Status.Seccomp = 0 },
			"a filter too few":     func(p *Posture) { p.Status.Filters-- },
			"a filter too many":    func(p *Posture) { p.Status.Filters++ },
			"new privileges":       func(p *Posture) { p.Status.NoNewPrivs = false },
			"a capability":         func(p *Posture) { p.Status.Bounding = 1 << 21 },
			"root":                 func(p *Posture) { p.Status.UID = proc.IDs{} },
			"no namespace of pids": func(p *Posture) { p.Status.Inner = 9 },
			"another directory":    func(p *Posture) { p.Cwd = "/home" },
			"a child":              func(p *Posture) { p.Children = []int{5} },
			"more environment":     func(p *Posture) { p.Environ = append(slices.Clone(p.Environ), "WEBKIT_INSPECTOR_SERVER=x") },
			"a name in the root":   func(p *Posture) { p.Root = append(slices.Clone(p.Root), "root") },
			"a descriptor": func(p *Posture) {
				p.Descriptors = append(slices.Clone(p.Descriptors), proc.Descriptor{Number: 4, Target: "/etc/passwd"})
			},
			"no connection": func(p *Posture) { p.Descriptors = p.Descriptors[:3] },
			"code of a person": func(p *Posture) {
				p.Code = append(slices.Clone(p.Code), proc.Mapping{Rights: "r-xp", Name: "/home/x.so"})
			},
			"code beside the system": func(p *Posture) {
				p.Code = append(slices.Clone(p.Code), proc.Mapping{Rights: "r-xp", Name: "/usrx/x.so"})
			},
			"code that is written": func(p *Posture) {
				p.Code = append(slices.Clone(p.Code), proc.Mapping{Rights: "rwxp", Name: "/usr/lib/x.so"})
			},
			"no program":            func(p *Posture) { p.Code = nil },
			"a limit":               func(p *Posture) { p.Limits = maps.Clone(p.Limits); delete(p.Limits, "Max open files") },
			"a home":                mount(proc.Mountpoint{Point: "/home/u", Type: "ext4", Options: []string{"ro", "nosuid", "nodev", "noexec"}}),
			"a disk for scratch":    mount(proc.Mountpoint{Point: "/run", Type: "ext4", Options: []string{"rw", "nosuid", "nodev", "noexec"}}),
			"a proc of another":     mount(proc.Mountpoint{Point: "/proc/1", Type: "proc", Options: []string{"nosuid", "nodev", "noexec"}}),
			"a root to write":       option("/", "ro"),
			"a system to write":     option(u.System[0], "ro"),
			"a part of it to write": option(u.System[0]+"/local", "ro"),
			"set-id programs":       option(u.System[0], "nosuid"),
			"a place to write":      option(given.Places[0].Target, "ro"),
			"programs in a place":   option(given.Places[len(given.Places)-1].Target, "noexec"),
			"a place that is gone":  func(p *Posture) { p.Mounts = p.Mounts[:len(p.Mounts)-1] },
			"no root":               func(p *Posture) { p.Mounts = p.Mounts[1:] },
		}
		if len(spec.Env) > 0 {
			bad["less environment"] = func(p *Posture) { p.Environ = p.Environ[1:] }
		}
		if len(u.Scratch) > 0 {
			bad["devices in the scratch"] = option(u.Scratch[0].Path, "nodev")
		}
		if len(spec.Devices) > 0 {
			bad["a device to replace"] = option(spec.Devices[0], "ro")
		}
		for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
			bad["a shared namespace of "+n] = func(p *Posture) { p.Namespaces[n] = p.Ours[n] }
		}
		for what, change := range bad {
			p, given := goodHost(spec)
			change(&p)
			if err := CheckHost(p, spec, given); errs.CodeOf(err) != errs.PostureFailed {
				t.Errorf("%s with %s passes: %v", spec.Kind, what, err)
			}
		}
	}
}

// TestGiven: a host gets no name of the environment and no place that its spec
// has not got, and a worker gets nothing.
func TestGiven(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	check := func(kind string, g Given) error {
		spec, _ := workerspec.For(kind)
		return Config{Spec: spec, Given: g}.checkGiven()
	}
	place := func(targets ...string) (g Given) {
		for _, t := range targets {
			g.Places = append(g.Places, Place{Target: t, At: null})
		}
		return g
	}
	for kind, ok := range map[string][]string{
		"window": {workerspec.WaylandTarget, workerspec.X11Target + "0", workerspec.XAuthorityTarget, workerspec.AccessibilityTarget},
		"picker": {workerspec.X11Target + "65535", "/home/u", "/media", "/run/media/u"},
		"proxy":  {workerspec.AccessibilityTarget},
	} {
		for _, target := range ok {
			if err := check(kind, place(target)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
	for kind, bad := range map[string][]string{
		"window": {"/home/u", "/run/user/1000/bus", workerspec.X11Target, workerspec.X11Target + "x", workerspec.X11Target + "../..", workerspec.X11Target + "65536", "/run", ""},
		"prompt": {"/home/u", "/"},
		"picker": {"/", "/usr", "/usr/local", "/etc", "/proc", "/dev", "/var", "/home/../etc", "home", "/tmp/.X11-unix/X", "/sys/class", "/lib64/x"},
		"index":  {"/grant", workerspec.WaylandTarget},
		"proxy":  {workerspec.WaylandTarget, workerspec.X11Target + "0", "/home/u", workerspec.SocketsTarget},
	} {
		for _, target := range bad {
			if check(kind, place(target)) == nil {
				t.Errorf("%s is given %q", kind, target)
			}
		}
	}
	sockets := func(target string) Given {
		return Given{Places: []Place{{Target: target, At: null, Sockets: true}}}
	}
	if err := check("proxy", sockets(workerspec.SocketsTarget)); err != nil {
		t.Error(err)
	}
	if check("proxy", sockets(workerspec.AccessibilityTarget)) == nil || check("picker", sockets("/home/u")) == nil || check("window", sockets(workerspec.SocketsTarget)) == nil {
		t.Error("sockets are made where they may not be")
	}
	for _, e := range []string{"LD_PRELOAD=/x", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1", "GTK_MODULES=x", "LANG", "HOME=/x", "LANG=a\x00B=c", "=x", ""} {
		if check("window", Given{Env: []string{e}}) == nil {
			t.Errorf("a window has %q in its environment", e)
		}
	}
	if check("window", Given{Env: []string{"LANG=C"}}) != nil || check("picker", Given{Env: []string{"HOME=/home/u"}}) != nil {
		t.Error("what a spec has is refused")
	}
	if check("index", Given{Env: []string{"LANG=C"}}) == nil {
		t.Error("a worker is given something")
	}
	if check("window", place(slices.Repeat([]string{workerspec.WaylandTarget}, 100)...)) == nil {
		t.Error("a hundred places")
	}
	if check("window", Given{Places: []Place{{Target: workerspec.WaylandTarget}}}) == nil {
		t.Error("a place that nobody opened")
	}
	if s := strings.Join(workerspec.Nesting(), " "); !strings.Contains(s, "pivot_root") {
		t.Error(s)
	}
}
