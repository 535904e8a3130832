package scripts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// patience is how long anything is awaited.
const patience = 20 * time.Second

// pause is the time between two looks at other processes.
const pause = 10 * time.Millisecond

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "term": term, "tree": tree, "junk": junk, "file": file, "json": jsonIs, "cites": cites, "flip": flip, "cut": cut,
		"closedpipe": closedPipe, "awaitgone": awaitGone, "harmless": harmless, "within": within, "setid": setID, "awaithere": awaitHere, "awaitindex": awaitIndex, "signal": signal, "awaitexits": awaitExits, "fill": fill, "name": name, "stuckpipe": stuckPipe, "environ": environ, "gguf": writeModel, "awaitgrant": awaitGrant, "document": writeDocument,
	}
}

// need ends the script if the command was not given its n arguments.
func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

// exits CODE CMD ARG...: runs a program that must end with that code. stdout and
// stderr then match its output, and json, cites and harmless read it.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "exits CODE CMD ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// within DURATION CODE CMD ARG...: as exits, and it must not take longer.
func within(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "within DURATION CODE CMD ARG...")
	most, err := time.ParseDuration(args[0])
	ts.Check(err)
	begin := time.Now()
	exits(ts, false, args[1:])
	if d := time.Since(begin); d > most {
		ts.Fatalf("it took %v, over %v", d, most)
	}
}

// awaitexits CODE CMD ARG...: runs a program again until it ends with that code.
func awaitExits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "awaitexits CODE CMD ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for begin := time.Now(); ; {
		got := exitCode(ts.Exec(args[1], args[2:]...))
		if got == want {
			return
		}
		if time.Since(begin) > patience {
			ts.Fatalf("exit code %d, want %d", got, want)
		}
	}
}

// fill STATE N: adds N records to the log of a state directory that no core has
// open.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "fill STATE N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	state, err := safefile.OpenDir(ts.MkAbs(args[0]))
	ts.Check(err)
	defer state.Close()
	l, err := audit.Open(context.Background(), audit.Config{Home: state, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
	ts.Check(err)
	for range n {
		ts.Check(l.Note(audit.Event{Kind: auditlog.Call, Actor: audit.Actor{App: "bailey"}}))
	}
	ts.Check(l.Close())
}

// file NAME TEXT...: writes a file whose name and text are Go strings without
// their quotes, so that any byte can stand in them. Each text is a line.
func file(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "file NAME TEXT...")
	unquote := func(s string) string {
		out, err := strconv.Unquote(`"` + s + `"`)
		ts.Check(err)
		return out
	}
	// Not MkAbs: it would clean the path.
	to := ts.MkAbs(".") + "/" + unquote(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(to), 0o755))
	var b strings.Builder
	for _, a := range args[1:] {
		b.WriteString(unquote(a) + "\n")
	}
	ts.Check(os.WriteFile(to, []byte(b.String()), 0o644))
}

// name VAR TEXT: sets a variable to a Go string without its quotes.
func name(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "name VAR TEXT")
	value, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Setenv(args[0], value)
}

// tree DIR N: makes N text files in DIR, enough to be busy with.
func tree(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "tree DIR N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for i := range n {
		dir := filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("d%03d", i/100))
		ts.Check(os.MkdirAll(dir, 0o755))
		var b strings.Builder
		for j := range 40 {
			fmt.Fprintf(&b, "Paragraph %d of document %d says that the valve number %d opens at dawn.\n\n", j, i, i*j)
		}
		ts.Check(os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%05d.md", i)), []byte(b.String()), 0o644))
	}
}

// junk DIR N: makes N files in DIR that cannot be read as text.
func junk(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "junk DIR N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o755))
	for i := range n {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("a-binary-file-with-number-%05d.bin", i)), []byte{0, 1}, 0o644))
	}
}

// json PATH VALUE: the member of standard output at a dotted path is VALUE; `len`
// at the end of a path is a list's length; VALUE `*` is anything but nothing.
func jsonIs(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, false, args, 2, "[!] json PATH VALUE")
	v := member(ts, args[0])
	got := fmt.Sprint(v)
	same := got == args[1] || args[1] == "*" && v != nil && !reflect.ValueOf(v).IsZero()
	if same == neg {
		ts.Fatalf("%s is %q", args[0], got)
	}
}

// setid PATH: the variable ID becomes the member at PATH.
func setID(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "setid PATH")
	ts.Setenv("ID", fmt.Sprint(member(ts, args[0])))
}

func member(ts *testscript.TestScript, path string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, key := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			if key == "len" {
				v = float64(len(in))
				continue
			}
			i, err := strconv.Atoi(key)
			ts.Check(err)
			if i >= len(in) {
				ts.Fatalf("%s: there are %d", path, len(in))
			}
			v = in[i]
		default:
			ts.Fatalf("%s: no %s in %v", path, key, v)
		}
	}
	return v
}

// cites DIR: each citation of the JSON on standard output points at lines that
// exist and hold the quote.
func cites(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "cites DIR")
	var a struct {
		Sentences []struct {
			Text      string
			Citations []struct {
				Path, Quote string
				Base64      []byte `json:"path_base64"`
				Line        int
				EndLine     int `json:"end_line"`
			}
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &a))
	for _, s := range a.Sentences {
		if len(s.Citations) == 0 {
			ts.Fatalf("no citation for %q", s.Text)
		}
		for _, c := range s.Citations {
			if c.Base64 != nil {
				c.Path = string(c.Base64)
			}
			lines := strings.Split(ts.ReadFile(args[0]+"/"+c.Path), "\n")
			if c.Line < 1 || c.EndLine < c.Line || c.EndLine > len(lines) {
				ts.Fatalf("%s:%d-%d: there are %d lines", c.Path, c.Line, c.EndLine, len(lines))
			}
			if !strings.Contains(strings.Join(lines[c.Line-1:c.EndLine], "\n"), c.Quote) {
				ts.Fatalf("%s:%d: no %q", c.Path, c.Line, c.Quote)
			}
		}
	}
}

// harmless FILE...: nothing in the files could act on a terminal: no control
// character but line feeds, no bidirectional or zero-width one.
func harmless(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, false, args, 1, "[!] harmless FILE...")
	for _, name := range args {
		bad := ""
		for i, r := range ts.ReadFile(name) {
			if r == '\n' || unicode.IsPrint(r) && r != unicode.ReplacementChar {
				continue
			}
			bad = fmt.Sprintf("%s holds %U at %d", name, r, i)
			break
		}
		if (bad != "") != neg {
			ts.Fatalf("%s: %s", name, bad)
		}
	}
}

// flip FILE N: inverts a bit of the byte at N, from the end if negative.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "flip FILE N")
	b, at := change(ts, args)
	b[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// cut FILE N: cuts a file at byte N, from the end if negative.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "cut FILE N")
	b, at := change(ts, args)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:at], 0o600))
}

func change(ts *testscript.TestScript, args []string) ([]byte, int) {
	b := []byte(ts.ReadFile(args[0]))
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	if at < 0 || at >= len(b) {
		ts.Fatalf("%s has %d bytes", args[0], len(b))
	}
	return b, at
}

// closedpipe CMD ARG...: runs a program whose reader has gone away. It must end
// by SIGPIPE, as every filter, and say nothing.
func closedPipe(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "closedpipe CMD ARG...")
	r, w, err := os.Pipe()
	ts.Check(err)
	ts.Check(r.Close())
	var errOut bytes.Buffer
	cmd := command(ts, args)
	cmd.Stdout, cmd.Stderr = w, &errOut
	err = cmd.Run()
	ts.Check(w.Close())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || errOut.Len() > 0 {
		ts.Fatalf("ended with %v, saying %q", err, errOut.String())
	}
}

// stuckpipe DURATION CMD ARG...: runs a program whose reader does not read. When
// the pipe is full it gets SIGINT, and must end within the time.
func stuckPipe(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "stuckpipe DURATION CMD ARG...")
	most, err := time.ParseDuration(args[0])
	ts.Check(err)
	r, w, err := os.Pipe()
	ts.Check(err)
	defer r.Close()
	cmd := command(ts, args[1:])
	cmd.Stdout = w
	ts.Check(cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	ts.Check(w.Close())
	size, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
	ts.Check(err)
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; n < size; <-tick.C {
		n, err = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		ts.Check(err)
		if time.Now().After(deadline) {
			ts.Fatalf("only %d of %d bytes were written", n, size)
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if exitCode(err) != 1 {
			ts.Fatalf("ended with %v", err)
		}
	case <-time.After(most):
		ts.Fatalf("not ended after %v", most)
	}
}

// command is a program with the script's environment and directory.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path := args[0]
	if !strings.Contains(path, "/") {
		path = filepath.Join(ts.Getenv("BINS"), path)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, k := range []string{"PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TERM", "NO_COLOR", "TMPDIR", "LC_ALL"} {
		if v := ts.Getenv(k); v != "" {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	return cmd
}

// awaitgone NAME...: waits until no process of those names runs below a core
// of this script's home.
func awaitGone(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "awaitgone NAME...")
	await(ts, func(left []string) bool { return len(left) == 0 }, args)
}

// awaithere NAME...: waits until there is one.
func awaitHere(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "awaithere NAME...")
	await(ts, func(left []string) bool { return len(left) > 0 }, args)
}

// awaitindex: waits until a worker has written into an index of this script's
// home: it is at work then, not only there.
func awaitIndex(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 0, "awaitindex")
	const begun = 64 << 10 // bytes
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ; ; <-tick.C {
		files, err := filepath.Glob(ts.Getenv("HOME") + "/.cache/bailey/index/*/index.db*")
		ts.Check(err)
		size := int64(0)
		for _, f := range files {
			if st, err := os.Stat(f); err == nil {
				size += st.Size()
			}
		}
		if size > begun {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v the index has %d bytes", patience, size)
		}
	}
}

func await(ts *testscript.TestScript, done func([]string) bool, names []string) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ; ; <-tick.C {
		there := processes(ts, names)
		if done(there) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v there are: %v", patience, there)
		}
	}
}

// signal INT|QUIT|TERM|KILL NAME: sends a signal to this script's processes of that
// name.
func signal(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "signal INT|QUIT|TERM|KILL NAME")
	sig := map[string]syscall.Signal{"INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	sent := processes(ts, args[1:])
	if sig == 0 || len(sent) == 0 {
		ts.Fatalf("no such signal or process")
	}
	for _, p := range sent {
		pid, err := strconv.Atoi(strings.Fields(p)[0])
		ts.Check(err)
		ts.Check(syscall.Kill(pid, sig))
	}
}

// environ NAME VAR: the processes of that name have the variable.
func environ(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, false, args, 2, "[!] environ NAME VAR")
	all := processes(ts, args[:1])
	if len(all) == 0 {
		ts.Fatalf("no process %s", args[0])
	}
	for _, p := range all {
		env, err := os.ReadFile("/proc/" + strings.Fields(p)[0] + "/environ")
		if errors.Is(err, fs.ErrPermission) {
			ts.Logf("%s is closed to its own user; the turn as root looks", p)
			continue
		}
		ts.Check(err)
		if bytes.Contains(append([]byte{0}, env...), []byte("\x00"+args[1]+"=")) == neg {
			ts.Fatalf("%s has %q", p, env)
		}
	}
}

// processes lists the processes of a name that this script started, directly or
// by a core: those with its home in their environment, the core that holds the lock in
// there, whose environment is closed, and all below them.
func processes(ts *testscript.TestScript, names []string) []string {
	dirs, err := os.ReadDir("/proc")
	ts.Check(err)
	parent, name := map[string]string{}, map[string]string{}
	ours := map[string]bool{}
	locked := lockedBy(ts, ts.Getenv("HOME"))
	for _, d := range dirs {
		pid := d.Name()
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue
		}
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[end+1:]))
		if fields[0] == "Z" {
			continue
		}
		parent[pid], name[pid] = fields[1], string(stat[open+1:end])
		env, err := os.ReadFile("/proc/" + pid + "/environ")
		ours[pid] = slices.Contains(locked, pid) || err == nil && bytes.Contains(env, []byte("HOME="+ts.Getenv("HOME")+"\x00"))
	}
	var found []string
	for pid := range name {
		for _, n := range names {
			if name[pid] != n {
				continue
			}
			for up := pid; up != "" && up != "0"; up = parent[up] {
				if ours[up] {
					found = append(found, pid+" "+n)
					break
				}
			}
		}
	}
	return found
}

// lockedBy lists the processes that hold the lock of a core in or below a directory.
func lockedBy(ts *testscript.TestScript, dir string) []string {
	inodes := map[string]bool{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var st syscall.Stat_t
		if err == nil && d.Name() == "core.lock" && syscall.Lstat(path, &st) == nil {
			inodes[strconv.FormatUint(st.Ino, 10)] = true
		}
		return nil // what may not be read holds no core of ours
	})
	locks, err := os.ReadFile("/proc/locks")
	ts.Check(err)
	var pids []string
	for line := range strings.Lines(string(locks)) {
		// number: FLOCK ADVISORY WRITE pid major:minor:inode from to
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		if at := strings.Split(f[5], ":"); inodes[at[len(at)-1]] {
			pids = append(pids, f[4])
		}
	}
	return pids
}

// awaitgrant KIND [LEVEL]: waits until a grant of that kind is live, and its work at
// that level of the sandbox, and sets ID to its id.
func awaitGrant(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "awaitgrant KIND [LEVEL]")
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ; ; <-tick.C {
		exits(ts, false, []string{"0", "bailey", "grant", "list", "--json"})
		var list struct {
			Grants []struct{ ID, Kind, State, Level string } `json:"grants"`
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
		for _, g := range list.Grants {
			if g.Kind == args[0] && g.State == "live" && (len(args) == 1 || g.Level == args[1]) {
				ts.Setenv("ID", g.ID)
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no grant of %s", args[0])
		}
	}
}
