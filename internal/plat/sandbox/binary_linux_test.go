package sandbox

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestProgramInstalledAnew: a core starts workers of the program that it opened, from a
// mount that cannot be written, whatever stands at its name by then.
func TestProgramInstalledAnew(t *testing.T) {
	for what, change := range map[string]func(name string) error{
		"as it was": func(string) error { return nil },
		"gone":      os.Remove,
		"replaced": func(name string) error {
			if err := os.Remove(name); err != nil {
				return err
			}
			return os.WriteFile(name, []byte("another"), 0o755)
		},
	} {
		t.Run(what, func(t *testing.T) {
			c, conn, _ := config(t, realDir(t), realDir(t))
			name := filepath.Join(realDir(t), "program")
			c.Worker = copyProgram(t, c.Worker, name)
			if err := change(name); err != nil {
				t.Fatal(err)
			}
			at, err := c.Worker.Seek(0, io.SeekCurrent)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { p.Kill(); <-p.Done() }()
			r := &running{p, t, conn, bufio.NewReader(conn), nil, "", c.Spec}
			r.seal()
			pos, err := p.Posture()
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(pos, c.Spec); err != nil {
				t.Error(err)
			}
			if now, err := c.Worker.Seek(0, io.SeekCurrent); err != nil || now != at {
				t.Errorf("the core's descriptor is at %d, %v, and was at %d", now, err, at)
			}
		})
	}
}

// copyProgram copies a program, and opens it as the core does.
func copyProgram(t *testing.T, from *os.File, name string) *os.File {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(from, 0, 1<<30))
	if err == nil {
		err = os.WriteFile(name, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
