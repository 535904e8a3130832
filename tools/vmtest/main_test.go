package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/test/vm"
)

func TestSources(t *testing.T) {
	got, err := sourcesOf("http://mirror.example/debian/ trixie main\nhttp://mirror.example/debian/ trixie contrib\n" +
		"http://other.example/ nodistro main\nhttp://docker.example/ bookworm stable\nhttp://db.example/ bookworm-pgdg main\n" +
		"http://mirror.example/debian-security/ trixie-security main\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" http://mirror.example/debian/ bookworm-backports main\n", " http://mirror.example/debian/ trixie-backports main\n",
		" http://mirror.example/debian-security/ bookworm-security main\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if !strings.Contains(line, "signed-by=/") || !strings.Contains(line, " http://mirror.example/") {
			t.Errorf("%q", line)
		}
	}
	if got, err := sourcesOf("http://other.example/ nodistro main\n"); err == nil {
		t.Errorf("sources without Debian: %q", got)
	}
}

func TestNewest(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64", "linux-image-6.1.0-57-cloud-amd64-unsigned", "linux-image-6.1.0-56-amd64",
		"linux-image-6.12.9+deb12-cloud-amd64", "linux-image-6.12.90+deb12-cloud-amd64", "linux-image-6.12.90+deb12.1-cloud-amd64", "linux-image-6.12.117+deb12-cloud-amd64-dbg",
		"linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64", "linux-image-7.2.12+deb13-cloud-amd64", "linux-image-7.3.4+deb13-cloud-amd64",
		"linux-binary-7.3.4+deb13-cloud-amd64", "linux-binary-7.4.0-cloud-amd64-dbg",
	}
	for series, want := range map[string]string{
		"6.1": names[1], "6.12": names[6], "7": names[12], "7.2": names[10], "6": names[6], "5.10": "",
	} {
		if got := newest(names, series); got != want {
			t.Errorf("%s: %q, want %q", series, got, want)
		}
	}
}

// noArchive is a machine whose apt reaches nothing.
func noArchive(context.Context, string, ...string) (string, error) {
	return "", errors.New("no route to host")
}

func TestFetchWithoutArchive(t *testing.T) {
	dir := t.TempDir()
	var say strings.Builder
	if k, err := fetch(t.Context(), apt{dir: dir + "/apt", run: noArchive}, dir, []string{"6.1"}, &say); err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%+v, %v", k, err)
	}
	// What an earlier run brought serves, and it is said.
	image := filepath.Join(dir, "vmlinuz")
	for name, text := range map[string]string{image: "kernel", record(dir, "6.1"): `{"series":"6.1","version":"6.1.9","image":"` + image + `"}`} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k, err := fetch(t.Context(), apt{dir: dir + "/apt", run: noArchive}, dir, []string{"6.1"}, &say)
	if err != nil || len(k) != 1 || k[0].Version != "6.1.9" || !strings.Contains(say.String(), "6.1 of an earlier run") {
		t.Errorf("%+v, %v, %q", k, err, say.String())
	}
}

func TestTakeKernel(t *testing.T) {
	pack := func(names ...string) *bytes.Buffer {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, n := range names {
			if err := w.WriteHeader(&tar.Header{Name: n, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(n))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	image := filepath.Join(t.TempDir(), "vmlinuz")
	if err := takeKernel(pack("./boot/config-6.1", "./boot/vmlinuz-6.1", "./lib/modules/x"), image); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(image); err != nil || string(b) != "./boot/vmlinuz-6.1" {
		t.Errorf("%q, %v", b, err)
	}
	if err := takeKernel(pack("./usr/lib/modules/7.3/vmlinuz"), image); err != nil {
		t.Error(err)
	}
	if takeKernel(pack("./boot/config-6.1", "./usr/lib/modules/7.3/build/vmlinuz"), image) == nil {
		t.Error("a package without a kernel was taken")
	}
}

// good is what a guest says that is in order.
func good() vm.Report {
	rep := vm.Report{Kernel: "6.1.0", Landlock: 2, Done: true}
	for _, s := range suites() {
		r := vm.Result{Suite: s.name, User: vm.Root}
		for u, n := range s.least {
			for range n {
				r.Cases = append(r.Cases, vm.Case{Name: "TestX/" + u + "/x", State: vm.Passed})
			}
		}
		rep.Results = append(rep.Results, r)
	}
	for _, u := range []string{vm.Root, vm.Ordinary, vm.Without, vm.Unprofiled, vm.Wrapped, vm.Profiled} {
		r := vm.Result{Suite: doctor, User: u, Output: []string{"missing  worker-pdf: It took too long"}}
		for _, kind := range []string{"index", "store", "inspect", "engine"} {
			level := "full     16 of 16"
			switch u {
			case vm.Without, vm.Unprofiled:
				level = "reduced  9 of 16"
			case vm.Wrapped:
				level = "bwrap    16 of 16"
			}
			r.Output = append(r.Output, "ok       "+kind+"    "+level+"  confined and ready in 25.6 ms")
		}
		rep.Results = append(rep.Results, r)
	}
	return rep
}

// TestJudge: whatever is missing or wrong in what a guest said is a fault.
func TestJudge(t *testing.T) {
	k := kernel{Series: "6.1"}
	if f := judge(k, good()); len(f) != 0 {
		t.Fatalf("%q", f)
	}
	// The newest is looked at with AppArmor too.
	newest, rep := kernel{Series: profiled}, good()
	rep.Landlock = 11
	if f := judge(newest, rep); len(f) != 0 {
		t.Errorf("%q", f)
	}
	profiles := rep.Results[len(rep.Results)-2:]
	profiles[0].User, profiles[1].User = vm.Profiled, vm.Wrapped
	if f := judge(newest, rep); len(f) == 0 {
		t.Error("namespaces of our own where bubblewrap makes them, and no fault")
	}
	rep.Results = rep.Results[:len(rep.Results)-1]
	if f := judge(newest, rep); len(f) == 0 {
		t.Error("no doctor with a profile, and no fault")
	}
	doctors := len(suites())
	for what, change := range map[string]func(*vm.Report){
		"cut off":             func(r *vm.Report) { r.Done = false },
		"another Landlock":    func(r *vm.Report) { r.Landlock = 3 },
		"no suite":            func(r *vm.Report) { r.Results = r.Results[1:] },
		"a suite that failed": func(r *vm.Report) { r.Results[0].Exit = 1 },
		"a case that failed":  func(r *vm.Report) { r.Results[0].Cases[0].State = vm.Failed },
		"a case fewer":        func(r *vm.Report) { r.Results[1].Cases[0].State = vm.LeftOut },
		"no doctor":           func(r *vm.Report) { r.Results = r.Results[:doctors] },
		"a doctor that does not see the whole sandbox": func(r *vm.Report) { r.Results[doctors].Output[1] = "ok       index    full     15 of 16  confined" },
		"a doctor that does not see a kind":            func(r *vm.Report) { r.Results[doctors].Output[1] = "" },
		"a doctor that claims what is switched off":    func(r *vm.Report) { r.Results[doctors+2].Output[1] = "ok       index    full     16 of 16  confined" },
		"a doctor that misses a kind":                  func(r *vm.Report) { r.Results[doctors].Output[0] = "missing  worker-file: It took too long" },
	} {
		rep := good()
		change(&rep)
		if f := judge(k, rep); len(f) == 0 {
			t.Errorf("%s: no fault", what)
		}
	}
}

func TestTable(t *testing.T) {
	rep := good()
	rep.Results[0].Cases[0].State = vm.Failed
	got := format(table(rep))
	if !strings.Contains(got, "| 6.1.0 | 2 | hostile | root | ") || strings.Count(got, "\n") != 2+2*len(suites()) {
		t.Error(got)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-kernels", "6.1; reboot"}, {"-no-such"}, {"more"}} {
		var say strings.Builder
		if got := doMain(t.Context(), args, &say); got != usage {
			t.Errorf("%q ended with %d: %s", args, got, say.String())
		}
	}
}
