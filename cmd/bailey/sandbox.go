package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// runVerb is how a run is called in the log.
const runVerb = "sandbox-run"

func sandboxRunVerb() *verb {
	return &verb{
		name: "sandbox run", args: "PROG [ARGS]", minArgs: 1, maxArgs: limits.ProgramArgs, complete: "file", program: true,
		short: "run a program of your own in the sandbox of a kind of worker",
		long: []string{
			"Runs PROG as confined as the kind's own worker, so that anyone can test the boundary. What differs from the worker is said before what PROG says. Kinds: " + strings.Join(runKinds(), ", ") + ".",
			"Put -- before PROG. In all kinds but tool the program has to be static (`cc -static`, `CGO_ENABLED=0 go build`), because the strict filter is on before its first instruction; tool takes any program, scripts too, by a path or a name that PATH finds.",
			"No folder is there unless one is allowed: " + runFolders() + ". They stand at /grant, /grant2 and so on, those to read first. Standard input, output and error are pipes; on a terminal, what could act on it is shown instead.",
			"The exit code is the program's, or 128 and the signal's number if one killed it. The last line on standard error says which. Where it says something else, Bailey failed, with its own codes. With --json the program's output goes to standard error.",
		},
		examples: []example{
			{"bailey sandbox run --kind index -- ./try", "a static program, with no folder"},
			{"bailey sandbox run --kind index --allow-read ~/notes -- ./try /grant/todo.txt", "with a folder to read, at /grant"},
			{"bailey sandbox run --kind tool --allow-write . -- sh -c 'ls -la /grant'", "a shell, with a folder to change"},
		},
		flags: []flag{
			{name: "kind", value: "KIND", help: "the kind of worker whose sandbox it is", words: runKinds()},
			{name: "allow-read", value: "DIR", repeat: true, help: "let it read DIR; the log says that the command line did"},
			{name: "allow-write", value: "DIR", repeat: true, help: "let it read and change DIR"},
			flagTimeout(), flagJSON("one JSON object at the end (docs/json.md)"), flagHome(),
		},
		run: sandboxRun,
	}
}

// runKinds are the kinds whose sandbox takes a program, in the order of the
// documentation.
func runKinds() []string {
	var names []string
	for _, s := range workerspec.All() {
		names = append(names, s.Kind)
	}
	return names
}

// runFolders says which kinds have places for folders.
func runFolders() string {
	var have []string
	for _, s := range workerspec.All() {
		f := workerspec.Folders(s)
		if len(f) == 0 {
			continue
		}
		what := " to read"
		if f[0].Write {
			what += " or change"
		}
		have = append(have, fmt.Sprintf("%s has room for %d%s", s.Kind, len(f), what))
	}
	return strings.Join(have, ", ") + ", the other kinds for none"
}

// runJob is a run before it has begun.
type runJob struct {
	spec    workerspec.Spec
	request *sandboxv1.RunRequest
	program *os.File
}

// newRunJob refuses what makes no sense, and opens the program.
func newRunJob(c *cli, call *call) (*runJob, error) {
	kind := call.value("kind")
	spec, ok := workerspec.For(kind)
	kinds := "the kinds are " + strings.Join(runKinds(), ", ")
	switch {
	case kind == "":
		return nil, usage("`bailey sandbox run` needs --kind KIND", kinds)
	case !ok:
		if near := nearest(strings.ToLower(kind), runKinds()); near != "" {
			kinds = "did you mean " + near + "? Else " + kinds
		}
		return nil, usage("there is no kind "+visible.Middle(visible.Name(kind), limits.PromptName), kinds)
	case spec.Class == workerspec.Host:
		return nil, usage("the kind "+kind+" draws on your screen, and runs no program but its own", kinds)
	case call.dashed && call.ahead > 0:
		return nil, usage(visible.Middle(visible.Name(call.args[0]), limits.PromptName)+" stands before --", "PROG is the first word behind --; each folder has an --allow-read or --allow-write of its own")
	case call.args[0] == "":
		return nil, usage("PROG is empty", "name a program behind --")
	}
	j := &runJob{spec: spec, request: &sandboxv1.RunRequest{Worker: kind}}
	if err := j.folders(call); err != nil {
		return nil, err
	}
	path, err := findProgram(call.args[0], c.env.Path)
	if err != nil {
		return nil, err
	}
	if j.program, err = openProgram(call.args[0], path); err != nil {
		return nil, err
	}
	j.request.Program = []byte(path)
	size := 0
	for _, a := range call.args {
		size += len(a) + 1
		j.request.Args = append(j.request.Args, []byte(a))
	}
	if size > limits.ProgramArgBytes {
		j.program.Close()
		return nil, usage("the program's arguments are too long", "pass the rest by standard input")
	}
	return j, nil
}

// folders holds the flags against what the kind has places for.
func (j *runJob) folders(call *call) error {
	places := workerspec.Folders(j.spec)
	reads, writes := call.flags["allow-read"], call.flags["allow-write"]
	name := "--allow-read"
	if len(writes) > 0 {
		name = "--allow-write"
	}
	switch {
	case len(reads)+len(writes) == 0:
		return nil
	case len(places) == 0:
		return usage(name+" does not fit: the kind "+j.spec.Kind+" is given no folder", "leave it out, or take another kind: "+runFolders())
	case len(reads)+len(writes) > len(places):
		return usage("the kind "+j.spec.Kind+" is given "+count(uint64(len(places)), "folder")+" at most", "allow a folder that holds them all")
	case len(writes) > 0 && !places[0].Write:
		return usage("--allow-write does not fit: the kind "+j.spec.Kind+" changes no folder", "use --allow-read, or take another kind: "+runFolders())
	}
	for i, dir := range append(reads[:len(reads):len(reads)], writes...) {
		path, err := folder(dir)
		if err != nil {
			return err
		}
		// Here and not in the core, where /proc/self/cwd is another directory.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return folderError(dir, err)
		}
		j.request.Folders = append(j.request.Folders, &sandboxv1.Folder{Path: []byte(path), Write: i >= len(reads)})
	}
	return nil
}

// findProgram is where a program stands, without links: at a path, or where PATH
// finds the name.
func findProgram(name, search string) (string, error) {
	const op = "cli.program"
	missing := errs.New(errs.ProgramMissing, op).With("nothing to run is at " + visible.Path(name))
	if !strings.Contains(name, "/") {
		for _, dir := range filepath.SplitList(search) {
			// A place that depends on where one stands is none that a name finds.
			if info, err := os.Stat(filepath.Join(dir, name)); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return filepath.EvalSymlinks(filepath.Join(dir, name))
			}
		}
		return "", errs.New(errs.ProgramMissing, op).With("PATH finds nothing called " + visible.Path(name)).WithHint("name a file here as ./" + visible.Path(name))
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", errs.Wrap(errs.NotFound, op, err).With("the current directory is gone")
	}
	real, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", errs.Wrap(errs.ProgramRefused, op, err).With("you may not look where " + visible.Path(name) + " stands").WithHint("check who owns it and its mode")
	case err != nil:
		missing.Cause = err
		return "", missing.WithHint("check the spelling")
	case len(real) > limits.PathBytes:
		return "", usage("the program's path is longer than 4096 bytes", "copy it to a shorter one")
	}
	return real, nil
}

// openProgram opens what is going to be run; that it may be executed is the core's
// to check, which copies or compares it.
func openProgram(name, path string) (*os.File, error) {
	const op = "cli.program"
	// A named pipe must not be waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errs.Wrap(errs.ProgramRefused, op, err).With("you may not read " + visible.Path(name)).WithHint("the program is copied before it runs, so it has to be readable: check who owns it and its mode")
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errs.Wrap(errs.ProgramRefused, op, err).With(visible.Path(name) + " is no file").WithHint("name a program")
	}
	return f, nil
}

func sandboxRun(ctx context.Context, c *cli, call *call) error {
	j, err := newRunJob(c, call)
	if err != nil {
		return err
	}
	defer j.program.Close()
	return c.pinTask(ctx, call, pinJob{verb: runVerb}, func(ctx context.Context, cl *client.Client, task string) error {
		j.request.Task = task
		return c.runProgram(ctx, cl, j)
	})
}

// runProgram makes the call, and carries the program's streams meanwhile.
func (c *cli) runProgram(ctx context.Context, cl *client.Client, j *runJob) error {
	s, err := newStreams(c)
	if err != nil {
		return err
	}
	defer s.close()
	// Output that cannot be written ends the program.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := cl.Sandbox.Run(ipc.WithFiles(ctx, s.theirs[0], s.theirs[1], s.theirs[2], j.program), j.request)
	s.closeTheirs()
	if err != nil {
		return err
	}
	defer stream.Close()
	r := &ran{kind: j.spec.Kind, path: string(j.request.Program)}
	for {
		m, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF && r.ended != nil {
			break
		}
		if err != nil {
			s.drain(ctx)
			if cause := context.Cause(ctx); cause != nil && errs.CodeOf(cause) != errs.Internal {
				return cause
			}
			return err
		}
		switch {
		case m.GetGranted() != nil:
			r.granted = m.GetGranted()
		case m.GetStarted() != nil:
			r.level = m.GetStarted().GetLevel()
			// Not before: a program may be refused until then.
			if !c.json {
				for _, line := range r.before() {
					c.tell(line)
				}
			}
			s.carry(cancel)
		case m.GetEnded() != nil:
			r.ended = m.GetEnded()
		}
	}
	s.drain(ctx)
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if c.json {
		if err := c.printJSON(r.json()); err != nil {
			return err
		}
	} else {
		c.tell("bailey: " + r.after())
	}
	if code := r.exit(); code != 0 {
		return reported{code}
	}
	return nil
}

// ran is a run as it is told.
type ran struct {
	kind, path, level string
	granted           *sandboxv1.Granted
	ended             *sandboxv1.Ended
}

// before are the lines that a person reads before the program says anything.
func (r *ran) before() []string {
	var b strings.Builder
	fmt.Fprintf(&b, "bailey: running %s (sha256:%s) in the sandbox of the kind %s", visible.Path(r.path), hex.EncodeToString(r.granted.GetSha256())[:12], r.kind)
	var given []string
	for _, g := range r.granted.GetGrants() {
		switch {
		case g.GetTarget() != "":
			given = append(given, capability.Name(g.GetKind())+" "+visible.Path(string(g.GetScope()))+" at "+g.GetTarget())
		case len(g.GetScope()) > 0 && string(g.GetScope()) != r.path:
			given = append(given, capability.Name(g.GetKind())+" "+visible.Path(string(g.GetScope())))
		}
	}
	if len(given) > 0 {
		b.WriteString(", with " + strings.Join(given, ", "))
	}
	b.WriteString(". It differs from the kind's own worker in this:")
	lines := []string{b.String()}
	for _, d := range r.granted.GetDifferences() {
		lines = append(lines, fmt.Sprintf("  %s: it %s; the worker %s", visible.Text(d.GetName()), visible.Text(d.GetProgram()), visible.Text(d.GetWorker())))
	}
	// Besides, where there is less than the whole sandbox.
	if r.level != workerspec.ReducedLevel {
		return lines
	}
	text := "bailey: this system refuses user namespaces: it runs at " + visible.Text(r.level) + ", which `bailey doctor` explains"
	for _, g := range r.granted.GetGrants() {
		if g.GetTarget() != "" {
			text += fmt.Sprintf("; the folder is not at %s but where it is, and is descriptor %d", g.GetTarget(), workerspec.GrantFD)
			break
		}
	}
	return append(lines, text+".")
}

// after is the last line.
func (r *ran) after() string {
	level := ""
	switch r.level {
	case workerspec.FullLevel:
	case workerspec.WrappedLevel:
		level = ", started by bubblewrap"
	default:
		level = ", at " + visible.Text(r.level)
	}
	if n := r.ended.GetSignal(); n != 0 {
		why := ""
		if l := r.ended.GetLayer(); l != "" {
			why = ", by the layer " + visible.Text(l)
		}
		return fmt.Sprintf("the program was killed by signal %d (%s)%s%s", n, signalName(n), why, level)
	}
	return fmt.Sprintf("the program ended with exit code %d%s", r.ended.GetExitCode(), level)
}

func signalName(n uint32) string {
	if s := unix.SignalName(unix.Signal(n)); s != "" {
		return s
	}
	return "unknown"
}

// exit is the command's exit code, as shells have it.
func (r *ran) exit() int {
	const killed = 128
	if n := r.ended.GetSignal(); n != 0 {
		return killed + int(n)
	}
	return int(r.ended.GetExitCode())
}

// ranJSON is `sandbox run --json`.
type ranJSON struct {
	Kind        string           `json:"kind"`
	Level       string           `json:"level"`
	Program     string           `json:"program"`
	Base64      string           `json:"program_base64,omitempty"`
	SHA256      string           `json:"sha256"`
	Size        uint64           `json:"size"`
	ExitCode    *int32           `json:"exit_code"`
	Signal      *string          `json:"signal"`
	Layer       *string          `json:"layer"`
	Duration    float64          `json:"duration"`
	Grants      []ranGrantJSON   `json:"grants"`
	Differences []differenceJSON `json:"differences"`
}

type ranGrantJSON struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Scope  string `json:"scope"`
	Base64 string `json:"scope_base64,omitempty"`
	Target string `json:"target,omitempty"`
}

type differenceJSON struct {
	Name    string `json:"name"`
	Program string `json:"program"`
	Worker  string `json:"worker"`
}

func (r *ran) json() ranJSON {
	p := jsonPath([]byte(r.path))
	out := ranJSON{
		Kind: r.kind, Level: r.level, Program: p.Path, Base64: p.Base64, SHA256: hex.EncodeToString(r.granted.GetSha256()), Size: r.granted.GetSize(),
		Duration: (time.Duration(r.ended.GetMilliseconds()) * time.Millisecond).Seconds(), Grants: []ranGrantJSON{}, Differences: []differenceJSON{},
	}
	if n := r.ended.GetSignal(); n != 0 {
		name := signalName(n)
		out.Signal = &name
	} else {
		code := r.ended.GetExitCode()
		out.ExitCode = &code
	}
	if l := r.ended.GetLayer(); l != "" {
		out.Layer = &l
	}
	for _, g := range r.granted.GetGrants() {
		scope := jsonPath(g.GetScope())
		out.Grants = append(out.Grants, ranGrantJSON{g.GetId(), capability.Name(g.GetKind()), scope.Path, scope.Base64, g.GetTarget()})
	}
	for _, d := range r.granted.GetDifferences() {
		out.Differences = append(out.Differences, differenceJSON{d.GetName(), d.GetProgram(), d.GetWorker()})
	}
	return out
}
