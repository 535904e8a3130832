package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// Whatever bytes come in on the core's socket, the connection that sent
// them ends, the core lives, and broken frames are on the record.
func TestRandomBytesIntoTheCore(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 200 {
		conn, err := net.Dial("unix", h.Socket)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1+rng.IntN(4096))
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		switch i % 4 {
		case 1: // a header of the right shape for a method that needs a hello
			clear(b[:min(24, len(b))])
			if len(b) >= 24 {
				b[4] = 1
				b[8] = 1
				binary.LittleEndian.PutUint16(b[16:], 401)
			}
		case 2: // a length of 4 GiB
			copy(b, []byte{0xff, 0xff, 0xff, 0xff})
		case 3: // nothing but zeros
			clear(b)
		}
		_, _ = conn.Write(b)
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		if i%2 == 0 {
			if _, err := conn.(*net.UnixConn).File(); err != nil {
				t.Fatal(err)
			}
		}
		conn.Close()
	}
	if !proc.Alive(c.PID) {
		t.Fatal("the core died")
	}
	p.mustAnswer()
	out, _, _ := p.bailey("audit", "show", "--json")
	if !strings.Contains(out, `"malformed-peer"`) {
		t.Error("no broken frame is on the record")
	}
	p.verified()
}

// A call before the hello ends the connection: no client goes unnamed.
func TestNoCallBeforeHello(t *testing.T) {
	p := newPlace(t)
	p.connect()
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", h.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame := make([]byte, 24)
	frame[4], frame[8] = 1, 1
	binary.LittleEndian.PutUint32(frame[16:], 104) // ListTasks
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	var got bytes.Buffer
	_, err = got.ReadFrom(conn)
	if err != nil {
		t.Fatalf("the connection stayed open: %v", err)
	}
	if got.Len() != 0 {
		t.Errorf("it was answered: %q", got.Bytes())
	}
	out, _, _ := p.bailey("audit", "show", "--json")
	if !strings.Contains(out, "a call before the hello") {
		t.Error("it is not on the record")
	}
}

// A link that leads out of the folder, and a folder that is one, give the
// worker nothing. The control run reads the same secret without the sandbox.
func TestLinksLeadNowhere(t *testing.T) {
	p := newPlace(t)
	secret := filepath.Join(filepath.Dir(p.folder), "secret")
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	const word = "The password of the vault is swordfish."
	if err := os.WriteFile(secret+"/vault.txt", []byte(word+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{
		"link.txt": secret + "/vault.txt", "up.txt": "../secret/vault.txt", "dir": secret, "updir": "../secret", "root": "/",
	} {
		if err := os.Symlink(to, filepath.Join(p.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Control: without the sandbox each link does lead there.
	for _, n := range []string{"link.txt", "up.txt", "dir/vault.txt", "updir/vault.txt", "root" + secret + "/vault.txt"} {
		b, err := os.ReadFile(filepath.Join(p.folder, n))
		if err != nil || !strings.Contains(string(b), "swordfish") {
			t.Fatalf("control: %s gave %q, %v", n, b, err)
		}
	}
	out, errs, code := p.bailey("ask", p.folder, "what is the password of the vault?", "--allow-read", p.folder, "--json")
	if code != 0 || strings.Contains(out, "swordfish") {
		t.Fatalf("gave %d: %s%s", code, out, errs)
	}
	if strings.Count(out, `"reason":"link"`)+strings.Count(out, `"reason": "link"`) != 5 {
		t.Errorf("the links are not listed as skipped: %s", out)
	}
	// Control: the question is answered where the folder itself is granted.
	out, _, _ = p.bailey("ask", secret, "what is the password of the vault?", "--allow-read", secret, "--json")
	if !strings.Contains(out, "swordfish") {
		t.Errorf("control: the granted folder does not answer: %s", out)
	}
}

// A grant of a folder that holds Bailey's own state does not show the
// worker that state. The control is a file beside it, which is seen. State is
// not hidden by its name here, so that nothing but the mount keeps it away.
func TestOwnStateIsHidden(t *testing.T) {
	// The name of a directory need not be UTF-8.
	for _, name := range []string{"plain", "pl\xe9in"} {
		t.Run(strconv.QuoteToASCII(name), func(t *testing.T) { hidesOwnState(t, name) })
	}
}

func hidesOwnState(t *testing.T, name string) {
	p := newPlace(t)
	p.home = filepath.Join(p.folder, name)
	p.write(name+"/cache/decoy.txt", "The decoy says heliotrope.\n")
	p.write(name+"/beside.txt", "The neighbour says marigold.\n")
	for _, d := range []string{"state", "config", "run"} {
		if err := os.MkdirAll(filepath.Join(p.home, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write(name+"/state/secret.txt", "The state says periwinkle.\n")
	ask := func(q string) string {
		out, errs, code := p.bailey("ask", p.folder, q, "--allow-read", p.folder, "--json")
		if code != 0 {
			t.Fatalf("gave %d: %s", code, errs)
		}
		return out
	}
	if out := ask("what does the neighbour say?"); !strings.Contains(out, "marigold") {
		t.Fatalf("control: %s", out)
	}
	for _, q := range []string{"what does the decoy say?", "what does the state say?"} {
		if out := ask(q); strings.Contains(out, "heliotrope") || strings.Contains(out, "periwinkle") {
			t.Errorf("Bailey's own state was read: %s", out)
		}
	}
	const script = `cat /grant/*/beside.txt; cat /grant/*/state/secret.txt /grant/*/keys/* 2>/dev/null; : >/grant/new; for f in /grant/*/state/*; do : >"$f"; done`
	if out, errs := p.tool(script, "--allow-write", p.folder, ""); out != "The neighbour says marigold.\n" {
		t.Errorf("a tool read %q\n%s", out, errs)
	}
	if b, err := os.ReadFile(filepath.Join(p.home, "state/secret.txt")); err != nil || len(b) == 0 {
		t.Errorf("a tool changed it: %q, %v", b, err)
	}
	p.verified()
}

// tool runs a script in the sandbox of a tool that is allowed one folder.
func (p *place) tool(script, allow, folder, name string) (stdout, stderr string) {
	p.t.Helper()
	cmd := exec.Command(bins.path("bailey"), "sandbox", "run", "--home", p.home, "--kind", "tool", allow, folder, "--", "/bin/sh", "-c", script, name)
	cmd.Dir = "/"
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), errb.String()
}

// TestOwnStateOfTheUsualHome: a core of another home keeps that of the person's
// usual one from its workers too.
func TestOwnStateOfTheUsualHome(t *testing.T) {
	p := newPlace(t)
	usual := filepath.Join(p.folder, "person")
	p.write("person/beside.txt", "The neighbour says marigold.\n")
	p.write("person/.local/state/bailey/secret.txt", "The state says periwinkle.\n")
	const script = `cat "$0/beside.txt" "$0/.local/state/bailey/secret.txt" 2>&1`
	run := func(folder, name string) (string, string) {
		t.Setenv("HOME", usual)
		return p.tool(script, "--allow-read", folder, name)
	}
	out, errs := run(p.folder, "/grant/person")
	if !strings.Contains(out, "marigold") || strings.Contains(out, "periwinkle") {
		t.Errorf("beside it: %s%s", out, errs)
	}
	out, errs = run(usual+"/.local/state/bailey", "/grant")
	if !strings.Contains(errs, "Bailey's own") || out != "" {
		t.Errorf("itself: %s%s", out, errs)
	}
}

// TestOwnStateIsNotPlanted: a tool that may write where the person's usual home
// would be leaves no state there, which the next core would believe.
func TestOwnStateIsNotPlanted(t *testing.T) {
	p := newPlace(t)
	p.write("person/beside.txt", "The neighbour says marigold.\n")
	t.Setenv("HOME", filepath.Join(p.folder, "person"))
	const script = `echo x >/grant/person/new && echo control
		for d in state share cache; do mkdir -p /grant/person/.local/$d/bailey/keys && echo made $d; done`
	if out, errs := p.tool(script, "--allow-write", p.folder, ""); out != "control\nmade share\nmade cache\n" {
		t.Errorf("%s%s", out, errs)
	}
	if made, err := os.ReadDir(filepath.Join(p.folder, "person/.local/state/bailey")); err != nil || len(made) > 0 {
		t.Errorf("there is %v, %v", made, err)
	}
}

// TestStarterLeavesNothing: a core that was started with no mask for the modes of
// files, and with room for small ones alone, does not hand that on.
func TestStarterLeavesNothing(t *testing.T) {
	p := newPlace(t)
	start := exec.Command("/bin/sh", "-c", `umask 0; ulimit -S -f 4; exec "$0" grant list --home "$1"`, bins.path("bailey"), p.home)
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const script = `echo x >/grant/new; mkdir /grant/dir; head -c 100000 /dev/zero >/grant/large; stat -c %a /grant/new /grant/dir; stat -c %s /grant/large`
	if out, errs := p.tool(script, "--allow-write", p.folder, ""); out != "644\n755\n100000\n" {
		t.Errorf("%s%s", out, errs)
	}
	p.verified()
}

// TestOwnStateToCome: the state that another core makes while a tool reads the folder
// is not seen by it. The control is a file beside it.
func TestOwnStateToCome(t *testing.T) {
	p := newPlace(t)
	p.write("person/here.txt", "here\n")
	t.Setenv("HOME", filepath.Join(p.folder, "person"))
	const script = `cat /grant/here.txt; until test -e /grant/now; do sleep 0.05; done
		cat /grant/beside.txt /grant/.local/state/bailey/secret.txt 2>&1`
	cmd := exec.Command(bins.path("bailey"), "sandbox", "run", "--home", p.home, "--kind", "tool", "--allow-read", filepath.Join(p.folder, "person"), "--", "/bin/sh", "-c", script)
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "here\n" {
		t.Fatalf("%q, %v", line, err)
	}
	p.write("person/beside.txt", "The neighbour says marigold.\n")
	p.write("person/.local/state/bailey/secret.txt", "The state says periwinkle.\n")
	p.write("person/now", "")
	rest, err := io.ReadAll(r)
	if !strings.Contains(string(rest), "marigold") || strings.Contains(string(rest), "periwinkle") {
		t.Errorf("%s, %v", rest, err)
	}
	_ = cmd.Wait()
}

// TestMountedOverWhileAToolRuns shows a limit that SECURITY.md names: what is mounted
// below a folder while a tool may write there is not seen by it, and it can take the
// mount away with the directory below. The control is a file that it sees.
func TestMountedOverWhileAToolRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	p := newPlace(t)
	p.write("vault/before.txt", "before\n")
	runtime.LockOSThread()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
	const script = `cat /grant/vault/before.txt; until test -e /grant/now; do sleep 0.05; done
		cat /grant/vault/secret.txt 2>&1; rm -r /grant/vault && mkdir /grant/vault && echo removed`
	cmd := exec.Command(bins.path("bailey"), "sandbox", "run", "--home", p.home, "--kind", "tool", "--allow-write", p.folder, "--", "/bin/sh", "-c", script)
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "before\n" {
		t.Fatalf("%q, %v", line, err)
	}
	vault := filepath.Join(p.folder, "vault")
	if err := unix.Mount("vault", vault, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	p.write("vault/secret.txt", "The vault says periwinkle.\n")
	p.write("now", "")
	rest, err := io.ReadAll(r)
	if strings.Contains(string(rest), "periwinkle") || !strings.HasSuffix(string(rest), "removed\n") {
		t.Errorf("%s, %v", rest, err)
	}
	_ = cmd.Wait()
}

// TestOwnStateStaysInItsPlace: a tool that may write above Bailey's own state cannot
// give it another name, by which the next one would see it. The control is a
// directory beside it.
func TestOwnStateStaysInItsPlace(t *testing.T) {
	p := newPlace(t)
	p.home = filepath.Join(p.folder, "deep", "plain")
	p.write("deep/plain/state/secret.txt", "The state says periwinkle.\n")
	p.write("beside/it/note.txt", "The neighbour says marigold.\n")
	const script = `
		mv /grant/beside /grant/aside && echo control
		for d in deep deep/plain deep/plain/state; do
			mv /grant/$d /grant/$d.moved && echo moved $d
			mv /grant/$d /grant/away && echo moved $d away
			rm -r /grant/$d && echo removed $d
			chmod 0 /grant/$d
		done
		find /grant -name secret.txt -o -name audit-log`
	for range 2 {
		if out, errs := p.tool(script, "--allow-write", p.folder, ""); out != "control\n" {
			t.Errorf("%s%s", out, errs)
		}
		for _, d := range []string{p.folder + "/deep", p.home} {
			if err := os.Chmod(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(p.folder+"/aside", p.folder+"/beside"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(p.home + "/state/secret.txt"); err != nil {
		t.Error(err)
	}
	p.verified()
}

// TestOwnStateByAnotherName mounts Bailey's own directories, and the folder above
// them, a second time: names do not tell them, and they stay closed.
func TestOwnStateByAnotherName(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	p := newPlace(t)
	p.home = filepath.Join(p.folder, "plain")
	p.write("plain/state/secret.txt", "The state says periwinkle.\n")
	p.write("beside.txt", "The neighbour says marigold.\n")
	// The command line and the core are started by this thread, which ends
	// with the test, and stand in its mount namespace.
	runtime.LockOSThread()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(p.folder), "second")
	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		denied bool
	}{{p.folder, false}, {p.home + "/state", true}, {p.home + "/state/audit", true}, {p.home + "/cache", true}} {
		if err := unix.Mount(c.what, second, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		for q, secret := range map[string]string{"what does the neighbour say?": "", "what does the state say?": "periwinkle"} {
			out, errs, code := p.bailey("ask", second, q, "--allow-read", second, "--json")
			switch {
			case c.denied && (code == 0 || !strings.Contains(out+errs, "Bailey's own")):
				t.Errorf("%s gave %d: %s%s", c.what, code, out, errs)
			case !c.denied && code != 0:
				t.Errorf("%s gave %d: %s", c.what, code, errs)
			case !c.denied && secret == "" && !strings.Contains(out, "marigold"):
				t.Errorf("control: %s", out)
			case secret != "" && strings.Contains(out, secret):
				t.Errorf("Bailey's own state was read: %s", out)
			}
		}
		p.gone(wait)
		if err := unix.Unmount(second, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwnStateTrapped: what a worker that was taken over left in its directory,
// be it nested deeper than a process has descriptors, closed to its owner or
// impossible to remove, does not keep Bailey from starting.
func TestOwnStateTrapped(t *testing.T) {
	p := newPlace(t)
	index := filepath.Join(p.home, "cache", "index")
	if err := os.MkdirAll(index+"/task-shut/trap", 0o700); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(index, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const levels = 3000
	name := "task-deep"
	for range levels {
		if err := unix.Mkdirat(fd, name, 0o700); err != nil {
			t.Fatal(err)
		}
		below, err := unix.Openat(fd, name, unix.O_RDONLY, 0)
		unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd, name = below, "d"
	}
	unix.Close(fd)
	if err := errors.Join(os.WriteFile(index+"/task-shut/trap/file", nil, 0o600), os.Chmod(index+"/task-shut/trap", 0o300)); err != nil {
		t.Fatal(err)
	}
	// As an ordinary user nothing can be removed from here; root can.
	if err := os.Chmod(index, 0o500); err != nil {
		t.Fatal(err)
	}
	p.connect().Close()
	p.gone(wait)
	if err := os.Chmod(index, 0o700); err != nil {
		t.Fatal(err)
	}
	p.mustAnswer()
	p.gone(wait)
	if left, err := os.ReadDir(index); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Two cores of one home: the second one gives way.
func TestSecondCore(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(bins.path("bailey-core"), "--home", p.home, "--ready-fd", "3")
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Run()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if _, err := said.ReadFrom(r); err != nil || said.String() != "taken\n" {
		t.Fatalf("said %q, %v", said.String(), err)
	}
	if !proc.Alive(c.PID) {
		t.Fatal("the first core died")
	}
	p.mustAnswer()
}

// As root: the folder is 0700 with files of 0600, which no other user could
// read; the worker does, and is not root.
func TestPrivateFolder(t *testing.T) {
	p := newPlace(t)
	p.mustAnswer() // newPlace makes 0700 and 0600
}

// Where the file system cannot be id-mapped, a root core's worker reads as its
// unprivileged id: what it may not read is skipped with the reason, and a
// folder that it may not open is refused by name.
func TestOverlay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount an overlay")
	}
	p := newPlace(t)
	base := filepath.Dir(p.folder)
	for _, d := range []string{"up", "work", "merged"} {
		if err := os.Mkdir(base+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(p.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	p.write("open.md", "The spare key lies under the green flowerpot.\n")
	if err := os.Chmod(p.folder+"/open.md", 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mount", "-t", "overlay", "overlay", "-o", fmt.Sprintf("lowerdir=%s,upperdir=%s/up,workdir=%s/work", p.folder, base, base), base+"/merged").CombinedOutput()
	if err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", base+"/merged").Run() })
	merged := base + "/merged"
	stdout, stderr, code := p.bailey("ask", merged, "where is the spare key?", "--allow-read", merged, "--json")
	if code != 0 || !strings.Contains(stdout, "flowerpot") {
		t.Fatalf("gave %d: %s%s", code, stdout, stderr)
	}
	if !strings.Contains(stdout, "unreadable") || !strings.Contains(stdout, "release.md") {
		t.Errorf("the files of 0600 are not named as unreadable: %s", stdout)
	}
	if err := os.Chmod(merged, 0o700); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code = p.bailey("ask", merged, "where is the spare key?", "--allow-read", merged)
	if code == 0 || !strings.Contains(stderr, merged) {
		t.Errorf("a folder that the worker may not open gave %d: %s%s", code, stdout, stderr)
	}
}

// No space: the command says so, nothing hangs, and the next run works.
func TestNoSpace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	p := newPlace(t)
	p.many(300)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", p.home).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", p.home).Run() })
	stdout, stderr, code := p.bailey("summarize", p.folder, "--allow-read", p.folder)
	if code != 5 || !strings.Contains(stderr, "disk is full") {
		t.Fatalf("gave %d: %s%s", code, stdout, stderr)
	}
	p.gone(wait)
	if out, err := exec.Command("mount", "-o", "remount,size=64m", p.home).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
	p.mustAnswer()
	p.verified()
	p.gone(wait) // the core removes it behind the command's back
	left, err := os.ReadDir(p.home + "/cache/index")
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
