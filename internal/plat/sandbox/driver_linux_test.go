package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const renderNode = "/dev/dri/renderD128"

func driverSpec(t *testing.T) workerspec.Spec {
	t.Helper()
	s, ok := workerspec.For(workerspec.GraphicsKind)
	if !ok {
		t.Fatal("no such kind")
	}
	return s.WithDevices([]string{renderNode})
}

// What the kernel says of a card is that card's directory and no more.
func TestDescribes(t *testing.T) {
	sys := realDir(t)
	at := func(name string) string { return filepath.Join(sys, name) }
	for _, d := range []string{"dev/char", "devices/pci0000:00/0000:00:02.0/drm/renderD128", "devices/virtual/mem/null", "devices/drm/renderD9"} {
		if err := os.MkdirAll(at(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"226:128": "../../devices/pci0000:00/0000:00:02.0/drm/renderD128", "1:3": "../../devices/virtual/mem/null",
		"226:9": "../../devices/drm/renderD9", "226:1": "../../../etc", "226:2": "../../devices/gone",
	} {
		if err := os.Symlink(to, at("dev/char/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	card := at("devices/pci0000:00/0000:00:02.0")
	for _, c := range []struct {
		major, minor uint32
		dir          string
	}{{226, 128, card}, {1, 3, ""}, {226, 9, ""}, {226, 1, ""}, {226, 2, ""}, {226, 3, ""}} {
		link, dir := describes(sys, unix.Mkdev(c.major, c.minor))
		if dir != c.dir || (link == "") != (dir == "") {
			t.Errorf("%d:%d: %q %q", c.major, c.minor, link, dir)
		}
	}
}

// No other kind is given a device, and this one none that is no card's.
func TestDevicesAreACards(t *testing.T) {
	good := driverSpec(t)
	if err := checkDevices(good); err != nil {
		t.Error(err)
	}
	for _, d := range []string{"/dev/sda", "/dev/kmsg", "/home/you/file", renderNode + "/../sda"} {
		bad := good
		bad.Devices = []string{d}
		if checkDevices(bad) == nil {
			t.Errorf("%s passes", d)
		}
	}
	for _, s := range workerspec.All() {
		if got := s.WithDevices([]string{renderNode}).Devices; slices.Contains(got, renderNode) != (s.Driver != nil) {
			t.Errorf("%s and a card: %v", s.Kind, got)
		}
		if s.Surroundings == nil {
			s.Devices = []string{renderNode}
			if (checkDevices(s) == nil) != (s.Driver != nil) {
				t.Errorf("%s passes with a card, or not", s.Kind)
			}
		}
	}
}

// A node that is no device is not mounted.
func TestDriverTakesDevicesAlone(t *testing.T) {
	s := driverSpec(t)
	s.Driver = &workerspec.Driver{}
	s.Devices = []string{filepath.Join(realDir(t), "renderD128")}
	if _, err := takeDriver(-1, s); err == nil {
		t.Error("nothing is a device")
	}
	if err := os.WriteFile(s.Devices[0], nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := takeDriver(-1, s); err == nil || !strings.Contains(err.Error(), unix.ENODEV.Error()) {
		t.Errorf("a file: %v", err)
	}
}

// What a posture may show for a driver's sake, and of no other kind.
func TestDriverPosture(t *testing.T) {
	with := driverSpec(t)
	without, _ := workerspec.For("engine")
	mount := func(point string, options ...string) proc.Mountpoint {
		m := proc.Mountpoint{Point: point}
		m.Options = options
		return m
	}
	for _, c := range []struct {
		m  proc.Mountpoint
		ok bool
	}{
		{mount("/usr/lib", "ro", "nosuid", "nodev"), true},
		{mount("/usr/lib", "nosuid", "nodev"), false},
		{mount(renderNode, "ro", "nosuid", "noexec"), true},
		{mount(renderNode, "ro", "nosuid"), false},
		{mount("/dev/dri/renderD129", "ro", "nosuid", "noexec"), false},
		{mount("/sys/devices/pci0000:00/0000:00:02.0", "ro", "nosuid", "nodev", "noexec"), true},
		{mount("/sys/kernel", "ro", "nosuid", "nodev", "noexec"), false},
		{mount("/home", "ro", "nosuid", "nodev", "noexec"), false},
	} {
		if got := checkDriverMount(c.m, with) == nil; got != c.ok {
			t.Errorf("%s %v: %v", c.m.Point, c.m.Options, got)
		}
		if checkDriverMount(c.m, without) == nil {
			t.Errorf("%s passes for an engine", c.m.Point)
		}
	}
	root := []string{"dev", "engine", "etc", "graphics", "home", "lib64", "sys", "usr"}
	if got := withoutDriver(root, []string{"engine", "graphics", "lib64"}, with); !slices.Equal(got, []string{"engine", "graphics", "home", "lib64"}) {
		t.Errorf("%v", got)
	}
	if got := withoutDriver(root, nil, without); !slices.Equal(got, root) {
		t.Errorf("an engine: %v", got)
	}
	for name, ok := range map[string]bool{"": true, "/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so": true, "/usr/library": false, "/memfd:x": false, "/home/you/lib.so": false} {
		if driverCode(name, with) != ok {
			t.Errorf("code of %q: %v", name, !ok)
		}
		if driverCode(name, without) {
			t.Errorf("code of %q in an engine", name)
		}
	}
}
