package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/bailey-run/bailey/test/vm"
)

// profiled is the series of kernels on which Bailey's AppArmor profile is put on:
// AppArmor has said who may make user namespaces since 6.7.
const profiled = "7"

// shippedProfile is the profile that make install brings, wrapsProfile that of
// bubblewrap in Debian's package of more profiles, which Ubuntu has put on.
const (
	shippedProfile = "packaging/apparmor/bailey"
	wrapsProfile   = "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict"
)

// othersProfile stands for a system that gives user namespaces to profiles that
// say so alone: everything may do everything else. That system's kernel has a
// setting for it, which Debian's has not; programs without a profile, as they are
// there, may look at a file in another's root.
const othersProfile = `abi <abi/4.0>,
profile others /** flags=(attach_disconnected,mediate_deleted) {
  capability,
  network,
  mount,
  remount,
  umount,
  pivot_root,
  ptrace,
  signal,
  unix,
  /{**,} rwlkm,
  /** px,
}
`

// Where AppArmor 4 stands in a guest, with a C library of its own: the guests'
// is an older one.
const (
	apparmorAt    = "/opt/apparmor"
	parserProgram = "apparmor_parser"
	loader        = "ld-linux-x86-64.so.2"
)

func apparmorDir(stage string) string { return filepath.Join(stage, "apparmor") }

// profileRuns have the doctor look at what an ordinary user gets: where the profiles
// of others refuse Bailey its namespaces, with bubblewrap's put on, and with its own.
func profileRuns() []vm.Run {
	put := func(name string) vm.Run {
		return vm.Run{Suite: "apparmor", User: vm.Root, Dir: "/", Seconds: limit, Argv: []string{
			apparmorAt + "/lib/" + loader, "--library-path", apparmorAt + "/lib", apparmorAt + "/" + parserProgram,
			"--replace", "--skip-cache", "--base", apparmorAt + "/etc", apparmorAt + "/" + name}}
	}
	return slices.Concat([]vm.Run{put("others")}, doctorRuns(vm.Unprofiled), []vm.Run{put("bwrap")}, doctorRuns(vm.Wrapped),
		[]vm.Run{put("bailey")}, doctorRuns(vm.Profiled))
}

// parser fetches AppArmor 4 and lays out what a guest has of it in dir.
func (a apt) parser(ctx context.Context, dir string) error {
	tmp, err := os.MkdirTemp(a.dir, "parser")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if _, err := a.get(ctx, tmp, "download", "-qq", "apparmor", "apparmor-profiles", "libc6", "libstdc++6", "libgcc-s1"); err != nil {
		return err
	}
	debs, err := filepath.Glob(tmp + "/*.deb")
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := a.run(ctx, "", "dpkg-deb", "-x", deb, tmp+"/root"); err != nil {
			return err
		}
	}
	if err := errors.Join(os.MkdirAll(dir+"/lib", 0o755), os.CopyFS(dir+"/etc/abi", os.DirFS(tmp+"/root/etc/apparmor.d/abi")),
		os.CopyFS(dir+"/etc/tunables", os.DirFS(tmp+"/root/etc/apparmor.d/tunables")), os.WriteFile(dir+"/others", []byte(othersProfile), 0o644)); err != nil {
		return err
	}
	files := map[string]string{shippedProfile: "bailey", tmp + "/root" + wrapsProfile: "bwrap"}
	for _, name := range []string{loader, "libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"} {
		files[tmp+"/root/usr/lib/x86_64-linux-gnu/"+name] = "lib/" + name
	}
	files[tmp+"/root/usr/sbin/"+parserProgram] = parserProgram
	for from, to := range files {
		// Names that end in a version's first number are links to the others.
		b, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("AppArmor 4: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o755); err != nil {
			return err
		}
	}
	return nil
}
