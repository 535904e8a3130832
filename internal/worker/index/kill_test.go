package index

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// victim names the environment variable that makes the test binary update an
// index until it is killed: "root\ndb".
const victim = "INDEX_TEST_VICTIM"

// TestVictim is the process that TestKilledUpdateGoesOn kills; by itself it has
// nothing to do.
func TestVictim(t *testing.T) {
	root, db, ok := strings.Cut(os.Getenv(victim), "\n")
	if !ok {
		return
	}
	x := openIndex(t, root, db, true)
	for {
		if _, err := x.Update(t.Context(), func(p Progress) { fmt.Println("at", p.Files) }, func([]doc.Skipped) {}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("done")
	}
}

// Killed at many moments, the database is good or made again, and the next
// update finishes.
func TestKilledUpdateGoesOn(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	const files = 3000
	for i := range files {
		write(t, root, fmt.Sprintf("d%d/f%04d.md", i%30, i), fmt.Sprintf("# Part %d\n\nThe number of this part is %d. %s\n", i, i, strings.Repeat("It has many words about ships. ", 40)))
	}
	for kill := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
		cmd.Env = append(os.Environ(), victim+"="+root+"\n"+db)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for seen := 0; seen < kill && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "at ") || lines.Text() == "done" {
				seen++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
	}
	x := openIndex(t, root, db, true)
	if u, _ := update(t, x); u.Files != files {
		t.Errorf("%+v", u)
	}
	for _, n := range []int{0, 1234, files - 1} {
		if got := ask(t, x, fmt.Sprintf("What is the number of part %d?", n)); !strings.Contains(got, fmt.Sprintf("f%04d.md", n)) {
			t.Errorf("part %d: %q", n, got)
		}
	}
}
