package sandbox

import (
	"path"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// reducedPosture is that of a worker of level 2 as it must be: in the host's
// namespaces and root, where it was born, and holding nothing else.
func reducedPosture(spec workerspec.Spec) Posture {
	p := goodPosture(spec)
	p.Named = map[string]string{}
	for _, m := range spec.Mounts {
		p.Named[m.Target] = "/home/someone" + m.Target
	}
	p.Namespaces = map[string]string{}
	for name, ns := range p.Ours {
		p.Namespaces[name] = ns
	}
	p.Root, p.Mounts = []string{"bin", "etc", "home"}, nil
	p.Status.Inner, p.Status.Bounding = 1234, 1<<40-1
	p.Cwd = "/"
	if i := home(spec); i >= 0 {
		p.Cwd = p.Named[spec.Mounts[i].Target]
	}
	p.Environ = environment(spec, p.Named)
	if i := spec.Grant(); i >= 0 {
		p.Descriptors = append(p.Descriptors[:4], append([]proc.Descriptor{{Number: workerspec.GrantFD, Target: p.Named[spec.Mounts[i].Target]}},
			p.Descriptors[4:]...)...)
		for i := range p.Descriptors[5:] {
			p.Descriptors[5+i].Number++
		}
	}
	return p
}

func TestCheckReduced(t *testing.T) {
	full, _ := workerspec.For("index")
	spec, err := full.Reduce()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(reducedPosture(spec), spec); err != nil {
		t.Fatal(err)
	}
	if Check(reducedPosture(spec), full) == nil {
		t.Error("a worker of level 2 passes for one of level 1")
	}
	if Check(goodPosture(full), spec) == nil {
		t.Error("a worker of level 1 passes for one of level 2")
	}
	for what, change := range map[string]func(*Posture){
		"no seccomp":            func(p *Posture) { p.Status.Seccomp = 0 },
		"one filter":            func(p *Posture) { p.Status.Filters = 1 },
		"new privileges":        func(p *Posture) { p.Status.NoNewPrivs = false },
		"permitted":             func(p *Posture) { p.Status.Permitted = 1 << 21 },
		"effective":             func(p *Posture) { p.Status.Effective = 1 },
		"inheritable":           func(p *Posture) { p.Status.Inheritable = 1 },
		"ambient":               func(p *Posture) { p.Status.Ambient = 1 },
		"root":                  func(p *Posture) { p.Status.UID = proc.IDs{} },
		"saved root":            func(p *Posture) { p.Status.UID[2] = 0 },
		"group root":            func(p *Posture) { p.Status.GID[3] = 0 },
		"another effective id":  func(p *Posture) { p.Status.UID[1] = 9 },
		"a child":               func(p *Posture) { p.Children = []int{4} },
		"not where it was born": func(p *Posture) { p.Cwd = "/" },
		"in the folder":         func(p *Posture) { p.Cwd = p.Named["/grant"] },
		"environment":           func(p *Posture) { p.Environ = []string{"HOME=/root"} },
		"another folder":        func(p *Posture) { p.Descriptors[4].Target = "/home/someone" },
		"no folder":             func(p *Posture) { p.Descriptors = append(p.Descriptors[:4], p.Descriptors[5:]...) },
		"a directory more":      func(p *Posture) { p.Descriptors = append(p.Descriptors, proc.Descriptor{Number: 9, Target: "/"}) },
		"another file's code":   func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: "/lib64/libc.so.6"}) },
		"no limits":             func(p *Posture) { p.Limits = nil },
	} {
		p := reducedPosture(spec)
		change(&p)
		if err := Check(p, spec); errs.CodeOf(err) != errs.PostureFailed || err == nil {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// TestCheckReducedEngine: an engine's code lies where the system has it, and its
// environment says where that is.
func TestCheckReducedEngine(t *testing.T) {
	full, _ := workerspec.For("engine")
	spec, err := full.Reduce()
	if err != nil {
		t.Fatal(err)
	}
	good := func() Posture {
		p := reducedPosture(spec)
		for _, m := range spec.Mounts {
			name := p.Named[m.Target]
			if !m.File {
				name += "/lib.so"
			}
			p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: name})
		}
		return p
	}
	p := good()
	if err := Check(p, spec); err != nil {
		t.Fatal(err)
	}
	if want := "LD_LIBRARY_PATH=/home/someone" + path.Dir(spec.Mounts[0].Target) + ":."; p.Environ[1] != want {
		t.Errorf("environment %q, want %q", p.Environ, want)
	}
	for what, change := range map[string]func(*Posture){
		"by the names of level 1": func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: spec.Mounts[0].Target}) },
		"a file beside the engine's": func(p *Posture) {
			p.Code = append(p.Code, proc.Mapping{Rights: "r-xp", Name: p.Named["/engine"] + "s/x"})
		},
		"memory that became code": func(p *Posture) { p.Code = append(p.Code, proc.Mapping{Rights: "r-xp"}) },
		"level 1's environment":   func(p *Posture) { p.Environ = spec.Env },
	} {
		p := good()
		change(&p)
		if Check(p, spec) == nil {
			t.Errorf("%s passes", what)
		}
	}
}
