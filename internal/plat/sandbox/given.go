package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// checkGiven compares what a host is given with what its spec says it may be.
func (c Config) checkGiven() error {
	s := c.Spec.Surroundings
	if c.Spec.Class != workerspec.Host {
		if len(c.Given.Env)+len(c.Given.Places) > 0 || c.Given.KeepName {
			return errors.New("a worker is given nothing")
		}
		return nil
	}
	if len(c.Given.Places) > limits.SandboxMounts {
		return fmt.Errorf("%d places", len(c.Given.Places))
	}
	for _, e := range c.Given.Env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !slices.Contains(s.EnvNames, name) || strings.ContainsAny(value, "\x00\n") {
			return fmt.Errorf("%s may not have %s in its environment", c.Spec.Kind, name)
		}
	}
	for _, p := range c.Given.Places {
		if p.At == nil || !mayStand(*s, p.Target) {
			return fmt.Errorf("%s may not be given %s", c.Spec.Kind, p.Target)
		}
		if p.Sockets != (p.Target == workerspec.SocketsTarget) {
			return fmt.Errorf("%s and sockets in %s", c.Spec.Kind, p.Target)
		}
	}
	return nil
}

// mayStand reports whether something given may stand at a target.
func mayStand(s workerspec.Surroundings, target string) bool {
	if s.Proxy && (target == workerspec.AccessibilityTarget || target == workerspec.SocketsTarget) {
		return true
	}
	if s.Display {
		if target == workerspec.WaylandTarget || target == workerspec.XAuthorityTarget || target == workerspec.AccessibilityTarget {
			return true
		}
		if number, ok := strings.CutPrefix(target, workerspec.X11Target); ok {
			_, err := strconv.ParseUint(number, 10, 16)
			return err == nil
		}
	}
	return s.Persons && path.IsAbs(target) && path.Clean(target) == target && target != "/" && !ofSystem(s, target)
}

// ofSystem reports whether a path lies in, or above, what is not a person's.
func ofSystem(s workerspec.Surroundings, target string) bool {
	system := slices.Concat(s.System, []string{"/dev", "/proc", "/sys", "/etc", "/tmp/.X11-unix", "/var/cache"})
	return slices.ContainsFunc(system, func(dir string) bool {
		return target == dir || strings.HasPrefix(target, dir+"/") || strings.HasPrefix(dir, target+"/")
	})
}
