package consent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

func TestMain(m *testing.M) { os.Exit(desk.Main(m, build)) }

// step is one of the window's, see host.
type step struct {
	Paths  []string `json:"paths"`
	Same   bool     `json:"same"`
	Want   string   `json:"want"`
	Reload bool     `json:"reload"`
}

// stories are what windows ask, by name. Each has a core of its own, because the
// steps stand in the bundle that a core is linked with.
func stories(dir string) map[string][]step {
	in := func(names ...string) (out []string) {
		for _, n := range names {
			out = append(out, filepath.Join(dir, "folders", n))
		}
		return out
	}
	return map[string][]step{
		"answers": {
			{Paths: in("a"), Want: "live"},
			{Paths: in("b", "c"), Want: "live denied"},
			{Paths: in("d"), Want: "denied"},
			{Paths: in("d"), Want: "denied:denied", Same: true},
			{Paths: in("d"), Want: "denied:blocked"},
			{Paths: in("d"), Want: "denied:blocked"},
			{Paths: in("e"), Want: "denied:prompt-failed"},
			{Paths: in("e"), Want: "live"},
		},
		"gone": {
			{Paths: in("a"), Reload: true},
			{Paths: in("b"), Want: "live"},
		},
	}
}

// build makes the programs as they are shipped, the tests' window among them.
func build(dir string) error {
	top, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	run := func(argv ...string) ([]byte, error) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, out, said.Bytes())
		}
		return out, nil
	}
	parts := filepath.Join(dir, "parts")
	if err := os.Mkdir(parts, 0o755); err != nil {
		return err
	}
	for name, pkg := range map[string]string{"bailey": "./cmd/bailey", "bailey-worker": "./cmd/bailey-worker", "bailey-window": "./test/window/consent/host"} {
		if _, err := run("go", "build", "-trimpath", "-o", filepath.Join(parts, name), pkg); err != nil {
			return err
		}
	}
	if err := compile(filepath.Join(top, "cmd/bailey-prompt"), filepath.Join(parts, "bailey-prompt")); err != nil {
		return err
	}
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		at := filepath.Join(dir, "folders", n)
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(at+"/notes.txt", []byte("The harbour closes at nine in the evening.\n"), 0o644)); err != nil {
			return err
		}
	}
	for name, steps := range stories(dir) {
		bin, page := filepath.Join(dir, name), filepath.Join(dir, name+".page")
		b, err := json.Marshal(steps)
		if err != nil {
			return err
		}
		err = errors.Join(os.MkdirAll(bin+"/apps", 0o755), os.Mkdir(page, 0o755), os.WriteFile(page+"/steps.json", b, 0o644), os.WriteFile(page+"/index.html", []byte("<!doctype html>"), 0o644))
		if err != nil {
			return err
		}
		if _, err := run("go", "run", "./tools/packapp", page, bin+"/apps/studio.tar"); err != nil {
			return err
		}
		flags, err := run("go", "run", "./tools/packapp", "-flags", bin+"/apps")
		if err != nil {
			return err
		}
		if _, err := run("go", "build", "-trimpath", "-ldflags", strings.ReplaceAll(string(flags), "\n", " "), "-o", bin+"/bailey-core", "./cmd/bailey-core"); err != nil {
			return err
		}
		for _, part := range []string{"bailey", "bailey-worker", "bailey-window", "bailey-prompt"} {
			if err := os.Link(filepath.Join(parts, part), filepath.Join(bin, part)); err != nil {
				return err
			}
		}
	}
	return nil
}

func compile(from, to string) error {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gtk4", "x11").Output()
	if err != nil {
		return fmt.Errorf("pkg-config gtk4 x11: %w", err)
	}
	files, err := filepath.Glob(from + "/*.c")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no sources: %w", err)
	}
	args := append(append([]string{"-std=gnu11", "-O2", "-o", to}, files...), strings.Fields(string(flags))...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return nil
}

// story is a window that asks, and the person at its desk.
type story struct {
	t      *testing.T
	d      *desk.Desk
	name   string
	studio *desk.Process
	// host is the window's process.
	host int
}

func open(t *testing.T, name string, env ...string) *story {
	t.Helper()
	s := &story{t: t, d: desk.Start(t, desk.Options{}), name: name}
	cmd := s.command("studio", "--json")
	cmd.Env = append(cmd.Env, env...)
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	s.studio = s.d.Run(cmd)
	w.Close()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no window: %v\n%s", err, s.studio.Words())
	}
	var opened struct{ PID int }
	must(t, json.Unmarshal(line, &opened))
	s.host = opened.PID
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := s.command("audit", "show").Output()
			words, _ := filepath.Glob(s.d.Home + "/bailey/*/*.log")
			more, _ := filepath.Glob(s.d.Home + "/bailey/*.log")
			for _, w := range append(words, more...) {
				b, _ := os.ReadFile(w)
				log = append(append(log, "\n"+w+"\n"...), b...)
			}
			t.Logf("the record, and what the core said:\n%s", log)
		}
		_ = s.command("stop").Run()
	})
	return s
}

func (s *story) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(desk.Dir(), s.name, "bailey"), append(args, "--home", s.d.Home+"/bailey")...)
	cmd.Env = s.d.Env()
	return cmd
}

func (s *story) bailey(args ...string) []byte {
	s.t.Helper()
	cmd := s.command(args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("bailey %s: %v\n%s%s", strings.Join(args, " "), err, out, said.Bytes())
	}
	return out
}

// asked waits for the prompt, and until it can be answered, and returns where "yes"
// is.
func (s *story) asked() image.Point { s.t.Helper(); return s.askedBy(title) }

func (s *story) askedBy(title string) image.Point {
	s.t.Helper()
	w := s.d.Await(title)
	s.d.AwaitActive(w)
	var at image.Point
	s.d.Until("the prompt to take an answer", func() bool {
		if s.studio.Ended() {
			s.t.Fatalf("the window is gone:\n%s", s.studio.Words())
		}
		var ok bool
		at, ok = yes(s.d.Screen())
		return ok
	})
	return at
}

const title = "Bailey asks for your permission"

// yes is the middle of the button that says so: the only thing that is filled with
// the key colour, and only while it can be pressed.
func yes(im *image.RGBA) (image.Point, bool) {
	var r image.Rectangle
	for y := range im.Rect.Dy() {
		for x := range im.Rect.Dx() {
			if c := im.RGBAAt(x, y); c.R == 0x1d && c.G == 0x56 && c.B == 0xc4 {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return image.Pt((r.Min.X+r.Max.X)/2, r.Min.Y+4), r.Dx() >= 50 && r.Dy() >= 20
}

// records are the log's, each as it is printed by --json.
func (s *story) records(match func(record) bool) (out []record) {
	s.t.Helper()
	for line := range bytes.Lines(s.bailey("audit", "show", "--json")) {
		var r record
		must(s.t, json.Unmarshal(line, &r))
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

type record struct {
	Kind, App, Surface, Decision, By, Code, Grant, Task string
	Detail                                              map[string]string
}

// grants are the rows of `grant list`.
func (s *story) grants(state string) (out []grantRow) {
	s.t.Helper()
	var list struct{ Grants []grantRow }
	must(s.t, json.Unmarshal(s.bailey("grant", "list", "--json"), &list))
	for _, g := range list.Grants {
		if g.State == state {
			out = append(out, g)
		}
	}
	return out
}

type grantRow struct {
	ID, Kind, Scope, Holder, State string
	DecidedBy                      string `json:"decided_by"`
}

// prompts are the processes that show one below this story's core.
func (s *story) prompts() (out []int) {
	s.t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	must(s.t, err)
	core := filepath.Join(desk.Dir(), s.name, "bailey-core")
	for _, n := range names {
		if b, err := os.ReadFile(n); err != nil || string(b) != "bailey-prompt\n" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(n)))
		must(s.t, err)
		if slices.ContainsFunc(above(pid), func(p int) bool {
			// Its link to the program is closed to us.
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
			return err == nil && strings.HasPrefix(string(line), core+"\x00")
		}) {
			out = append(out, pid)
		}
	}
	return out
}

// above are the processes that a process comes from.
func above(pid int) (out []int) {
	for pid > 1 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return out
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if pid, err = strconv.Atoi(f[1]); err != nil {
			return out
		}
		out = append(out, pid)
	}
	return out
}

func kill(t *testing.T, pid int) { t.Helper(); must(t, syscall.Kill(pid, syscall.SIGKILL)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
