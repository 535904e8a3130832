// Package e2e runs the real binaries against real folders and looks at them
// from outside, as a stranger would: what the processes are confined to, what
// they listen on, what is left when any of them is killed.
//
// As root every test also runs the binaries as an ordinary user.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// ordinary is the user that root's tests run as, besides root.
const ordinary = 12321

// wait bounds everything that is awaited; a promise in milliseconds is held at
// ten times its value.
const wait = 20 * time.Second

// asOrdinary is set in the environment of a test binary that root has started
// again as an ordinary user.
const asOrdinary = "BAILEY_E2E_BIN"

type binaries struct{ dir string }

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

func TestMain(m *testing.M) {
	if os.Args[0] == idle {
		_, _ = os.Stdout.WriteString("x")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if dir := os.Getenv(asOrdinary); dir != "" {
		bins.dir = dir
		return m.Run()
	}
	dir, err := os.MkdirTemp("/var/tmp", "bailey-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "github.com/bailey-run/bailey/cmd/bailey", "github.com/bailey-run/bailey/cmd/bailey-core", "github.com/bailey-run/bailey/cmd/bailey-worker", "github.com/bailey-run/bailey/cmd/bailey-engine")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
		return 1
	}
	if err := linkBad(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for place, pkg := range map[string]string{"bad": "./badworker", "raw": "./rawworker"} {
		cmd = exec.Command("go", "build", "-trimpath", "-o", dir+"/"+place+"/bailey-worker", pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
			return 1
		}
	}
	if err := engineFiles(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bins.dir = dir
	code := m.Run()
	if os.Geteuid() == 0 && code == 0 {
		code = again(dir)
	}
	return code
}

// bins is where the binaries are; TestMain sets it before any test runs.
var bins binaries

// again runs the same tests as an ordinary user.
func again(dir string) int {
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(dir+"/e2e.test", self, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tmp := dir + "/tmp"
	if err := errors.Join(os.Mkdir(tmp, 0o700), os.Chown(tmp, ordinary, ordinary)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("--- the same as an ordinary user")
	cmd := exec.Command(dir+"/e2e.test", os.Args[1:]...)
	cmd.Args = append(cmd.Args, "-test.testlogfile=", "-test.coverprofile=", "-test.gocoverdir=")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tmp, "TMPDIR=" + tmp, asOrdinary + "=" + dir}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "as an ordinary user:", err)
		return 1
	}
	return 0
}

// place is one test's home and folder.
type place struct {
	t      *testing.T
	home   string
	folder string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, home: base + "/home", folder: base + "/folder"}
	for _, d := range []string{p.home, p.folder} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write("release.md", "# Release\n\nA release is signed by the release key, which lives on a hardware token. Two people must approve it.\n")
	p.write("notes.txt", "The meeting room has a blue door.\n\nLunch is served at noon in the canteen on the second floor.\n")
	t.Cleanup(func() { p.gone(wait) })
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		p.t.Fatal(err)
	}
}

// many fills the folder with enough text to keep a worker busy.
func (p *place) many(files int) {
	for i := range files {
		var b strings.Builder
		for j := range 200 {
			fmt.Fprintf(&b, "Paragraph %d of file %d speaks of subject %d, which differs from subject %d in number %d.\n\n", j, i, (i*31+j)%997, (i+j*17)%991, i*j)
		}
		p.write(fmt.Sprintf("many/%03d/%05d.txt", i%100, i), b.String())
	}
}

// bailey runs the command line.
func (p *place) bailey(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), errb.String(), cmd.ProcessState.ExitCode()
}

func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(bins.path("bailey"), append(args, "--home", p.home)...)
	cmd.Dir = "/"
	return cmd
}

// mustAnswer asks the standard question and wants its answer.
func (p *place) mustAnswer() {
	p.t.Helper()
	out, errs, code := p.bailey("ask", p.folder, "how is a release signed?", "--allow-read", p.folder, "--json")
	if code != 0 {
		p.t.Fatalf("ask gave %d: %s", code, errs)
	}
	var a struct {
		Sentences []struct {
			Text      string
			Citations []struct {
				Path  string
				Line  int
				Quote string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		p.t.Fatalf("%v in %s", err, out)
	}
	if len(a.Sentences) == 0 || !strings.Contains(a.Sentences[0].Text, "hardware token") {
		p.t.Fatalf("no answer in %s", out)
	}
	c := a.Sentences[0].Citations[0]
	if c.Line != 3 || !strings.HasSuffix(c.Path, "release.md") {
		p.t.Fatalf("cited %+v", c)
	}
}

// connect reaches the place's core, starting it.
func (p *place) connect() *client.Client {
	p.t.Helper()
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := client.Dial(p.t.Context(), h, client.Options{Release: release.Version(), Core: bins.path("bailey-core"), Env: env.Read().ForCore()})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

// grant begins a task and grants it the folder by command line.
func (p *place) grant(c *client.Client, wants ...*grantv1.Want) (task string, g *grantv1.Granted) {
	p.t.Helper()
	task, g, err := p.tryGrant(c, wants...)
	if err != nil {
		p.t.Fatal(err)
	}
	return task, g
}

func (p *place) task(c *client.Client) string {
	p.t.Helper()
	t, err := c.Core.BeginTask(p.t.Context(), &corev1.BeginTaskRequest{Verb: "ask"})
	if err != nil {
		p.t.Fatal(err)
	}
	return t.Task
}

// want is the folder, to read.
func (p *place) want() []*grantv1.Want {
	return []*grantv1.Want{{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p.folder)}}
}

func (p *place) tryGrant(c *client.Client, wants ...*grantv1.Want) (string, *grantv1.Granted, error) {
	p.t.Helper()
	ctx := p.t.Context()
	task := p.task(c)
	if len(wants) == 0 {
		wants = p.want()
	}
	q, err := c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: task, Wants: wants})
	if err != nil {
		return task, nil, err
	}
	d, err := c.Grant.Decide(ctx, &grantv1.DecideRequest{Proposal: q.Proposal, ActionHash: q.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0}})
	if err != nil {
		return task, nil, err
	}
	return task, d.Grants[0], nil
}

// worker returns the one worker of a core.
func (p *place) worker(core int) int {
	p.t.Helper()
	kids := p.workers(core)
	if len(kids) != 1 {
		p.t.Fatalf("the core has %d workers", len(kids))
	}
	return kids[0]
}

func (p *place) workers(core int) []int {
	p.t.Helper()
	kids, err := proc.Children(core)
	if err != nil {
		p.t.Fatal(err)
	}
	// A child that still has the core's name has executed nothing: one of those by
	// which the core finds out where workers may be born.
	own, err := proc.Cmdline(core)
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.DeleteFunc(kids, func(pid int) bool {
		args, err := proc.Cmdline(pid)
		return err == nil && slices.Equal(args, own)
	})
}

// ours lists the living processes of this test's binaries that belong to the
// place: cores by their --home, workers by the core that is their parent.
func (p *place) ours() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	var out []int
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil || !proc.Alive(pid) {
			continue
		}
		args, err := proc.Cmdline(pid)
		if err != nil || len(args) == 0 {
			continue
		}
		if strings.HasPrefix(filepath.Base(args[0]), "bailey") && strings.Contains(strings.Join(args, " "), p.home) {
			out = append(out, pid)
			continue
		}
	}
	return out
}

// gone waits until no process of the place is left, workers included, and says
// which are.
func (p *place) gone(within time.Duration) {
	p.t.Helper()
	p.until(within, "all processes to be gone", func() bool { return len(p.ours()) == 0 })
}

// until polls for an outside state.
func (p *place) until(within time.Duration, what string, ok func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("waited %v for %s; left: %v", within, what, p.ours())
		}
	}
}

// verified wants the log to verify.
func (p *place) verified() {
	p.t.Helper()
	out, errs, code := p.bailey("audit", "verify")
	if code != 0 {
		p.t.Fatalf("audit verify gave %d: %s%s", code, out, errs)
	}
}
