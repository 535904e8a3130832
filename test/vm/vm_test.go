package vm

import (
	"bytes"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entry is what a reader finds in an archive.
type entry struct {
	name, text   string
	mode         uint64
	major, minor uint64
}

// entries reads an archive as the kernel does.
func entries(t *testing.T, b []byte) []entry {
	t.Helper()
	var all []entry
	for {
		if len(b) < 110 || string(b[:6]) != "070701" {
			t.Fatalf("no entry in %q", b)
		}
		field := func(n int) uint64 {
			v, err := strconv.ParseUint(string(b[6+8*n:14+8*n]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		size, name := int(field(6)), int(field(11))
		e := entry{name: string(b[110 : 110+name-1]), mode: field(1), major: field(9), minor: field(10)}
		b = b[(110+name+3)&^3:]
		e.text = string(b[:size])
		b = b[(size+3)&^3:]
		if e.name == trailer {
			if len(b) != 0 {
				t.Fatalf("%d bytes behind the end", len(b))
			}
			return all
		}
		all = append(all, e)
	}
}

func pack(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	a := Archive{W: &out}
	for _, err := range []error{
		a.Device("/dev/console", 5, 1),
		a.File("/a/b/file", 0o755, 5, strings.NewReader("12345")),
		a.File("a/b/none", 0o644, 0, strings.NewReader("")),
		a.Link("/lib", "usr/lib"),
		a.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestArchive(t *testing.T) {
	got := entries(t, pack(t))
	want := []entry{
		{"dev", "", 0o40755, 0, 0}, {"dev/console", "", 0o20600, 5, 1},
		{"a", "", 0o40755, 0, 0}, {"a/b", "", 0o40755, 0, 0},
		{"a/b/file", "12345", 0o100755, 0, 0}, {"a/b/none", "", 0o100644, 0, 0},
		{"lib", "usr/lib", 0o120777, 0, 0},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	a := Archive{W: &bytes.Buffer{}}
	if err := a.File("short", 0o644, 5, strings.NewReader("1")); err == nil {
		t.Error("a file that ends early was taken")
	}
	if err := a.File("large", 0o644, 1<<32, strings.NewReader("")); err == nil {
		t.Error("a file that the format has no room for was taken")
	}
}

// TestArchiveAgrees has a program that is not ours read it.
func TestArchiveAgrees(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio here; TestArchive reads it as the format's description says")
	}
	cmd := exec.CommandContext(t.Context(), cpio, "-t", "--quiet")
	cmd.Stdin = bytes.NewReader(pack(t))
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "dev\ndev/console\na\na/b\na/b/file\na/b/none\nlib\n" {
		t.Errorf("%v %s", err, out)
	}
}

const console = "SeaBIOS\x1b[2J\r\n" +
	"@vm kernel 6.1.0-56-cloud-amd64\r\n" +
	"@vm landlock 2\r\n" +
	"@vm begin hostile root\r\n" +
	"@vm out === RUN   TestEscapes\r\n" +
	"[    1.2] a word of the kernel's @vm out     --- PASS: TestEscapes/root/index/E1_read_/etc/passwd (0.00s)\r\n" +
	"@vm out     --- FAIL: TestEscapes/ordinary/index/E2_x (0.00s)\r\n" +
	"@vm out --- FAIL: TestEscapes (1.00s)\r\n" +
	"@vm out --- PASS: TestCensus (1.00s)\r\n" +
	"@vm out --- SKIP: TestOther (0.00s)\r\n" +
	"@vm out     --- PASS: TestAfter/one (0.00s)\r\n" +
	"@vm out --- FAIL: TestAfter (1.00s)\r\n" +
	"@vm end hostile root 1\r\n"

func TestRead(t *testing.T) {
	rep, err := Read(strings.NewReader(console + "@vm begin sandbox ordinary\r\n@vm out --- PASS: TestStart (0.1s)\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if rep.Kernel != "6.1.0-56-cloud-amd64" || rep.Landlock != 2 || rep.Done || rep.Panic != "" || len(rep.Results) != 2 {
		t.Fatalf("%+v", rep)
	}
	h := rep.Results[0]
	for _, c := range []struct {
		user  string
		state State
		want  int
	}{
		{Root, Passed, 3}, {Root, Failed, 1}, {Root, LeftOut, 1}, {Ordinary, Passed, 0}, {Ordinary, Failed, 1}, {Ordinary, LeftOut, 0},
	} {
		if got := h.Count(c.user, c.state); got != c.want {
			t.Errorf("%s %s: %d, want %d: %+v", c.user, c.state, got, c.want, h.Cases)
		}
	}
	if h.Exit != 1 {
		t.Errorf("exit %d", h.Exit)
	}
	// What was cut off did not pass, whatever it had said by then.
	if cut := rep.Results[1]; cut.Exit != -1 || cut.User != Ordinary {
		t.Errorf("%+v", cut)
	}
	if rep, err := Read(strings.NewReader(console + "@vm done\r\n")); err != nil || !rep.Done {
		t.Errorf("%+v %v", rep, err)
	}
	if rep, err := Read(strings.NewReader("[ 1.0] Kernel panic - not syncing: Fatal exception\r\n")); err != nil || rep.Panic != "Kernel panic - not syncing: Fatal exception" {
		t.Errorf("%+v %v", rep, err)
	}
	for _, bad := range []string{"@vm landlock two\n", "@vm out x\n", "@vm end hostile root 0\n", "@vm begin a root\n@vm end a root x\n"} {
		if rep, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, rep)
		}
	}
}
