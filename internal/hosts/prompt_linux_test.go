package hosts

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/prompthost"
)

func sheet() prompthost.Sheet {
	return prompthost.Sheet{
		Title: "Bailey", Heading: "Studio wants to read a folder", Yes: "Read this folder", No: "Don't",
		Groups: []prompthost.Group{{Heading: "Read", Rows: []prompthost.Row{{Ticked: true, Object: "/home/u/Documents", Details: []string{"until the task ends"}}}}},
		Inert:  500 * time.Millisecond, Timeout: 2 * time.Second, Hash: strings.Repeat("ab", 32), Unread: "more", Wait: "wait",
	}
}

func ask(t testing.TB, kind string, d desktop.Display) (*Host, func() (prompthost.Result, error)) {
	t.Helper()
	h, err := Start(t.Context(), kind, Options{Display: d, Program: program(t, "bailey-prompt"), Stub: program(t, "bailey-worker"), Home: os.Getenv("HOME")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Kill(); h.Conn.Close() })
	return h, func() (prompthost.Result, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return prompthost.Ask(ctx, h.Conn, sheet())
	}
}

// TestPrompt shows a question in the sandbox, under both filters, to its end.
func TestPrompt(t *testing.T) {
	needsWindows(t)
	d := display(t)
	h, answer := ask(t, Prompt, d)
	shot := time.AfterFunc(1500*time.Millisecond, func() { shoot(t, d.X11, "prompt") })
	defer shot.Stop()
	r, err := answer()
	if err != nil || r.Yes {
		t.Errorf("%+v, %v; %+v said %s", r, err, h.Exit(), h.Words())
	}
	<-h.Done()
	if h.Exit().Code != 0 || h.Exit().Forbidden {
		t.Errorf("%+v, said %s", h.Exit(), h.Words())
	}
}

// TestPickerReadsAndWritesNothing: the picker's root holds the person's files,
// read-only; a prompt's holds none.
func TestPickerReadsAndWritesNothing(t *testing.T) {
	needsWindows(t)
	d := display(t)
	name := filepath.Join(os.Getenv("HOME"), "note.txt")
	if err := os.WriteFile(name, []byte("note"), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind, reads := range map[string]bool{Picker: true, Prompt: false} {
		h, _ := ask(t, kind, d)
		root := "/proc/" + strconv.Itoa(h.PID()) + "/root"
		b, err := os.ReadFile(root + name)
		if (err == nil && string(b) == "note") != reads {
			t.Errorf("%s: %q, %v", kind, b, err)
		}
		// By its own mounts: this process is kept from writing by nothing else.
		if err := os.WriteFile(root+name, []byte("x"), 0o600); err == nil {
			t.Errorf("the %s's mount can be written", kind)
		}
		if f, err := os.Create(root + name + ".new"); err == nil {
			f.Close()
			t.Errorf("a file can be made in the %s's mount", kind)
		}
		s, err := proc.ReadStatus(h.PID())
		own, err2 := proc.ReadStatus(os.Getpid())
		if err != nil || err2 != nil || s.Filters != own.Filters+2 || !s.NoNewPrivs {
			t.Errorf("%s: %+v, %v, %v", kind, s, err, err2)
		}
		ls, err := proc.Listeners(h.PID())
		if err != nil || len(ls) > 0 {
			t.Errorf("%s listens: %v, %v", kind, ls, err)
		}
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "note" {
		t.Errorf("the file is %q now, %v", b, err)
	}
	if err := os.WriteFile(name, []byte("control"), 0o600); err != nil {
		t.Errorf("outside of the mounts it cannot be written either: this test shows nothing: %v", err)
	}
}
