// Command tour is what `make run` runs after it has built: Bailey's main job on
// this repository's own documents, each step with the command that does it. It
// needs no terminal, since each command grants what it needs by a flag, and
// keeps all that Bailey writes in build/tour.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() { os.Exit(doMain()) }

func doMain() int {
	root, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		return 1
	}
	home := filepath.Join("build", "tour")
	if err := os.RemoveAll(home); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		return 1
	}
	t := tour{out: os.Stdout, run: start(root), home: home}
	if !t.all() {
		return 1
	}
	fmt.Printf(last, filepath.Join(root, "bin", "bailey"))
	return 0
}

// step is one command with what it shows.
type step struct {
	why  string
	args []string
}

// The folder and the question are fixed, so that a newcomer sees what the
// README promises.
func steps() []step {
	return []step{
		{"What holds on this machine: every check, and each layer of a worker's sandbox as it was seen.",
			[]string{"doctor"}},
		{"Summarise a folder. --allow-read grants it for this task only; without it Bailey asks on the terminal.",
			[]string{"summarize", "docs", "--allow-read", "docs"}},
		{"Ask it something. Every sentence is a document's own, with its place.",
			[]string{"ask", "docs", "What happens when the audit log is damaged?", "--allow-read", "docs"}},
		{"What was granted, and how it ended.",
			[]string{"grant", "list", "--all"}},
		{"The record of all this.",
			[]string{"audit", "show"}},
		{"And that nobody has changed it since.",
			[]string{"audit", "verify"}},
	}
}

const last = `
bailey is %[1]s

Try it on a folder of your own; it asks before it reads, and --help explains:

  bin/bailey summarize ~/Documents
  bin/bailey ask ~/Documents "where is the warranty for the dishwasher?"
  make install PREFIX=~/.local        # then: bailey help
`

// tour goes through the steps.
type tour struct {
	out io.Writer
	// run starts bailey with arguments and returns its exit code.
	run  func(args ...string) (int, error)
	home string
}

// all stops at the first step that fails, and ends the core in any case.
func (t tour) all() bool {
	ok := true
	for i, s := range steps() {
		fmt.Fprintf(t.out, "\n== %d. %s\n$ bin/bailey %s --home %s\n\n", i+1, s.why, quote(s.args), t.home)
		code, err := t.run(append(s.args, "--home", t.home)...)
		if err != nil {
			fmt.Fprintln(t.out, "tour:", err)
		}
		if err != nil || code != 0 {
			fmt.Fprintf(t.out, "\ntour: this step ended with exit code %d. `bin/bailey doctor --home %s` says what is missing and how to mend it.\n", code, t.home)
			ok = false
			break
		}
	}
	if ok {
		fmt.Fprintf(t.out, "\n== %d. Nothing stays behind: the core ends by itself soon after its last client; this ends it now.\n$ bin/bailey stop --home %s\n\n", len(steps())+1, t.home)
	}
	if _, err := t.run("stop", "--home", t.home); err != nil {
		fmt.Fprintln(t.out, "tour:", err)
	}
	return ok
}

// start returns a function that runs bin/bailey where the reader sees it, with
// nothing to read from.
func start(root string) func(args ...string) (int, error) {
	return func(args ...string) (int, error) {
		cmd := exec.Command(filepath.Join(root, "bin", "bailey"), args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
		err := cmd.Run()
		if cmd.ProcessState != nil {
			return cmd.ProcessState.ExitCode(), nil
		}
		return -1, err
	}
}

// quote writes arguments as a person would type them.
func quote(args []string) string {
	var words []string
	for _, a := range args {
		if strings.ContainsAny(a, " ?*") {
			a = `"` + a + `"`
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
