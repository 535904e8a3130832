package sandbox

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// The test binary is its own worker: started as a stub it builds the sandbox,
// started as a worker it does what its argument says.
func TestMain(m *testing.M) {
	if stub, err := Stub(os.Args); stub {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Args[0] == workerspec.WorkerProgram || os.Args[0] == workerspec.EngineProgram {
		os.Exit(workerMain(os.Args[1:]))
	}
	switch os.Args[0] {
	case foreignName:
		os.Exit(foreignMain())
	case overlayName:
		os.Exit(onOverlay(os.Args[1]))
	case filteredName:
		if err := withFilter(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case refusedName:
		os.Exit(whereRefused(os.Args[1], os.Args[2]))
	}
	remove, err := buildWorker()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	remove()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// workerPath is the binary that serves as worker: this one, unless it needs a
// loader, which the empty root does not have (the race detector needs C).
var workerPath = "/proc/self/exe"

func buildWorker() (remove func(), err error) {
	self, err := elf.Open(workerPath)
	if err != nil {
		return nil, err
	}
	defer self.Close()
	if !slices.ContainsFunc(self.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "bailey-worker")
	if err != nil {
		return nil, err
	}
	// The tests start it as another user too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	workerPath = filepath.Join(dir, "worker")
	cmd := exec.Command("go", "test", "-c", "-o", workerPath, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return func() { os.RemoveAll(dir) }, nil
}

// workerMain reads one-letter orders from the connection and answers each.
func workerMain(args []string) int {
	in, ok := Started(args)
	if !ok {
		in, ok = Started(args[:1])
	}
	if !ok {
		return 2
	}
	spec := in.Spec
	conn := os.NewFile(connFD, "conn")
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	b := make([]byte, 1)
	for {
		if _, err := conn.Read(b); err != nil {
			return 0
		}
		var answer any = "ok"
		var err error
		switch b[0] {
		case 's':
			err = Seal(spec)
		case 'e':
			answer = Probe(spec, true)
		case 'p':
			answer = Probe(spec, false)
		case 'u':
			err = MakeUndumpable()
		case 'l':
			answer, err = list("/grant")
		case 'a':
			answer = args
		case 'r':
			var text []byte
			text, err = os.ReadFile("/grant/note.txt")
			answer = string(text)
		case 'g':
			answer, err = grantNames(in)
		case 'd':
			err = os.WriteFile(in.Dir("/db")+"/made", []byte("x"), 0o600)
		case 'w':
			err = os.WriteFile("/db/made", []byte("x"), 0o600)
		case 'L':
			answer, err = list(argument(conn))
		case 'R':
			answer = readText(argument(conn))
		case 'm':
			unix.Unmount("/", 0)
		case 'x':
			return 7
		}
		if err != nil {
			return fail(err)
		}
		if err := json.NewEncoder(conn).Encode(answer); err != nil {
			return fail(err)
		}
	}
}

// grantNames lists the person's directory as a worker opens it.
func grantNames(in Inside) ([]string, error) {
	d, err := in.Grant()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names := []string{}
	found, _, err := d.List(100)
	for _, n := range found {
		names = append(names, n.Name)
	}
	return names, err
}

func list(dir string) ([]string, error) {
	es, err := os.ReadDir(dir)
	names := []string{}
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names, err
}

// argument reads the argument of an order.
func argument(conn *os.File) string {
	b := make([]byte, 1)
	if _, err := io.ReadFull(conn, b); err != nil {
		return ""
	}
	b = make([]byte, b[0])
	io.ReadFull(conn, b)
	return string(b)
}

// readText returns a file, or why it cannot be read.
func readText(path string) string {
	b, err := os.ReadFile(path)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return string(b)
}
