package desk

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(Main(m, nil)) }

// browser is a program with a window that the web view's library brings along.
const browser = "/usr/lib/x86_64-linux-gnu/webkitgtk-6.0/MiniBrowser"

// TestDesk: there is an ordinary user, a screen, a window manager, keys that
// arrive, and a picture of it all.
func TestDesk(t *testing.T) {
	d := Start(t, Options{Accessible: true})
	if os.Geteuid() == 0 {
		t.Fatal("root sits at the desk")
	}
	if n := Colours(d.Screen(), 10); n != 1 {
		t.Errorf("an empty screen has %d colours", n)
	}
	d.Run(exec.Command(browser, "--private", "data:text/html,<title>empty</title>"))
	w := d.Await("empty")
	d.AwaitActive(w)
	d.Until("the page to be painted", func() bool { return Colours(d.Screen(), 10) == 10 })
	// Where an address is typed.
	d.Key("Control+l")
	d.Type("data:text/html;charset=utf-8,<title>Größe+1 ★!</title>\n")
	d.Await("Größe+1 ★!")
	d.Shot("desk")
	d.Close(w)
	d.Gone("Größe")
}

// TestCompositor: a Wayland compositor maps a window. It has no seat.
func TestCompositor(t *testing.T) {
	c := Weston(t)
	cmd := exec.Command(browser, "--private", "--exit-after-load", "data:text/html,<title>shown</title>")
	cmd.Env = c.Env("GDK_BACKEND=wayland")
	p := c.Run(cmd)
	Until(t, "the page to be loaded", p.Ended)
	if !p.ProcessState.Success() {
		t.Error("the window could not be shown:", p.ProcessState)
	}
}

// TestNothingIsLeft: what a desk consists of ends with the test.
func TestNothingIsLeft(t *testing.T) {
	var parts []*Process
	t.Run("desk", func(t *testing.T) {
		d := Start(t, Options{})
		parts = append(parts, d.server)
	})
	for _, p := range parts {
		if !p.Ended() {
			t.Error("the X server outlives its test")
		}
	}
}

// TestBegin: a program on the desk outlasts every thread of the process that started
// it. The control is one that a thread starts which ends.
func TestBegin(t *testing.T) {
	program := func() *exec.Cmd {
		cmd := exec.Command("sleep", "infinity")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	on := func(begin func(*exec.Cmd) error) *exec.Cmd {
		cmd, begun := program(), make(chan error)
		var start func()
		start = func() {
			runtime.LockOSThread() // never unlocked: the thread ends too
			if unix.Gettid() == os.Getpid() {
				// The first thread does not. While this one has it no other can.
				defer runtime.UnlockOSThread()
				other := make(chan struct{})
				go func() { defer close(other); start() }()
				<-other
				return
			}
			begun <- begin(cmd)
		}
		go start()
		must(t, <-begun)
		return cmd
	}
	lasting, control := on(Begin), on((*exec.Cmd).Start)
	if err := control.Wait(); err == nil || control.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("what a thread started that ended: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- lasting.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("what Begin started ended with the thread that asked for it: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, lasting.Process.Kill())
	<-ended
}
