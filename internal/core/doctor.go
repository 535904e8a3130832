package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
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
	for _, spec := range workerspec.All() {
		w := &corev1.Worker{Kind: spec.Kind, Level: "full"}
		layers, took, err := c.try(ctx, spec)
		switch {
		case errs.CodeOf(err) == errs.EngineMissing:
			// Nothing is wrong with the machine, and nothing else needs it.
			e := errs.From(err)
			w.Level = "not installed"
			out.Checks = append(out.Checks, &corev1.Check{Id: "worker-" + spec.Kind, Ok: true, Detail: e.Message(), Hint: e.HintText()})
		case err != nil:
			w.Level, out.Level = "refused", "refused"
			layers = offered(sandbox.Survey(ctx))
			add("worker-"+spec.Kind, err, "")
		default:
			add("worker-"+spec.Kind, nil, took)
		}
		w.Layers = layers
		out.Workers = append(out.Workers, w)
	}
	return out
}

// try starts one worker of a spec with every directory of its own, empty.
func (c *Core) try(ctx context.Context, spec workerspec.Spec) ([]*corev1.Layer, string, error) {
	var mounts []sandbox.Mount
	for _, m := range spec.Mounts {
		if m.Code {
			continue // the supervisor's business
		}
		d, err := c.cfg.Data.Make(datadir.TaskPrefix + string(grant.NewID()))
		if err != nil {
			return nil, "", err
		}
		defer d.Remove()
		mounts = append(mounts, sandbox.Mount{Target: m.Target, Dir: d.Dir, Path: d.Path, Write: m.Write})
	}
	w, err := c.workers.Start(ctx, spec.Kind, supervise.Options{Mounts: mounts})
	if err != nil {
		return nil, "", err
	}
	defer w.Kill()
	if i := spec.Grant(); i >= 0 {
		if _, err := w.Put(ctx, capability.Row{Kind: policyv1.Kind_KIND_FILE_READ}, spec.Mounts[i].Target, 0); err != nil {
			return nil, "", err
		}
	}
	return layers(w, spec), fmt.Sprintf("confined and ready in %.1f ms", float64(w.Ready.Microseconds())/1000), nil
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
		if !on {
			state = "off"
		}
		out = append(out, &corev1.Layer{Layer: string(l), State: state, How: fmt.Sprintf(how, a...)})
	}
	refused := func(names ...string) bool {
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
		add(n.layer, p.Namespaces[n.name] != "" && p.Namespaces[n.name] != p.Ours[n.name], "seen from outside: %s, the core's is %s", p.Namespaces[n.name], p.Ours[n.name])
	}
	s := p.Status
	declared := func(name string) bool {
		return slices.ContainsFunc(spec.Mounts, func(m workerspec.Mount) bool { return strings.HasPrefix(m.Target+"/", "/"+name+"/") })
	}
	foreign := slices.ContainsFunc(p.Root, func(name string) bool { return !declared(name) })
	add(workerspec.EmptyRoot, !foreign, "seen from outside: %d directories in its root, %d mounts", len(p.Root), len(spec.Mounts))
	add(workerspec.Landlock, refused("list /"), "tried inside: it may not list its own root, which nothing else refuses")
	add(workerspec.NoNewPrivs, s.NoNewPrivs, "seen from outside: NoNewPrivs")
	add(workerspec.NoCapabilities, s.Inheritable|s.Permitted|s.Effective|s.Bounding|s.Ambient == 0, "seen from outside: all five sets are empty")
	add(workerspec.ResourceLimits, len(p.Limits) > 0, "seen from outside: /proc/PID/limits is as declared")
	add(workerspec.SeccompCompat, s.Seccomp == 2, "seen from outside: mode %d, %d filters", s.Seccomp, s.Filters)
	add(workerspec.SeccompStrict, refused("socket AF_UNIX", "execve", "memfd_create"), "tried inside: sockets, exec and memfd are refused")
	add(workerspec.ParentDeath, refused("clear parent-death signal"), "tried inside: it cannot be cleared")
	add(workerspec.NonDumpable, refused("become dumpable"), "tried inside: it cannot be undone")
	return out
}
