package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// foreignName is argv[0] of the test binary as a program that is no worker.
const foreignName = "foreign"

// foreignMain says that it is there, and goes when its input ends.
func foreignMain() int {
	fmt.Println("up")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 7
}

// ran is a foreign program under test.
type ran struct {
	*Process
	in  *os.File
	out *bufio.Reader
}

// runForeign starts the test binary as a foreign program of a kind.
func runForeign(t *testing.T, spec workerspec.Spec) *ran {
	t.Helper()
	if spec.Class != workerspec.Exec && runtime.GOARCH != "amd64" {
		t.Skip("programs run in kinds that may execute nothing on x86-64 alone")
	}
	c, _, _ := forKind(t, spec.Foreign())
	program := takeProgram(t, workerPath, spec)
	defer program.Close()
	stub, err := os.Open(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inW.Close(); outR.Close() })
	c.Worker, c.Stub, c.Foreign = program.File, stub, &Foreign{Argv: []string{foreignName}, Stdin: inR, Stdout: outW}
	p, err := Start(t.Context(), c)
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatalf("%s: %v", spec.Kind, err)
	}
	t.Cleanup(func() { p.Kill(); <-p.Done() })
	r := &ran{p, inW, bufio.NewReader(outR)}
	if line, err := r.out.ReadString('\n'); err != nil || line != "up\n" {
		e, _ := p.Wait(t.Context())
		t.Fatalf("%s: %q, %v, %+v", spec.Kind, line, err, e)
	}
	return r
}

// notStarted is what becomes of the start of a foreign program.
func notStarted(t *testing.T, spec workerspec.Spec, path, name string) error {
	t.Helper()
	c, _, _ := forKind(t, spec.Foreign())
	program := takeProgram(t, path, spec)
	defer program.Close()
	stub, err := os.Open(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	c.Worker, c.Stub, c.Foreign = program.File, stub, &Foreign{Argv: []string{name}}
	_, err = Start(t.Context(), c)
	return err
}

func takeProgram(t *testing.T, path string, spec workerspec.Spec) *Program {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := TakeProgram(t.Context(), f, spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestForeignPosture holds what /proc shows of a foreign program against what it
// shows of the kind's own worker: no field is another one that the list of
// differences does not name. Root alone may look at both, since neither is dumpable.
func TestForeignPosture(t *testing.T) {
	named := map[string]string{"Descriptors": workerspec.DiffDescriptors, "Program": workerspec.DiffProgram,
		"ReadOnly": workerspec.DiffProgram}
	for _, spec := range workerspec.All() {
		if spec.Program == workerspec.EngineProgram {
			// Threads are made there in C's way alone, and this is a program of Go: test/hostile
			// runs one of C.
			continue
		}
		r := runForeign(t, spec)
		err := r.SealedFromOutside()
		dumpable := slices.ContainsFunc(spec.Differences(), func(d workerspec.Difference) bool { return d.Name == workerspec.DiffDumpable })
		// What is called 0 inside is not told apart from outside.
		if dumpable == (err == nil) && r.ids.innerUID != 0 {
			t.Errorf("%s: seen from outside: %v", spec.Kind, err)
		}
		if privileged() {
			c, conn, stderr := forKind(t, spec)
			p, err := Start(t.Context(), c)
			if err != nil {
				t.Fatalf("%s: %v", spec.Kind, err)
			}
			c.Conn.Close()
			c.Stderr.Close()
			w := &running{p, t, conn, bufio.NewReader(conn), stderr, "", spec}
			w.seal()
			theirs, err := w.Posture()
			if err != nil {
				t.Fatal(err)
			}
			p.Kill()
			<-p.Done()
			ours, err := r.Posture()
			if err != nil {
				t.Fatal(err)
			}
			if bad := checkDescriptors(ours.Descriptors, spec.Foreign()); len(bad) > 0 {
				t.Errorf("%s: %v", spec.Kind, bad)
			}
			a, b := reflect.ValueOf(alike(theirs)), reflect.ValueOf(alike(ours))
			for i := range a.NumField() {
				name := a.Type().Field(i).Name
				same := reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface())
				told := slices.ContainsFunc(spec.Differences(), func(d workerspec.Difference) bool { return d.Name == named[name] })
				if same == told {
					t.Errorf("%s: %s: worker %+v, program %+v, told %t", spec.Kind, name, a.Field(i), b.Field(i), told)
				}
			}
		}
		r.in.Close()
		if e, err := r.Wait(t.Context()); err != nil || e.Code != 7 {
			t.Errorf("%s: %+v, %v", spec.Kind, e, err)
		}
	}
}

// alike takes out of a posture what differs from process to process of one kind.
func alike(p Posture) Posture {
	p.Status.Name, p.Status.Threads, p.Status.RSS, p.Status.Parent = "", 0, 0, 0
	for k, v := range p.Namespaces {
		p.Namespaces[k] = fmt.Sprint(v == p.Ours[k])
	}
	for i := range p.Mounts {
		p.Mounts[i].Root = ""
	}
	var code []proc.Mapping
	for _, m := range p.Code {
		if m.Name == p.Program {
			m.Name = "the program"
		}
		code = append(code, m)
	}
	p.Code = code
	for i, d := range p.Descriptors {
		if kind, _, ok := strings.Cut(d.Target, ":"); ok {
			p.Descriptors[i].Target = kind
		}
	}
	return p
}

// TestForeignRefused: a program that is none, a script, one that needs a loader, and
// one that asks for code that can be written are refused, and nothing runs.
func TestForeignRefused(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("programs run in kinds that may execute nothing on x86-64 alone")
	}
	whole, err := os.ReadFile(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	dir := realDir(t)
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"script": {[]byte("#!/bin/sh\n"), errScript}, "empty": {nil, errNoELF}, "text": {bytes.Repeat([]byte("x"), 200), errNoELF},
		"linked":   {patched(whole, func(p []byte) { binary.LittleEndian.PutUint32(p, uint32(elf.PT_INTERP)) }), errLinked},
		"writable": {patched(whole, func(p []byte) { binary.LittleEndian.PutUint32(p[4:], 7) }), errWritable},
		"a stack of code": {patched(whole, func(p []byte) {
			binary.LittleEndian.PutUint32(p, uint32(elf.PT_GNU_STACK))
			binary.LittleEndian.PutUint32(p[4:], uint32(elf.PF_R|elf.PF_X))
		}), errWritable},
		"code beyond its file": {patched(whole, func(p []byte) {
			binary.LittleEndian.PutUint32(p[4:], uint32(elf.PF_R|elf.PF_X))
			binary.LittleEndian.PutUint64(p[40:], binary.LittleEndian.Uint64(p[32:])+1<<16)
		}), errWritable},
		"cut":     {whole[:100], errNoELF},
		"foreign": {func() []byte { b := slices.Clone(whole); b[18] = 40; return b }(), errNoELF},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.bytes, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := checkProgram(bytes.NewReader(c.bytes)); err == nil || !strings.HasPrefix(err.Error(), c.want.Error()) {
			t.Errorf("%s: %v", name, err)
		}
		spec, _ := workerspec.For("inspect")
		err := notStarted(t, spec, path, name)
		wantCode(t, err, errs.ProgramRefused)
		if e := errs.From(err); e != nil && (e.Hint == "" || e.Detail == "") {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// patched changes the first segment that is loaded, of an ELF file.
func patched(whole []byte, change func(entry []byte)) []byte {
	b := slices.Clone(whole)
	at := binary.LittleEndian.Uint64(b[32:])
	for i := range int(binary.LittleEndian.Uint16(b[56:])) {
		if p := b[int(at)+56*i:]; binary.LittleEndian.Uint32(p) == uint32(elf.PT_LOAD) {
			change(p)
			break
		}
	}
	return b
}

// FuzzCheckProgram: whatever debug/elf finds wrong in what a program asks for is
// found, and nothing panics.
func FuzzCheckProgram(f *testing.F) {
	f.Add([]byte("#!/bin/sh"))
	head := make([]byte, 64+2*56)
	copy(head, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(head[16:], 2)
	le.PutUint16(head[18:], 62)
	le.PutUint32(head[20:], 1)
	le.PutUint64(head[32:], 64)
	le.PutUint16(head[52:], 64)
	le.PutUint16(head[54:], 56)
	le.PutUint16(head[56:], 2)
	le.PutUint32(head[64:], 1)
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkProgram(bytes.NewReader(b)) != nil {
			return
		}
		e, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			return // the kernel reads less of it
		}
		for _, p := range e.Progs {
			code := p.Flags&elf.PF_X != 0
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_GNU_STACK && code ||
				p.Type == elf.PT_LOAD && code && (p.Flags&elf.PF_W != 0 || p.Memsz > p.Filesz) {
				t.Fatalf("let pass with %+v", p.ProgHeader)
			}
		}
	})
}

// TestTakeProgram: the copy is what was hashed, whoever writes to the file later; it
// cannot be changed, and not be read again by who is no root.
func TestTakeProgram(t *testing.T) {
	spec, _ := workerspec.For("index")
	path := filepath.Join(realDir(t), "program")
	if err := os.WriteFile(path, []byte("one"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := takeProgram(t, path, spec)
	defer p.Close()
	if err := os.WriteFile(path, []byte("two!"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, _ := p.File.ReadAt(b, 0); string(b[:n]) != "one" || p.Size != 3 || fmt.Sprintf("%x", p.Digest)[:8] != "7692c3ad" {
		t.Errorf("%q, %d, %x", b[:n], p.Size, p.Digest)
	}
	if _, err := p.File.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it can be written")
	}
	if err := p.File.Truncate(0); err == nil {
		t.Error("it can be cut")
	}
	again, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", p.File.Fd()))
	if err == nil {
		again.Close()
	}
	if (err == nil) != privileged() {
		t.Errorf("opened again: %v", err)
	}
	for name, mode := range map[string]os.FileMode{"plain": 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = TakeProgram(t.Context(), f, spec)
		f.Close()
		if errs.CodeOf(err) != errs.ProgramRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = TakeProgram(ctx, f, spec)
	wantCode(t, err, errs.Cancelled)
}

// TestCheckStreams: only a pipe without a name, in the right direction, is handed on.
func TestCheckStreams(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := CheckStreams(r, w, w); err != nil {
		t.Error(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fifo := filepath.Join(realDir(t), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	named, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket, other := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer socket.Close()
	defer other.Close()
	for name, s := range map[string][3]*os.File{
		"turned": {w, r, w}, "error for reading": {r, w, r}, "null": {null, w, w}, "named": {r, named, w}, "socket": {r, w, socket},
	} {
		if errs.CodeOf(CheckStreams(s[0], s[1], s[2])) != errs.Malformed {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestForeignPretendedLayer: where a system says that Landlock is on, and it is not, no
// program starts. What a worker of Bailey's own tries inside, a program will not. In the
// control the same filter lets the call through.
func TestForeignPretendedLayer(t *testing.T) {
	const own = "BAILEY_TEST_PRETENDED"
	action, pretended := map[string]uint32{"answered": actErrno, "let through": actAllow}[os.Getenv(own)]
	if !pretended {
		for _, what := range []string{"answered", "let through"} {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestForeignPretendedLayer$", "-test.v")
			cmd.Env = append(os.Environ(), own+"="+what)
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestForeignPretendedLayer")) {
				t.Errorf("%s: %v\n%s", what, err, out)
			}
		}
		return
	}
	runtime.LockOSThread()
	filter := append(prologue(native()),
		insn{code: opJeq, jt: 0, jf: 1, k: unix.SYS_LANDLOCK_RESTRICT_SELF},
		insn{code: opRet, k: action}, insn{code: opRet, k: actAllow})
	if err := errors.Join(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), seccompFilter(program(filter), unix.SECCOMP_FILTER_FLAG_TSYNC)); err != nil {
		t.Fatal(err)
	}
	kinds := []string{"tool"}
	if runtime.GOARCH == "amd64" {
		// Elsewhere no program runs in these.
		kinds = append(kinds, "index", "inspect")
	}
	for _, kind := range kinds {
		spec, _ := workerspec.For(kind)
		if action == actAllow {
			runForeign(t, spec)
			continue
		}
		wantCode(t, notStarted(t, spec, workerPath, foreignName), errs.SandboxMissing)
	}
}
