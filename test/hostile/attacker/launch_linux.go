//go:build bailey_hostile

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/syslibs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Run is one line of the launcher's input, Result one of its output.
type Run struct {
	Attack string `json:"attack"`
	Kind   string `json:"kind"`
	// Mode is "full", "bare", "without:" and the layers left out, or
	// foreignMode and a program; level2Mode before one of the others says that the
	// system refuses user namespaces, wrappedMode that it does so to all programs but
	// bubblewrap.
	Mode string `json:"mode"`
}

type Result struct {
	Run
	answer
	// Killed is the signal that ended the worker; Forbidden that it was for a
	// call no worker may make.
	Killed    int  `json:"killed,omitempty"`
	Forbidden bool `json:"forbidden,omitempty"`
	// Outlived says that some process of the worker's was there a second after
	// its end.
	Outlived bool `json:"outlived,omitempty"`
	// Posture is what Check said of the sealed worker.
	Posture string `json:"posture,omitempty"`
	// Failed is a failure of the launcher's own.
	Failed string `json:"failed,omitempty"`
	// Stderr is what the worker said.
	Stderr string `json:"stderr,omitempty"`
}

func launch(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: attacker runs | hold KIND MODE | race SWAPS MODE | peers | peer ORDER")
	}
	// A worker that is to be refused namespaces puts a filter on the thread that
	// starts it. On the main thread it would stay, and be taken for the core's.
	runtime.LockOSThread()
	switch args[0] {
	case "runs":
		return runs()
	case "hold":
		return hold(args[1], args[2])
	case "race":
		return race(args[1], args[2])
	case "peers":
		return peers()
	case "peer":
		return peer(args[1:])
	}
	return fmt.Errorf("no command %q", args[0])
}

// runs reads Runs and writes a Result for each.
func runs() error {
	// A careless core: a directory descriptor that every child inherits.
	leak, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(leak)
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	// What a bare run leaves behind comes to us, to be ended.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	release, err := shareMemory()
	if err != nil {
		return err
	}
	defer release()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r Run
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		res, err := r.do()
		if err != nil {
			res.Failed = err.Error()
		}
		if err := out.Encode(res); err != nil {
			return err
		}
	}
}

// scene is what an attack finds on the host.
type scene struct {
	order
	base string
	// opened, in a race, are the directories as the core opened them before.
	opened  map[string]*os.File
	closers []io.Closer
	tcp     *net.TCPListener
}

func (s *scene) Close() {
	for _, c := range s.closers {
		c.Close()
	}
	os.RemoveAll(s.base)
}

func newScene(attack string) (*scene, error) {
	base, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return nil, err
	}
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return nil, err
	}
	s := &scene{base: base, order: order{
		Attack: attack, Grant: base + "/grant", Data: base + "/data", Engine: base + "/engine", Host: base + "/host",
		Core: os.Getpid(), Marker: markerAddress(), Abstract: "bailey-hostile-" + filepath.Base(base), Machine: nodename(),
	}}
	for _, d := range []string{s.Grant, s.Data, s.Host, base + "/engine", base + "/graphics", base + "/cache"} {
		// Readable by all: where /tmp cannot be id-mapped, root's worker reads as
		// its own unprivileged id.
		if err := os.Mkdir(d, 0o755); err != nil {
			return s, err
		}
	}
	for name, text := range map[string]string{
		s.Host + "/secret": "secret", s.Host + "/victim": "victim", s.Host + "/model": "model", s.Grant + "/note": "note", s.Data + "/mine": "mine",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return s, err
		}
	}
	// Everybody may write these: only a mount and what stands before it may refuse.
	// What root has in a /tmp that cannot be id-mapped its worker could not, else.
	if err := os.WriteFile(base+"/engine/lib.so", []byte("library"), 0o666); err != nil {
		return s, err
	}
	for name, mode := range map[string]os.FileMode{
		s.Grant: 0o777, s.Data: 0o777, s.Grant + "/note": 0o666, s.Data + "/mine": 0o666, base + "/engine/lib.so": 0o666,
	} {
		if err := os.Chmod(name, mode); err != nil {
			return s, err
		}
	}
	if err := os.Symlink(s.Host+"/secret", s.Grant+"/link"); err != nil {
		return s, err
	}
	if err := s.setTraps(); err != nil {
		return s, err
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.tcp = tcp.(*net.TCPListener)
	s.Port = tcp.Addr().(*net.TCPAddr).Port
	s.closers = append(s.closers, tcp)
	mail, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.Grant + "/mail", Net: "unixgram"})
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, mail)
	for _, name := range []string{"@" + s.Abstract, s.Host + "/sock", s.Grant + "/sock"} {
		l, err := net.Listen("unix", name)
		if err != nil {
			return s, err
		}
		s.closers = append(s.closers, l)
	}
	return s, nil
}

// worker is a hostile worker, in whatever mode.
type hostile struct {
	pid    int
	proc   *sandbox.Process // nil when bare
	conn   *os.File
	in     *bufio.Reader
	stderr *os.File
	spec   workerspec.Spec
	attack string
	bare   bool
	scene  *scene
}

// start starts a hostile worker and tells it what to do; it has sealed itself
// when start returns.
func (r Run) start(s *scene) (*hostile, error) {
	spec, ok := workerspec.For(r.Kind)
	if !ok {
		return nil, fmt.Errorf("no kind %q", r.Kind)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	program := self
	if spec.Program == workerspec.EngineProgram {
		// The same code, linked by the system's loader as bailey-engine is.
		name, err := os.Readlink("/proc/self/exe")
		if err != nil {
			return nil, err
		}
		if program, err = os.Open(name + nativeSuffix); err != nil {
			return nil, err
		}
		defer program.Close()
	}
	if ownBinary()[r.Attack] != nil {
		if program, err = s.copied(program); err != nil {
			return nil, err
		}
		defer program.Close()
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	conn, theirs := os.NewFile(uintptr(pair[0]), "core"), os.NewFile(uintptr(pair[1]), "worker")
	defer theirs.Close()
	stderr, w, err := stderrFor(r.Attack)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	h := &hostile{attack: r.Attack, conn: conn, in: bufio.NewReader(conn), stderr: stderr, spec: spec, bare: r.Mode == "bare", scene: s}
	mode, level2 := strings.CutPrefix(r.Mode, level2Mode)
	mode, wrapped := strings.CutPrefix(mode, wrappedMode)
	without, partial := strings.CutPrefix(mode, "without:")
	o := s.order
	o.Kind, o.Class = spec.Kind, spec.Class.String()
	if r.Mode == "bare" {
		attr := &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{0, 0, w.Fd(), theirs.Fd()},
			Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: r.Attack == terminalAttack, Ctty: 2},
		}
		if os.Geteuid() == 0 {
			// An attack that succeeds must not change the machine that the
			// tests run on.
			attr.Sys.Unshareflags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS
		}
		if h.pid, err = syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", program.Fd()), []string{spec.Program, r.Kind}, attr); err != nil {
			return nil, err
		}
	} else {
		c := sandbox.Config{Spec: spec, Worker: program, Stub: self, Conn: theirs, Stderr: w}
		mounts, free, err := s.mounts(spec)
		if err != nil {
			return nil, err
		}
		defer free()
		c.Mounts = mounts
		spec = sandbox.Narrow(spec, mounts)
		h.spec = spec
		// What draws is sealed by its stub, if at all.
		o.Grant, o.Data, o.Engine, o.Seal = inside(spec, false), inside(spec, true), "/engine", spec.Class != workerspec.Host
		level := workerspec.FullLevel
		if wrapped {
			level, c = workerspec.WrappedLevel, c.RefusedToBailey()
		}
		if level2 {
			level, c = workerspec.ReducedLevel, c.RefusedNamespaces()
			// The worker knows where it is on the host, and root's may go there: its own
			// id is not what refuses.
			o.Grant, o.Data, o.Engine = s.Grant, s.Data, s.Engine
			if err := os.Chmod(s.base, 0o755); err != nil {
				return nil, err
			}
		}
		if partial {
			var layers []workerspec.Layer
			for _, l := range strings.Split(without, ",") {
				layers = append(layers, workerspec.Layer(l))
				o.Seal = o.Seal && workerspec.Layer(l) != workerspec.SeccompStrict
			}
			c = c.Without(layers...)
		}
		if h.proc, err = sandbox.Start(context.Background(), c); err != nil {
			return nil, err
		}
		h.pid = h.proc.PID()
		if h.spec = h.proc.Spec(); h.spec.Level() != level {
			h.kill()
			return nil, fmt.Errorf("%w: %s", errLevel, h.spec.Level())
		}
	}
	theirs.Close()
	w.Close()
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return h, err
	}
	a, err := h.receive()
	if err != nil || !a.Sealed {
		return h, fmt.Errorf("the worker did not get ready: %w", err)
	}
	return h, nil
}

// mounts opens what a kind's worker is given: a grant to read, and to write either
// a directory of its own or a second grant. Free closes it.
func (s *scene) mounts(spec workerspec.Spec) (mounts []sandbox.Mount, free func(), err error) {
	code, err := syslibs.Open(spec, s.base+"/engine")
	if err != nil {
		return nil, nil, err
	}
	var opened []*os.File
	free = func() {
		code.Close()
		for _, f := range opened {
			f.Close()
		}
	}
	mounts = code.Mounts
	persons := 0
	for _, m := range spec.Mounts {
		if m.Code {
			continue
		}
		path, write := s.Grant, m.Write
		switch {
		case m.Own && !m.Write:
			path = s.base + "/cache"
		case m.Own:
			path = s.Data
		default:
			if persons++; persons > 2 {
				continue
			}
			if m.Choice {
				write = persons == 2
			}
			if write {
				path = s.Data
			}
		}
		d := s.opened[m.Target]
		if d == nil {
			if d, err = openPath(path); err != nil {
				free()
				return nil, nil, err
			}
			opened = append(opened, d)
		}
		mounts = append(mounts, sandbox.Mount{Target: m.Target, Dir: d, Path: path, Write: write})
	}
	return mounts, free, nil
}

// errLevel says that a worker is not at the level that a mode asks for.
var errLevel = errors.New("the worker is at another level")

// level2Mode begins a mode without namespaces, wrappedMode one with bubblewrap's.
const (
	level2Mode  = "level2:"
	wrappedMode = "bwrap:"
)

// nativeSuffix ends the name of the attacker that is linked to libraries.
const nativeSuffix = "-native"

// inside is where a directory of a scene stands in a worker's root, or what the
// worker has in its place.
func inside(spec workerspec.Spec, write bool) string {
	at := "/"
	for _, m := range spec.Mounts {
		if m.File {
			continue
		}
		if at = m.Target; m.Write == write {
			break
		}
	}
	return at
}

// opensNothing says that what the worker reads comes as a descriptor.
func opensNothing(spec workerspec.Spec) bool {
	return !slices.ContainsFunc(spec.Syscalls, func(c workerspec.Syscall) bool { return c.Name == "openat" })
}

// begin tells the worker to attack, and hands it the model: for reading alone, as
// the core does, or in a bare run for writing too.
func (h *hostile) begin() error {
	var rights []byte
	if h.attack == honestAttack && h.spec.Kind == "gate" {
		// Somebody knocks.
		knock, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", h.scene.Port))
		if err != nil {
			return err
		}
		h.scene.closers = append(h.scene.closers, knock)
		f, err := h.scene.tcp.File()
		if err != nil {
			return err
		}
		defer f.Close()
		rights = unix.UnixRights(int(f.Fd()))
	} else if opensNothing(h.spec) {
		flags := os.O_RDONLY
		if h.bare {
			flags = os.O_RDWR
		}
		f, err := os.OpenFile(h.scene.Host+"/model", flags, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		rights = unix.UnixRights(int(f.Fd()))
	}
	return unix.Sendmsg(int(h.conn.Fd()), []byte(beginWord), rights, nil, unix.MSG_NOSIGNAL)
}

func openPath(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

const terminalAttack = "push terminal input"

// honestAttack is no attack: the worker does what it is for.
const honestAttack = "honest work"

// stderrFor returns a pipe, or a terminal for the attack that needs one.
func stderrFor(attack string) (r, w *os.File, err error) {
	if attack != terminalAttack {
		return os.Pipe()
	}
	if r, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(int(r.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	w, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return r, w, err
}

func (h *hostile) receive() (answer, error) {
	h.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var a answer
	line, err := h.in.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

// do makes one run.
func (r Run) do() (res Result, err error) {
	if strings.HasPrefix(r.Mode, foreignMode) {
		return r.foreign()
	}
	res.Run = r
	s, err := newScene(r.Attack)
	if s != nil {
		defer s.Close()
	}
	if err != nil {
		return res, err
	}
	h, err := r.start(s)
	if h != nil {
		defer h.conn.Close()
		defer h.stderr.Close()
	}
	if err != nil {
		if h != nil {
			h.kill()
			h.wait(&res)
			res.Stderr, _ = h.said()
			err = fmt.Errorf("%w; the worker ended by signal %d", err, res.Killed)
		}
		return res, err
	}
	res.Posture = h.posture()
	if err := h.begin(); err != nil {
		h.kill()
		h.wait(&res)
		res.Stderr, _ = h.said()
		return res, fmt.Errorf("%w; the worker ended by signal %d", err, res.Killed)
	}
	a, answered := h.receive()
	res.answer = a
	h.conn.Close()
	time.AfterFunc(10*time.Second, h.kill)
	h.wait(&res)
	res.Stderr, res.Outlived = h.said()
	if err := endLeftovers(); err != nil {
		return res, err
	}
	if answered != nil && res.Killed == 0 {
		return res, fmt.Errorf("no answer: %w", answered)
	}
	return res, nil
}

// endLeftovers kills and reaps what outlived its worker.
func endLeftovers() error {
	kids, err := proc.Children(os.Getpid())
	if err != nil {
		return err
	}
	for _, pid := range kids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil && !errors.Is(err, syscall.ECHILD) {
			return err
		}
	}
	return nil
}

func (h *hostile) kill() {
	if h.proc != nil {
		h.proc.Kill()
	} else {
		unix.Kill(h.pid, unix.SIGKILL)
	}
}

func (h *hostile) wait(res *Result) {
	if h.proc != nil {
		e, _ := h.proc.Wait(context.Background())
		res.Killed, res.Forbidden = e.Signal, e.Forbidden
		return
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(h.pid, &ws, 0, nil); err == nil && ws.Signaled() {
		res.Killed = int(ws.Signal())
	}
}

// said returns what the worker wrote, and whether something still holds the
// writing end after a second.
func (h *hostile) said() (text string, outlived bool) {
	h.stderr.SetReadDeadline(time.Now().Add(time.Second))
	b, err := io.ReadAll(io.LimitReader(h.stderr, 64<<10))
	return string(b), errors.Is(err, os.ErrDeadlineExceeded)
}

// hold starts a worker that ignores its connection, says its process id, and
// waits to be killed.
func hold(kind, mode string) error {
	s, err := newScene("spin")
	if err != nil {
		return err
	}
	h, err := Run{Attack: "spin", Kind: kind, Mode: mode}.start(s)
	if err != nil {
		return err
	}
	if err := h.begin(); err != nil {
		return err
	}
	if !proc.Alive(h.pid) {
		return errors.New("the worker ended")
	}
	fmt.Println(h.pid, s.base)
	select {}
}
