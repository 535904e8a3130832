//go:build bailey_hostile

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch args[0] {
	case workerspec.WorkerProgram, workerspec.EngineProgram, workerspec.WindowProgram:
		return worker(args)
	case writerName:
		return writer(args[1])
	}
	if err := launch(args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "attacker:", err)
		return 1
	}
	return 0
}

// order is what the launcher tells the hostile worker.
type order struct {
	Attack string `json:"attack"`
	// Kind and Class are the worker's.
	Kind  string `json:"kind"`
	Class string `json:"class"`
	// Grant and Data are where the two directories of the index worker stand;
	// in a bare run their real paths, and in a worker that has no such directory
	// another that it has.
	Grant string `json:"grant"`
	Data  string `json:"data"`
	// Engine is where what an engine is made of stands.
	Engine string `json:"engine"`
	// Host is a directory of the same user outside the grant, with a file
	// "secret".
	Host string `json:"host"`
	// Core is the launcher's process id on the host.
	Core int `json:"core"`
	// Marker is where marker stands in the launcher's memory.
	Marker uintptr `json:"marker"`
	// Port is a TCP and UDP port on the host's loopback, Abstract a listening
	// abstract socket, Vsock and so on need no name.
	Port     int    `json:"port"`
	Abstract string `json:"abstract"`
	// Machine is what the host is called.
	Machine string `json:"machine"`
	// Seal says whether the strict filter goes on.
	Seal bool `json:"seal"`
}

// answer is what came of an attack: errno 0 is success.
type answer struct {
	Errno  int    `json:"errno"`
	Got    string `json:"got,omitempty"`
	Sealed bool   `json:"sealed,omitempty"`
}

const connFD = 3

// beginWord is what the launcher says when it has looked at the sealed worker.
const beginWord = "begin\n"

// handedFD is where a worker keeps the descriptor that came with the order to
// begin.
const handedFD = 20

// begin waits for the launcher's word, and takes the descriptor that may ride on
// it.
func begin() error {
	b, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(connFD, b, oob, 0)
	if err != nil || string(b[:n]) != beginWord {
		return fmt.Errorf("%q: %w", b[:n], err)
	}
	if oobn == 0 {
		return nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, handedFD); err != nil {
		return err
	}
	return unix.Close(fds[0])
}

// prepare has ready what an attack needs.
func prepare(o order) (func() answer, error) {
	if text, ok := strings.CutPrefix(o.Attack, "call "); ok {
		return call(text, o)
	}
	make, ok := attacks()[o.Attack]
	if !ok {
		return nil, fmt.Errorf("none is called %q", o.Attack)
	}
	return make(o), nil
}

// worker is the hostile worker: it prepares what an attacker would have ready,
// seals itself as an honest one does, and attacks.
func worker(args []string) int {
	debug.SetGCPercent(-1)
	conn := os.NewFile(connFD, "conn")
	var o order
	// To the end of its line: what is left would be taken for the word to begin.
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		return 2
	}
	act, err := prepare(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		return 2
	}
	if o.Seal {
		in, ok := sandbox.Started(args[1:])
		if !ok {
			return 2
		}
		if err := sandbox.Seal(in.Spec); err != nil {
			fmt.Fprintln(os.Stderr, "seal:", err)
			return 2
		}
	}
	out := json.NewEncoder(conn)
	// The launcher looks at a sealed worker before it lets it attack.
	if err := out.Encode(answer{Sealed: true}); err != nil {
		return 2
	}
	if err := begin(); err != nil {
		fmt.Fprintln(os.Stderr, "begin:", err)
		return 2
	}
	a := act()
	if err := out.Encode(a); err != nil {
		return 2
	}
	return 0
}
