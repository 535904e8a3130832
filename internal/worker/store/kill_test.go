package store

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// victim names the environment variable that makes the test binary talk until
// it is killed: the directory.
const victim = "STORE_TEST_VICTIM"

// TestVictim is the process that TestKilled kills; by itself it has nothing to
// do. It says what it will do, does it, and says that it is done.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victim)
	if dir == "" {
		return
	}
	s := at(t, dir)
	step := func(what string, do func() error) {
		fmt.Println("will", what)
		if err := do(); err != nil {
			t.Fatal(what, err)
		}
		fmt.Println("did", what)
	}
	for n := 0; ; n++ {
		id := begin(t, s)
		word := "secret" + id
		say := func(number int, who storev1.Speaker, text string, unfinished bool) {
			step(fmt.Sprintf("append %s %d %v %s", id, number, unfinished, text), func() error {
				_, err := s.Append(t.Context(), &storev1.AppendRequest{Id: id, Turn: &storev1.Turn{Number: uint32(number), Speaker: who, Text: text, Unfinished: unfinished}})
				return err
			})
		}
		say(1, user, word+" asks", false)
		for i := range 4 {
			say(2, model, strings.TrimSpace(strings.Repeat(word+" answers ", 40*i+1)), true)
		}
		say(2, model, word+" answered", false)
		say(3, user, word+" goes on", false)
		step("cut "+id+" 3", func() error {
			_, err := s.Cut(t.Context(), &storev1.CutRequest{Id: id, From: 3})
			return err
		})
		if n%2 == 0 {
			step("erase "+id, func() error {
				_, err := s.Erase(t.Context(), &storev1.EraseRequest{Id: id})
				return err
			})
		}
	}
}

// apply does to a model of the store what one line says that was done.
func apply(kept map[string][]string, line string) {
	f := strings.SplitN(line, " ", 5)
	id := f[1]
	switch f[0] {
	case "append":
		number := int(f[2][0] - '0')
		kept[id] = append(slices.Clone(kept[id])[:number-1], f[4])
	case "cut":
		kept[id] = kept[id][:2]
	case "erase":
		delete(kept, id)
	}
}

// Killed after each of its steps and while it goes on with the next, the store
// has all that it acknowledged, and nothing else but what was under way; erased
// words are in no file.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	kept := map[string][]string{}
	var gone []string
	for kill := range 40 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
		cmd.Env = append(os.Environ(), victim+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		under := ""
		killed := false
		for seen := 0; lines.Scan(); {
			what, line, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "will":
				under = line
				seen++
			case "did":
				apply(kept, line)
				under = ""
			}
			// What it still says after the kill was in the pipe, and counts.
			if seen > kill/2 && !killed && (kill%2 == 0) == (what == "will") {
				killed = true
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		s := at(t, dir)
		for _, c := range list(t, s, 0) {
			got := texts(t, s, c.GetId())
			want := strings.Join(kept[c.GetId()], "|")
			if got != want && under != "" {
				after := map[string][]string{c.GetId(): slices.Clone(kept[c.GetId()])}
				apply(after, under)
				want = strings.Join(after[c.GetId()], "|")
			}
			if got != want {
				t.Errorf("kill %d, under way %q: %.80q, want %.80q", kill, under, got, want)
			}
			kept[c.GetId()] = strings.Split(got, "|")
		}
		for id := range kept {
			if _, _, err := read(t, s, id); err != nil {
				if under != "erase "+id {
					t.Errorf("kill %d, under way %q: %s is gone: %v", kill, under, id, err)
				}
				delete(kept, id)
				gone = append(gone, id)
			}
		}
		if err := s.with(t.Context(), func(d *database) error {
			_, err := d.exec("INSERT INTO words(words,rank) VALUES('integrity-check',1)")
			return err
		}); err != nil {
			t.Errorf("the index: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		all := files(t, dir)
		for _, id := range gone {
			if bytes.Contains(all, []byte("secret"+id)) {
				t.Errorf("kill %d: words of %s, which was being erased, are in the files", kill, id)
			}
		}
	}
}

// An erasure that ends at any of its steps is finished by the next start. What
// lies in the directory at a step is what a kill -9 there leaves.
func TestErasureIsFinished(t *testing.T) {
	const secret = "xylophonesecret"
	dir := t.TempDir()
	s := at(t, dir)
	keep := talk(t, s, "What stays?")
	for i := range 30 {
		talk(t, s, fmt.Sprintf("%s %d", secret, i), strings.Repeat(secret+" sounds ", 400))
	}
	step := func(what string, dirty bool) {
		t.Helper()
		there := t.TempDir()
		if err := os.CopyFS(there, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(files(t, there), []byte(secret)); got != dirty {
			t.Errorf("%s: the words are in the files: %v", what, got)
		}
		again := at(t, there)
		if got := list(t, again, 0); len(got) != 1 || texts(t, again, keep) != "What stays?" {
			t.Errorf("%s: %v", what, got)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(files(t, there), []byte(secret)) {
			t.Errorf("%s: the words are in the files after the next start", what)
		}
	}
	if err := s.with(t.Context(), func(d *database) error {
		all, err := d.every()
		if err != nil {
			return err
		}
		for _, id := range all[1:] {
			if err := d.eraseOne(id); err != nil {
				return err
			}
		}
		step("rows deleted", true)
		if _, err := d.exec("PRAGMA wal_checkpoint(RESTART)"); err != nil {
			return err
		}
		step("journal moved", true)
		if err := overwrite(d.path + walEnd); err != nil {
			return err
		}
		step("journal overwritten", false)
		if err := d.settle(); err != nil {
			return err
		}
		step("journal emptied", false)
		if err := d.scrub(); err != nil {
			return err
		}
		step("done", false)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
