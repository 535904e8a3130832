package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// checkDevices refuses devices where there is no driver, and what is no device of
// a graphics card.
func checkDevices(spec workerspec.Spec) error {
	if spec.Surroundings != nil {
		return nil // its own, from its spec
	}
	for _, d := range spec.Devices {
		if spec.Driver == nil || !workerspec.DevicePlace(d) {
			return fmt.Errorf("%s may not be given %s", spec.Kind, d)
		}
	}
	return nil
}

// driverNames are what stands in a root for a driver's sake: names of its files
// and devices, of which a system has some.
func driverNames(spec workerspec.Spec) []string {
	var names []string
	if spec.Driver == nil {
		return nil
	}
	paths := slices.Concat(spec.Driver.System, spec.Devices)
	if len(spec.Devices) > 0 {
		paths = append(paths, sysTree)
	}
	for _, p := range paths {
		name, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		names = append(names, name)
	}
	return names
}

// withoutDriver returns the names of a root that are not there for a driver's sake
// alone.
func withoutDriver(root, want []string, spec workerspec.Spec) []string {
	driver := driverNames(spec)
	return slices.DeleteFunc(slices.Clone(root), func(n string) bool { return slices.Contains(driver, n) && !slices.Contains(want, n) })
}

// checkDriverMount wants a mount that the spec has none for to be one of the
// driver's, and no more than it must be.
func checkDriverMount(m proc.Mountpoint, spec workerspec.Spec) (bad []string) {
	var need []string
	switch {
	case spec.Driver == nil:
	case slices.ContainsFunc(spec.Driver.System, func(d string) bool { return within(m.Point, d) }):
		need = []string{"ro", "nosuid", "nodev"}
	case slices.Contains(spec.Devices, m.Point):
		need = []string{"ro", "nosuid", "noexec"}
	case len(spec.Devices) > 0 && within(m.Point, sysTree):
		need = []string{"ro", "nosuid", "nodev", "noexec"}
	}
	if need == nil {
		return []string{"a mount that nobody declared"}
	}
	for _, o := range need {
		if !m.Has(o) {
			bad = append(bad, m.Point+" is not "+o)
		}
	}
	return bad
}

// driverCode reports whether a driver explains a page that can be executed: its
// libraries, and what its compiler made.
func driverCode(name string, spec workerspec.Spec) bool {
	return spec.Driver != nil && (name == "" || slices.ContainsFunc(spec.Driver.System, func(d string) bool { return within(name, d) }))
}

// sysTree is where the kernel describes devices.
const sysTree = "/sys/devices"
