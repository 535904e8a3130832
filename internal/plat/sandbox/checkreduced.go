package sandbox

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// checkReduced judges what differs at level 2. That the worker stands in the host's
// root, in its namespaces, is what the level is; that it can open nothing there
// is not seen in /proc, and is told by its probes.
func checkReduced(p Posture, spec workerspec.Spec) (bad []string) {
	note := func(ok bool, format string, a ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, a...))
		}
	}
	s := p.Status
	note(p.Named != nil, "not a worker of level 2")
	note(s.Seccomp == 2, "seccomp mode %d", s.Seccomp)
	note(s.NoNewPrivs, "new privileges are possible")
	// What a set-id program could give it at most is of no use to it.
	note(s.Inheritable|s.Permitted|s.Effective|s.Ambient == 0, "capabilities are left")
	for i := range s.UID {
		note(s.UID[i] != 0 && s.GID[i] != 0, "host id 0")
		note(s.UID[i] == s.UID[0] && s.GID[i] == s.GID[0], "ids differ")
	}
	note(len(p.Children) == 0, "%d children", len(p.Children))
	cwd := "/"
	if i := home(spec); i >= 0 {
		cwd = p.Named[spec.Mounts[i].Target]
	}
	note(p.Cwd == cwd, "not where it was born")
	note(slices.Equal(p.Environ, environment(spec, p.Named)), "environment of %d entries", len(p.Environ))
	for _, d := range p.Descriptors {
		if i := spec.Grant(); i >= 0 && d.Number == workerspec.GrantFD {
			note(d.Target == p.Named[spec.Mounts[i].Target], "descriptor %d is another directory", d.Number)
		}
	}
	return bad
}

// home is the index of the directory that a worker of level 2 is born in, -1 for
// the root.
func home(spec workerspec.Spec) int {
	return slices.IndexFunc(spec.Mounts, func(m workerspec.Mount) bool { return !m.File && (m.Own || m.Code) })
}

// environment is a worker's whole environment. At level 2 its libraries are where
// the system has them, and the engine's where it was born. named is where each
// target lies on the host.
func environment(spec workerspec.Spec, named map[string]string) []string {
	env := slices.Clone(spec.Env)
	if !spec.Reduced {
		return env
	}
	for i, e := range env {
		if !strings.HasPrefix(e, "LD_LIBRARY_PATH=") {
			continue
		}
		var dirs []string
		for _, m := range spec.Mounts {
			dir := "."
			if m.File {
				dir = path.Dir(named[m.Target])
			}
			if m.Code && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
		env[i] = "LD_LIBRARY_PATH=" + strings.Join(dirs, ":")
	}
	return env
}

// named is where each mount's target lies on the host.
func (c Config) named() map[string]string {
	at := map[string]string{}
	for _, m := range c.Mounts {
		at[m.Target] = m.Path
	}
	return at
}
