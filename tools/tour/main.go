// Command tour is what `make run` runs after it has built: Studio in a window where
// there is a display, else Bailey's main job on this repository's own documents,
// first without a model, then with two small ones, each step with the command
// that does it. It needs no terminal, since each
// command grants what it needs by a flag, and keeps all that Bailey writes in
// build/tour. Where the engine or the models are not here it says so and leaves
// out what needs them.
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
	with, err := lookForModels(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		return 1
	}
	why := lookForDesktop(root).missing()
	if why == "" {
		_, err := os.Stat(studioHome)
		done, code := tour{out: os.Stdout, run: start(root), home: studioHome}.studio(with, err != nil)
		if done {
			return code
		}
		why = "it could not be shown, or ended early; it said why above"
	}
	home := filepath.Join("build", "tour")
	if err := os.RemoveAll(home); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		return 1
	}
	t := tour{out: os.Stdout, run: start(root), home: home}
	if !t.all(with) {
		return 1
	}
	fmt.Printf(last, filepath.Join(root, "bin", "bailey"))
	noWindow(os.Stdout, why)
	return 0
}

// step is one command with what it shows.
type step struct {
	why  string
	args []string
	// needs says that it is left out where the engine cannot run.
	needs bool
	// goesOn says that what it finds missing may not matter to the steps after it.
	goesOn bool
}

// The folder and the question are fixed, so that a newcomer sees what the
// README promises.
const (
	folder   = "docs"
	question = "What happens when the audit log is damaged?"
	hello    = "Hello! What is a sandbox, in one sentence?"
)

func steps(with models) []step {
	list := []step{
		{why: "What holds on this machine: every check, and each layer of a worker's sandbox as it was seen.",
			args: []string{"doctor"}, goesOn: true},
		{why: "Summarise a folder. --allow-read grants it for this task only; without it Bailey asks on the terminal.",
			args: []string{"summarize", folder, "--allow-read", folder}},
		{why: "Ask it something. Every sentence is a document's own, with its place. No model is at work.",
			args: []string{"ask", folder, question, "--allow-read", folder}},
	}
	list = append(list, with.steps()...)
	return append(list,
		step{why: "What was granted, and how it ended.",
			args: []string{"grant", "list", "--all"}},
		step{why: "The record of all this.",
			args: []string{"audit", "show"}},
		step{why: "And that nobody without its key has changed it since.",
			args: []string{"audit", "verify"}},
	)
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

// unavailable is bailey's exit code for what this machine cannot do.
const unavailable = 5

// all stops at the first step that fails, unless the rest can go on without it, and ends the core in any case.
func (t tour) all(with models) bool {
	ok := true
	n := 0
	for _, s := range steps(with) {
		if s.needs && with.missing != "" {
			continue
		}
		n++
		fmt.Fprintf(t.out, "\n== %d. %s\n$ bin/bailey %s --home %s\n\n", n, s.why, quote(s.args), t.home)
		code, err := t.run(append(s.args, "--home", t.home)...)
		if err == nil && code == unavailable && s.needs {
			with.missing = "the engine does not run on this machine"
			fmt.Fprintf(t.out, "\n-- What needs a model is left out: %s. All else goes on.\n", with.missing)
			continue
		}
		if err == nil && code == unavailable && s.goesOn {
			fmt.Fprint(t.out, "\n-- Something is missing here, and it says above how to mend it. The rest is tried all the same.\n")
			continue
		}
		if err != nil {
			fmt.Fprintln(t.out, "tour:", err)
		}
		if err != nil || code != 0 {
			fmt.Fprintf(t.out, "\ntour: this step ended with exit code %d. `bin/bailey doctor --home %s` says what is missing and how to mend it.\n", code, t.home)
			ok = false
			break
		}
	}
	if ok && with.missing != "" {
		fmt.Fprintf(t.out, "\n-- Left out, because %s: the same question with an embedding model, and a chat.\n", with.missing)
	}
	if ok {
		fmt.Fprintf(t.out, "\n== %d. Nothing stays behind: the core ends by itself soon after its last client; this ends it now.\n$ bin/bailey stop --home %s\n\n", n+1, t.home)
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
		if strings.ContainsAny(a, " ?*!") {
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
