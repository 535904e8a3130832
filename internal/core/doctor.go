package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// examine starts each worker kind once over empty directories, and reports
// what was seen of it from outside and from inside. Nothing here is taken from
// a table of what ought to hold.
func (c *Core) examine(ctx context.Context) *corev1.DoctorResponse {
	out := &corev1.DoctorResponse{Ok: true, Release: c.cfg.Release, Level: "full"}
	add := func(id string, err error, detail string) {
		k := &corev1.Check{Id: id, Ok: err == nil, Detail: detail}
		if err != nil {
			e := errs.From(err)
			k.Detail, k.Hint = e.Message(), e.HintText()
			out.Ok = false
		}
		out.Checks = append(out.Checks, k)
	}
	st := c.cfg.Audit.Status()
	anchor := "not anchored outside this account"
	if st.Anchored {
		anchor = "anchored in the system journal"
	}
	checked := "all are checked"
	if !st.Checked {
		checked = "older ones are still being checked"
	}
	add("audit-log", st.Broken, fmt.Sprintf("records: %d, %s, %s", st.Size, checked, anchor))
	add("keys", nil, st.KeyDetail)
	add("remembered", nil, fmt.Sprintf("permissions: %d", len(c.cfg.Policies.List())))
	out.Checks = append(out.Checks, c.groupCheck(ctx))
	for _, spec := range workerspec.All() {
		w := &corev1.Worker{Kind: spec.Kind, Level: "full"}
		layers, level, took, err := c.try(ctx, spec)
		switch {
		case err == errNoCode:
			w.Level = "not started"
			add("worker-"+spec.Kind, nil, "not started: it compiles its reader with the first PDF, which takes some seconds")
		case errs.CodeOf(err) == errs.EngineMissing:
			// Nothing is wrong with the machine, and nothing else needs it.
			e := errs.From(err)
			w.Level = "not installed"
			k := &corev1.Check{Id: "worker-" + spec.Kind, Ok: true, Detail: e.Message(), Hint: e.HintText()}
			if spec.Kind == workerspec.GraphicsKind && e.Detail != "" {
				// The error's sentence is about the engine, which may well be there.
				k.Detail = "not usable: " + e.Detail
			}
			out.Checks = append(out.Checks, k)
		case err != nil:
			w.Level = "refused"
			if !spec.Reserved && spec.Kind != workerspec.GraphicsKind {
				// Nothing depends on these yet, and on a card nothing at all.
				out.Level = "refused"
			}
			layers = offered(sandbox.Survey(ctx))
			add("worker-"+spec.Kind, err, "")
		default:
			w.Level = level
			if spec.Reserved {
				took += "; no service uses it yet"
			}
			// The lowest is the machine's.
			if level == workerspec.ReducedLevel && out.Level != "refused" || out.Level == workerspec.FullLevel {
				out.Level = level
			}
			add("worker-"+spec.Kind, nil, took)
		}
		w.Layers = layers
		out.Workers = append(out.Workers, w)
	}
	switch out.Level {
	case workerspec.ReducedLevel:
		out.Checks = append(out.Checks, namespaceCheck(sandbox.Survey(ctx), "run at level 2, without namespaces"))
	case workerspec.WrappedLevel:
		out.Checks = append(out.Checks, namespaceCheck(sandbox.Survey(ctx), "get theirs through the system's bubblewrap, and windows none"))
	}
	return out
}

// namespaceCheck says what Bailey is refused, what workers do instead, and how it can
// be had.
func namespaceCheck(found []sandbox.LayerState, instead string) *corev1.Check {
	k := &corev1.Check{Id: "user-namespaces", Ok: true, Detail: "refused to Bailey: workers " + instead}
	for _, l := range found {
		if l.Layer == workerspec.UserNamespace && !l.Have {
			k.Detail, k.Hint = l.How+": workers "+instead, l.Hint
		}
	}
	return k
}

// errNoCode says that a pdf worker would have to compile its reader first.
var errNoCode = errors.New("no code yet")

// compiled is the code of the reader of PDFs, if it is there.
func (c *Core) compiled() *codecache.Dir {
	if c.cfg.Code == nil {
		return nil
	}
	d, err := c.cfg.Code.Get(codeKey())
	if err != nil {
		return nil
	}
	return d
}

// try starts one worker of a spec with every directory of its own, empty.
func (c *Core) try(ctx context.Context, spec workerspec.Spec) (seen []*corev1.Layer, level, took string, err error) {
	var mounts []sandbox.Mount
	for _, m := range spec.Mounts {
		if m.Code || m.Optional {
			continue // the supervisor's business, and what it may do without
		}
		d, err := c.cfg.Data.Make(datadir.TaskPrefix + string(grant.NewID()))
		if err != nil {
			return nil, "", "", err
		}
		defer d.Remove()
		if !m.Own {
			// A person's folder that its worker may read, whatever its id.
			if err := d.Show(); err != nil {
				return nil, "", "", err
			}
		}
		mounts = append(mounts, sandbox.Mount{Target: m.Target, Dir: d.Dir, Path: d.Path, Write: m.Write})
	}
	o := supervise.Options{Mounts: mounts}
	if spec.Kind == pdfKind {
		code := c.compiled()
		if code == nil {
			return nil, "", "", errNoCode
		}
		defer code.Close()
		o.Ready = limits.PDFReady
		o.Mounts = append(o.Mounts, sandbox.Mount{Target: codeMount, Dir: code.Dir, Path: code.Path})
	}
	w, err := c.workers.Start(ctx, spec.Kind, o)
	if err != nil {
		return nil, "", "", err
	}
	defer w.Kill()
	spec = sandbox.Narrow(spec, o.Mounts)
	if i := spec.Grant(); i >= 0 {
		if _, err := w.Put(ctx, capability.Row{Kind: policyv1.Kind_KIND_FILE_READ}, spec.Mounts[i].Target, 0); err != nil {
			return nil, "", "", err
		}
	}
	return layers(w, spec), w.Level(), fmt.Sprintf("confined and ready in %.1f ms", float64(w.Ready.Microseconds())/1000), nil
}

// offered lists what the machine offers, where no worker started that could be
// looked at.
func offered(found []sandbox.LayerState) []*corev1.Layer {
	var out []*corev1.Layer
	for _, l := range found {
		state, how := "off", "the machine has it ("+l.How+"), no worker started"
		if !l.Have {
			state, how = "missing", l.How
		}
		out = append(out, &corev1.Layer{Layer: string(l.Layer), State: state, How: how})
	}
	return out
}

// layers says of each layer whether it was seen on the live worker, and how.
// What /proc does not show is told by what the kernel answered inside.
func layers(w *supervise.Worker, spec workerspec.Spec) []*corev1.Layer {
	p := w.Posture
	var out []*corev1.Layer
	add := func(l workerspec.Layer, on bool, how string, a ...any) {
		state := "on"
		switch {
		case on:
		case !spec.Requires(l):
			state = "by design"
		default:
			state = "off"
		}
		out = append(out, &corev1.Layer{Layer: string(l), State: state, How: fmt.Sprintf(how, a...)})
	}
	refused := func(names ...string) bool {
		if len(names) == 0 {
			return false
		}
		for _, n := range names {
			if !slices.ContainsFunc(w.Attempts, func(a *workerv1.Attempt) bool { return a.Name == n && a.Held && a.Errno != 0 }) {
				return false
			}
		}
		return true
	}
	for _, n := range []struct {
		layer workerspec.Layer
		name  string
	}{
		{workerspec.UserNamespace, "user"}, {workerspec.MountNamespace, "mnt"}, {workerspec.PIDNamespace, "pid"},
		{workerspec.NetNamespace, "net"}, {workerspec.IPCNamespace, "ipc"}, {workerspec.UTSNamespace, "uts"},
	} {
		if n.layer == workerspec.NetNamespace && !spec.Requires(n.layer) {
			add(n.layer, false, "it is what has the network, and nothing else")
			continue
		}
		add(n.layer, p.Namespaces[n.name] != "" && p.Namespaces[n.name] != p.Ours[n.name], "seen from outside: %s, not the core's %s", p.Namespaces[n.name], p.Ours[n.name])
	}
	s := p.Status
	standing := inRoot(spec)
	if w.Level() == workerspec.WrappedLevel {
		standing = append(standing, workerspec.StubTarget, workerspec.ProgramTarget)
	}
	declared := func(name string) bool {
		return slices.ContainsFunc(standing, func(target string) bool { return strings.HasPrefix(target+"/", "/"+name+"/") })
	}
	reduced := w.Level() == workerspec.ReducedLevel
	foreign := slices.ContainsFunc(p.Root, func(name string) bool { return !declared(name) })
	add(workerspec.EmptyRoot, !foreign && !reduced, "seen from outside: %d names in its root, all declared", len(p.Root))
	add(workerspec.Landlock, refused("list /"), "tried inside: to list its own root, which nothing else refuses")
	add(workerspec.NoNewPrivs, s.NoNewPrivs, "seen from outside: NoNewPrivs")
	if reduced {
		add(workerspec.NoCapabilities, s.Inheritable|s.Permitted|s.Effective|s.Ambient == 0, "seen from outside: the four sets that count without new privileges are empty")
	} else {
		add(workerspec.NoCapabilities, s.Inheritable|s.Permitted|s.Effective|s.Bounding|s.Ambient == 0, "seen from outside: all five sets are empty")
	}
	add(workerspec.ResourceLimits, len(p.Limits) > 0, "seen from outside: /proc/PID/limits is as declared")
	add(workerspec.SeccompCompat, s.Seccomp == 2, "seen from outside: mode %d, %d filters", s.Seccomp, s.Filters)
	strict := strictly(spec)
	add(workerspec.SeccompStrict, refused(strict...), "tried inside, and refused: %s", strings.Join(strict, ", "))
	add(workerspec.ParentDeath, refused("clear parent-death signal"), "tried inside: it cannot be cleared")
	add(workerspec.NonDumpable, refused("become dumpable"), "tried inside: it cannot be undone")
	out = append(out, groupLayer(w.Group))
	return out
}

// inRoot are the targets of all that may stand in a worker's root.
func inRoot(spec workerspec.Spec) []string {
	targets := slices.Clone(spec.Devices)
	for _, m := range spec.Mounts {
		targets = append(targets, m.Target)
	}
	if s := spec.Surroundings; s != nil {
		targets = append(append(targets, s.System...), s.Empty...)
		for _, t := range s.Scratch {
			targets = append(targets, t.Path)
		}
		if s.Proc {
			targets = append(targets, "/proc")
		}
	}
	if spec.Driver != nil {
		targets = append(targets, spec.Driver.System...)
		if len(spec.Devices) > 0 {
			targets = append(targets, "/sys")
		}
	}
	return targets
}

// strictly are the probes of a spec that its allow-list answers, and the deny-list
// before it does not.
func strictly(spec workerspec.Spec) []string {
	var names []string
	for _, n := range []string{"execve", "memfd_create", "set the user id", "shmget"} {
		if slices.ContainsFunc(spec.Probes, func(p workerspec.Probe) bool { return p.Name == n && !p.Early }) {
			names = append(names, n)
		}
	}
	return names
}
