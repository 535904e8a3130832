package prompt

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/test/window/desk"
)

// pick starts a picker at a desk.
func pick(t *testing.T, d *desk.Desk, program string, env ...string) (*desk.Process, *net.UnixConn, prompthost.Sheet) {
	t.Helper()
	conn, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := prompthost.Sheet{Title: "Choose a folder for Studio", Yes: "Choose this folder", No: "Cancel"}
	cmd := exec.Command(filepath.Join(desk.Dir(), program), "--pick")
	cmd.Env = d.Env(env...)
	p := d.Run(cmd, theirs)
	theirs.Close()
	return p, conn, s
}

// tree lists everything below a directory with what changes when it is written.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano(), info.Sys().(*syscall.Stat_t).Ino)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// home gives the person a home directory of its own with files that a chooser of
// GTK's looks at.
func home(t *testing.T, d *desk.Desk) string {
	t.Helper()
	home := filepath.Join(d.Home, "person")
	for name, text := range map[string]string{
		"Documents/Research notes/a.txt":      "a",
		".config/gtk-3.0/bookmarks":           "file:///usr Everything\n",
		".local/share/recently-used.xbel":     `<?xml version="1.0" encoding="UTF-8"?><xbel version="1.0"></xbel>`,
		".config/user-dirs.dirs":              "XDG_DOCUMENTS_DIR=\"$HOME/Documents\"\n",
		"Documents/Research notes/deep/b.txt": "b",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.Home = home
	return home
}

// TestPick: a person chooses a folder; its path, device and inode come, with a
// descriptor that changes nothing, and nothing is written anywhere in the home.
func TestPick(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	top := home(t, d)
	before := tree(t, top)
	p, conn, s := pick(t, d, "bailey-prompt")
	wire := pickerSheet(s)
	if _, err := conn.Write(wire); err != nil {
		t.Fatal(err)
	}
	w := d.Await(s.Title)
	d.AwaitActive(w)
	rest(t, d)
	d.Shot("prompt-pick")
	folder := filepath.Join(top, "Documents/Research notes")
	d.Key("Control+l")
	d.Type(folder)
	d.Key("Return")

	b, oob := make([]byte, 8192), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatal(err, p.Words())
	}
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		t.Fatal(err)
	}
	if got, want := string(b[:n]), fmt.Sprintf("picked %d %d %d\n%s", st.Dev, st.Ino, len(folder), folder); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatal("no descriptor: ", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	defer unix.Close(fds[0])
	var same unix.Stat_t
	if err := unix.Fstat(fds[0], &same); err != nil || same.Ino != st.Ino || same.Dev != st.Dev {
		t.Error("the descriptor is of another folder: ", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0); err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY {
		t.Errorf("the descriptor is for more than reading: %x %v", flags, err)
	}
	// It stays until the core has compared.
	if p.Ended() {
		t.Error("the picker let go of the folder before the core had it")
	}
	conn.Close()
	desk.Until(t, "the picker to end", p.Ended)
	after := tree(t, top)
	for path, was := range before {
		if after[path] != was {
			t.Errorf("%s changed: %s, was %s", path, after[path], was)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s is new", path)
		}
	}
}

// TestPickUnreadable: a folder that may not be read is named all the same, so that the
// person hears why nothing comes of it.
func TestPickUnreadable(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	folder := filepath.Join(home(t, d), "Documents/Research notes")
	if err := os.Chmod(folder, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o755)
	p, conn, s := pick(t, d, "bailey-prompt")
	if _, err := conn.Write(pickerSheet(s)); err != nil {
		t.Fatal(err)
	}
	d.AwaitActive(d.Await(s.Title))
	rest(t, d)
	d.Key("Control+l")
	d.Type(folder)
	d.Key("Return")
	b, oob := make([]byte, 8192), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatal(err, p.Words())
	}
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		t.Fatal(err)
	}
	if got, want := string(b[:n]), fmt.Sprintf("picked %d %d %d\n%s", st.Dev, st.Ino, len(folder), folder); got != want || oobn != 0 {
		t.Errorf("got %q and %d bytes besides, want %q", got, oobn, want)
	}
	conn.Close()
	desk.Until(t, "the picker to end", p.Ended)
}

// TestPickControl: without what keeps it from writing, GTK's chooser makes a
// directory of its own in the home. So TestPick can fail.
func TestPickControl(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	top := home(t, d)
	p, conn, s := pick(t, d, "unguarded")
	if _, err := conn.Write(pickerSheet(s)); err != nil {
		t.Fatal(err)
	}
	d.AwaitActive(d.Await(s.Title))
	d.Key("Escape")
	desk.Until(t, "the picker to end", p.Ended)
	if _, err := os.Stat(filepath.Join(top, ".config/gtk-4.0")); err != nil {
		t.Error("nothing was written without the protection either: ", err)
	}
}

// pickerSheet is what prompthost.Pick sends.
func pickerSheet(s prompthost.Sheet) []byte {
	var out []byte
	for _, f := range []struct {
		tag  byte
		text string
	}{{17, "1000"}, {18, "en"}, {1, s.Title}, {9, s.Yes}, {10, s.No}, {0, ""}} {
		out = append(out, f.tag)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(f.text)))
		out = append(out, f.text...)
	}
	return out
}

// TestPickNothing: cancelled, closed, and told to end.
func TestPickNothing(t *testing.T) {
	for name, do := range map[string]func(*desk.Desk, *desk.Process, desk.Window){
		"escape": func(d *desk.Desk, _ *desk.Process, _ desk.Window) { d.Key("Escape") },
		"closed": func(d *desk.Desk, _ *desk.Process, w desk.Window) { d.Close(w) },
		"ended":  func(_ *desk.Desk, p *desk.Process, _ desk.Window) { _ = p.Cmd.Process.Signal(syscall.SIGTERM) },
		"killed": func(_ *desk.Desk, p *desk.Process, _ desk.Window) { p.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			d := desk.Start(t, desk.Options{})
			home(t, d)
			p, conn, s := pick(t, d, "bailey-prompt")
			type outcome struct {
				p   prompthost.Picked
				ok  bool
				err error
			}
			came := make(chan outcome, 1)
			go func() {
				p, ok, err := prompthost.Pick(context.Background(), conn, s)
				came <- outcome{p, ok, err}
			}()
			w := d.Await(s.Title)
			d.AwaitActive(w)
			do(d, p, w)
			o := <-came
			if o.ok || (o.err != nil) != (name == "killed") {
				t.Errorf("%+v\n%s", o, p.Words())
			}
			conn.Close()
			desk.Until(t, "the picker to end", p.Ended)
		})
	}
}

// TestAlone: with and without a screen reader a picker can reach nobody before it
// looks at a folder, and a prompt before it is seen.
func TestAlone(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	home(t, d)
	for what, env := range map[string][]string{"no bus": nil, "a bus": {"AT_SPI_BUS_ADDRESS=" + d.A11y}} {
		p, conn, s := pick(t, d, "traced", env...)
		if _, err := conn.Write(pickerSheet(s)); err != nil {
			t.Fatal(err)
		}
		d.AwaitActive(d.Await(s.Title))
		if words := p.Words(); !strings.Contains(words, "alone") || strings.Index(words, "alone") > strings.Index(words, "folder") {
			t.Errorf("a picker with %s:\n%s", what, words)
		}
		conn.Close()
		desk.Until(t, "the picker to end", p.Ended)
		q := start(t, d, sheet(), env...)
		q.until("painted", 1)
		if words := q.p.Words(); !strings.Contains(words, "alone") || strings.Index(words, "alone") > strings.Index(words, "painted") {
			t.Errorf("a prompt with %s:\n%s", what, words)
		}
		q.p.Kill()
		<-q.came
	}
}

// TestPickReadOnly: a home that nobody can write is no obstacle, and nothing is
// even tried: what a chooser tried would be said on its standard error.
func TestPickReadOnly(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	top := home(t, d)
	_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o555)
		}
		return err
	})
	t.Cleanup(func() {
		_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				err = os.Chmod(path, 0o755)
			}
			return err
		})
	})
	p, conn, s := pick(t, d, "bailey-prompt")
	came := make(chan string, 1)
	go func() {
		got, _, err := prompthost.Pick(context.Background(), conn, s)
		came <- fmt.Sprint(got.Path, err)
	}()
	d.AwaitActive(d.Await(s.Title))
	d.Key("Control+l")
	d.Type(filepath.Join(top, "Documents"))
	d.Key("Return")
	if got := <-came; got != filepath.Join(top, "Documents")+"<nil>" {
		t.Error(got)
	}
	conn.Close()
	desk.Until(t, "the picker to end", p.Ended)
	if strings.Contains(p.Words(), "WARNING") {
		t.Errorf("the chooser says:\n%s", p.Words())
	}
}
