package prompt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/test/window/desk"
)

func TestMain(m *testing.M) { os.Exit(desk.Main(m, build)) }

const sources = "../../../cmd/bailey-prompt"

// build compiles the program as it is, with a trace of what it does on its
// standard error, which is the only difference, and, as the control of a test,
// without what keeps it from writing files.
func build(dir string) error {
	return errors.Join(
		compile(filepath.Join(dir, "bailey-prompt")),
		compile(filepath.Join(dir, "traced"), "-DBAILEY_TRACE"),
		compile(filepath.Join(dir, "unguarded"), "-DBAILEY_UNGUARDED", "-Wno-unused-function"),
	)
}

func compile(to string, more ...string) error {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gtk4", "x11").Output()
	if err != nil {
		return fmt.Errorf("pkg-config gtk4 x11: %w", err)
	}
	files, err := filepath.Glob(sources + "/*.c")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no sources: %w", err)
	}
	args := append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", to}, more...)
	args = append(append(args, files...), strings.Fields(string(flags))...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return nil
}

// question is one prompt on a desk.
type question struct {
	t     testing.TB
	d     *desk.Desk
	p     *desk.Process
	conn  *net.UnixConn
	sheet prompthost.Sheet
	// came is closed when result and err are there.
	came   chan struct{}
	result prompthost.Result
	err    error
}

// runner is what starts a program on some desktop.
type runner interface {
	Run(*exec.Cmd, ...*os.File) *desk.Process
	Env(...string) []string
}

// start shows a sheet by the traced program and waits for the answer beside the
// test.
func start(t testing.TB, on runner, s prompthost.Sheet, env ...string) *question {
	t.Helper()
	conn, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	cmd := exec.Command(filepath.Join(desk.Dir(), "traced"))
	cmd.Env = on.Env(env...)
	p := on.Run(cmd, theirs)
	theirs.Close()
	q := &question{t: t, p: p, conn: conn, sheet: s, came: make(chan struct{})}
	q.d, _ = on.(*desk.Desk)
	go func() {
		defer close(q.came)
		q.result, q.err = prompthost.Ask(context.Background(), conn, s)
	}()
	return q
}

// until waits for a line of the trace to have come so many times.
func (q *question) until(line string, times int) {
	q.t.Helper()
	desk.Until(q.t, fmt.Sprintf("%q, %d times, of\n%s", line, times, q.p.Words()), func() bool {
		if q.p.Ended() && q.count(line) < times {
			q.t.Fatalf("the prompt ended (%v) before %q:\n%s", q.p.ProcessState, line, q.p.Words())
		}
		return q.count(line) >= times
	})
}

// count is how many lines of the trace have the words.
func (q *question) count(words string) int {
	n := 0
	for _, l := range strings.Split(q.p.Words(), "\n") {
		if f := strings.SplitN(l, " ", 3); len(f) == 3 && strings.HasPrefix(f[2], words) {
			n++
		}
	}
	return n
}

// ready waits until "yes" counts.
func (q *question) ready() { q.t.Helper(); q.until("ready", 1) }

// sensitive is what the trace said last of "yes".
func (q *question) sensitive() bool {
	w := q.p.Words()
	return strings.LastIndex(w, " ready\n") > strings.LastIndex(w, " inert\n")
}

// want waits for the answer, which has to be as said: "yes 0,2" or "no denied".
func (q *question) want(answer string) {
	q.t.Helper()
	select {
	case <-q.came:
	case <-time.After(desk.Wait):
		q.t.Fatalf("no answer:\n%s", q.p.Words())
	}
	if got := said(q.result); got != answer || q.err != nil && !strings.HasPrefix(answer, "no lost") {
		q.t.Fatalf("answered %q, %v; want %q\n%s", got, q.err, answer, q.p.Words())
	}
	desk.Until(q.t, "the prompt to end", q.p.Ended)
}

func said(r prompthost.Result) string {
	if !r.Yes {
		return "no " + r.Word
	}
	return "yes " + strings.ReplaceAll(strings.Trim(fmt.Sprint(r.Rows), "[]"), " ", ",")
}

// window is the prompt's, once it is there and has the keyboard.
func (q *question) window() desk.Window {
	q.t.Helper()
	q.d.AwaitActive(q.d.Await(q.sheet.Title))
	// It has its size when it is painted.
	q.until("painted", 1)
	return q.d.Await(q.sheet.Title)
}

// sheet is an ordinary question about one folder.
func sheet() prompthost.Sheet {
	return prompthost.Sheet{
		Title:   "Bailey – Permission",
		Heading: "Studio wants to read all files in this folder, and in the folders below it",
		Groups: []prompthost.Group{{Rows: []prompthost.Row{
			{Ticked: true, Fixed: true, Object: "/home/maria/Documents/Research notes", Details: []string{"until this task ends"}},
		}}},
		Denies: []string{"It cannot change them, read anything outside, or send anything over the network."},
		Stop:   []string{"To stop it: press Revoke in Permissions, at any time."},
		Yes:    "Read this folder", No: "Don’t allow",
		Inert: 300 * time.Millisecond, Timeout: time.Minute,
		Hash:   strings.Repeat("5a", 32),
		Unread: "Scroll down to read all", Wait: "You can answer in a moment",
	}
}

// bundle is a question of several rows, each of which can be unticked.
func bundle(rows int) prompthost.Sheet {
	s := sheet()
	s.Groups = nil
	g := prompthost.Group{}
	for i := range rows {
		g.Rows = append(g.Rows, prompthost.Row{Ticked: true, Object: fmt.Sprintf("/home/maria/Documents/part %d", i), Details: []string{"until this task ends"}})
	}
	m := prompthost.Group{Heading: "and to run this model. It is given what you type and passages of the folder", Rows: []prompthost.Row{
		{Ticked: true, Object: "smollm2-135m-instruct-q4_1", Details: []string{"for chat, 98.1 MB, sha256 3f2a09c1d77e", "nobody has signed it; the file says its licence is \"apache-2.0\"", "until this task ends"}},
	}}
	s.Groups = append(s.Groups, g, m)
	return s
}
