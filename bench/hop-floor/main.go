// hop-floor is the least that stands between a window and a worker: a process
// that reads a frame from one socket and writes it to another, and back again.
// It validates nothing, knows no grants and records nothing. What a call costs
// beyond the floor's own reply and this is Bailey's.
//
// The two processes read as the core and a worker do, by Go's poller; the
// measuring one as the window does, which is C. It prints one JSON object:
// microseconds of each round trip of 200 bytes, back to back and with the pause
// that is its argument before each.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	header, payload = 16, 200
	warm, calls     = 500, 3000
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "relay":
		err = relay()
	case len(os.Args) == 2 && os.Args[1] == "echo":
		err = echo()
	default:
		err = measure(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hop-floor:", err)
		os.Exit(1)
	}
}

// Figures are what is printed: microseconds.
type Figures struct {
	BackToBack []float64 `json:"back_to_back"`
	Paced      []float64 `json:"paced"`
	PauseUS    int       `json:"pause_us"`
}

func measure(args []string) error {
	pause := 150 * time.Microsecond
	if len(args) > 0 {
		us, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		pause = time.Duration(us) * time.Microsecond
	}
	outer, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	inner, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		role string
		fds  []int
	}{{"relay", []int{outer[1], inner[0]}}, {"echo", []int{inner[1]}}} {
		cmd := exec.Command("/proc/self/exe", c.role)
		cmd.Stderr = os.Stderr
		for _, fd := range c.fds {
			f := os.NewFile(uintptr(fd), c.role)
			defer f.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		// They end when their sockets do, which is when this process does.
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	out := Figures{PauseUS: int(pause.Microseconds())}
	if out.BackToBack, err = round(outer[0], 0); err != nil {
		return err
	}
	if out.Paced, err = round(outer[0], pause); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func round(fd int, pause time.Duration) ([]float64, error) {
	b := make([]byte, header+payload)
	binary.LittleEndian.PutUint32(b, payload)
	in := make([]byte, len(b))
	took := make([]float64, 0, calls)
	for i := range warm + calls {
		if pause > 0 {
			time.Sleep(pause)
		}
		at := time.Now()
		if _, err := unix.Write(fd, b); err != nil {
			return nil, err
		}
		for n := 0; n < len(in); {
			m, err := unix.Read(fd, in[n:])
			if err != nil || m == 0 {
				return nil, fmt.Errorf("the relay is gone: %w", err)
			}
			n += m
		}
		if i >= warm {
			took = append(took, float64(time.Since(at).Nanoseconds())/1e3)
		}
	}
	return took, nil
}

func conn(fd uintptr) (net.Conn, error) {
	f := os.NewFile(fd, "socket")
	defer f.Close()
	return net.FileConn(f)
}

// pass carries frames one way until one end is closed.
func pass(to io.Writer, from io.Reader) error {
	b := make([]byte, header+(64<<10))
	for {
		if _, err := io.ReadFull(from, b[:header]); err != nil {
			return err
		}
		n := header + int(binary.LittleEndian.Uint32(b))
		if n > len(b) {
			return fmt.Errorf("a frame of %d bytes", n)
		}
		if _, err := io.ReadFull(from, b[header:n]); err != nil {
			return err
		}
		if _, err := to.Write(b[:n]); err != nil {
			return err
		}
	}
}

func relay() error {
	window, err := conn(3)
	if err != nil {
		return err
	}
	worker, err := conn(4)
	if err != nil {
		return err
	}
	go func() { _ = pass(window, worker) }()
	// The end of the window is the end.
	_ = pass(worker, window)
	return nil
}

func echo() error {
	c, err := conn(3)
	if err != nil {
		return err
	}
	_ = pass(c, c)
	return nil
}
