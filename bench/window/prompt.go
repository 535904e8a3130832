package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/prompthost"
)

// promptTurns is how many prompts are shown.
const promptTurns = 20

// prompt is the time until a question can be seen: the released prompt, but that
// it says when it has painted, in its sandbox.
func (b *bench) prompt() error {
	n := promptTurns
	if b.o.quick {
		n = 5
	}
	for i := range n + 1 {
		if err := b.ask(i > 0); err != nil {
			return err
		}
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p95 of 20", 0.95}} {
		b.row(b.most("prompt, first paint, from the program's start, "+q.name, rows.Quantile(b.got("prompt from exec ms"), q.q), "ms", 150, ""))
		b.row(b.most("prompt, first paint, from the core's making of the process, sandbox included, "+q.name, rows.Quantile(b.got("prompt from clone ms"), q.q), "ms", 150, ""))
	}
	return nil
}

func (b *bench) ask(keep bool) error {
	program, err := os.Open(b.path("traced-prompt"))
	if err != nil {
		return err
	}
	defer program.Close()
	stub, err := os.Open(b.path(armStudio, "bin", "bailey-worker"))
	if err != nil {
		return err
	}
	defer stub.Close()
	w := watchChildren(os.Getpid())
	made := monotonic()
	h, err := hosts.Start(context.Background(), hosts.Prompt, hosts.Options{Display: b.display(), Program: program, Stub: stub})
	if err != nil {
		return err
	}
	defer h.Conn.Close()
	defer h.Kill()
	ctx, stop := context.WithCancel(context.Background())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = prompthost.Ask(ctx, h.Conn, question())
	}()
	defer func() { stop(); <-answered }()
	var painted int64
	err = until("the prompt to be painted", func() bool {
		for _, l := range strings.Split(h.Words(), "\n") {
			var us int64
			var word string
			if n, _ := fmt.Sscanf(l, "trace %d %s", &us, &word); n == 2 && word == "painted" {
				painted = us * 1000
				return true
			}
		}
		return false
	})
	_, began := w.stop(h.PID())
	if err != nil {
		return fmt.Errorf("%w: it said %q", err, h.Words())
	}
	if keep {
		b.raw("prompt from clone ms", float64(painted-made)/1e6)
		b.raw("prompt from exec ms", float64(painted-began)/1e6)
	}
	return nil
}

// question is an ordinary one about one folder.
func question() prompthost.Sheet {
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
