package window

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/workerspec"
	"github.com/bailey-run/bailey/test/window/desk"
)

// Frames, as package internal/window has them. They are written down here once
// more, so that a change of the wire on both sides does not go unseen.
const (
	toConfig   = 1
	toResponse = 2
	toReply    = 3
	toSettings = 4
	toRaise    = 5
	toClose    = 6

	fromReady     = 16
	fromRequest   = 17
	fromCall      = 18
	fromRefused   = 19
	fromCancelled = 20
	fromDocument  = 21
	fromCrashed   = 22
	fromClosed    = 23
	fromDropped   = 24
	fromBlank     = 25

	headerSize = 16
)

// event is a frame from the host.
type event struct {
	kind    byte
	id      uint64
	payload string
}

// Host is a real bailey-window, as it is shipped, whose core is this test: it sees
// every byte that a page gets through.
type host struct {
	t    testing.TB
	d    *desk.Desk
	conn *net.UnixConn
	proc *hosts.Host
	site site
	// policy is the content security policy that pages get; "" = none.
	policy []string

	mu     sync.Mutex
	events []event
	gone   bool
}

// hostOptions change what the test's core does.
type hostOptions struct {
	// driven takes the window that tests can drive, instead of the released one.
	driven bool
	app    string
	// title is "Hostile" if it is empty.
	title string
	// unguarded serves pages without any policy, as if a page had got around it.
	unguarded bool
	// stream writes the body of /stream, until writing fails.
	stream func(w *os.File)
	// acked gets what the page says to have taken in.
	acked chan<- int
}

// showHost starts a window with a page.
func showHost(t testing.TB, d *desk.Desk, s site, o hostOptions) *host {
	t.Helper()
	bin := filepath.Join(desk.Dir(), release)
	if o.driven {
		bin = filepath.Join(desk.Dir(), automated)
	}
	if o.app == "" {
		o.app = apps.Studio
	}
	program, err := os.Open(filepath.Join(bin, workerspec.WindowProgram))
	must(t, err)
	defer program.Close()
	stub, err := os.Open(filepath.Join(bin, workerspec.WorkerProgram))
	must(t, err)
	defer stub.Close()
	at := desktop.Display{X11: d.Display, XAuthority: d.XAuthority, SessionBus: d.Bus, Language: "en_GB.UTF-8"}
	p, err := hosts.Start(t.Context(), hosts.Window, hosts.Options{Display: at, Program: program, Stub: stub})
	must(t, err)
	h := &host{t: t, d: d, conn: p.Conn, proc: p, site: s}
	if !o.unguarded {
		h.policy = apps.Headers("")[1:]
	}
	t.Cleanup(func() {
		h.end()
		if t.Failed() {
			t.Logf("the window said:\n%s", p.Words())
		}
	})
	h.send(toConfig, 0, nil, strings.Join([]string{o.app, cmp.Or(o.title, "Hostile"), "900", "640", "en", "light", "1000", "", "", "auto"}, "\x00"))
	go h.read(o)
	return h
}

// end ends the window, and all that is its.
func (h *host) end() {
	h.proc.Kill()
	h.conn.Close()
}

func (h *host) send(kind byte, id uint64, body *os.File, payload string) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	b = append(b, kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, id)
	b = append(b, payload...)
	var rights []byte
	if body != nil {
		rights = unix.UnixRights(int(body.Fd()))
	}
	// The host may be gone: whoever waits for something of it finds out.
	_, _, _ = h.conn.WriteMsgUnix(b, rights, nil)
}

func (h *host) read(o hostOptions) {
	r := bufio.NewReader(h.conn)
	for {
		head := make([]byte, headerSize)
		if _, err := io.ReadFull(r, head); err != nil {
			break
		}
		payload := make([]byte, binary.LittleEndian.Uint32(head))
		if _, err := io.ReadFull(r, payload); err != nil {
			break
		}
		e := event{head[4], binary.LittleEndian.Uint64(head[8:]), string(payload)}
		if n, ok := strings.CutPrefix(e.payload, "ack:"); ok && e.kind == fromCall && o.acked != nil {
			got, _ := strconv.Atoi(n)
			o.acked <- got
			h.send(toReply, e.id, nil, "")
			continue
		}
		h.mu.Lock()
		h.events = append(h.events, e)
		h.mu.Unlock()
		switch {
		case e.kind == fromCall:
			h.send(toReply, e.id, nil, "ok:"+e.payload[:min(len(e.payload), 64)])
		case e.kind == fromRequest && o.stream != nil && e.payload == "/stream":
			h.stream(e.id, o.stream)
		case e.kind == fromRequest:
			h.answer(e)
		case e.kind == fromClosed:
			h.send(toClose, 0, nil, "")
		}
	}
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
}

// stream answers with a pipe that is written to.
func (h *host) stream(id uint64, write func(w *os.File)) {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	go func() {
		defer w.Close()
		write(w)
	}()
	h.send(toResponse, id, r, string(binary.LittleEndian.AppendUint16(nil, 200))+"Content-Type: application/octet-stream\n")
}

// answer serves a file of the site.
func (h *host) answer(e event) {
	path, _, _ := strings.Cut(e.payload, "?")
	text, ok := h.site[path]
	status, kind := 200, "text/html; charset=utf-8"
	if !ok {
		status, kind = 404, "text/plain"
	}
	if strings.HasSuffix(path, ".js") {
		kind = "text/javascript"
	}
	if strings.HasSuffix(path, ".css") {
		kind = "text/css"
	}
	fd, err := unix.MemfdCreate("body", unix.MFD_CLOEXEC)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "body")
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return
	}
	head := string(binary.LittleEndian.AppendUint16(nil, uint16(status))) + "Content-Type: " + kind + "\n"
	for _, l := range h.policy {
		head += l + "\n"
	}
	h.send(toResponse, e.id, f, head)
}

// of lists the payloads of a kind of frame.
func (h *host) of(kind byte) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, e := range h.events {
		if e.kind == kind {
			out = append(out, e.payload)
		}
	}
	return out
}

// refused counts what was refused by a word.
func (h *host) refused(word string) int {
	n := 0
	for _, p := range h.of(fromRefused) {
		w, _, _ := strings.Cut(p, "\x00")
		if w == word {
			n++
		}
	}
	return n
}

// reports are what the page said by its own way.
func (h *host) reports() []string { return reports(h.of(fromCall)) }

// attacks are what got through and was not meant to.
func (h *host) attacks() []string { return attacks(h.of(fromCall)) }

func reports(calls []string) []string {
	var out []string
	for _, c := range calls {
		if _, r, ok := strings.Cut(c, "report:"); ok {
			out = append(out, r)
		}
	}
	return out
}

func attacks(calls []string) []string {
	var out []string
	for _, c := range calls {
		if _, a, ok := strings.Cut(c, "attack:"); ok {
			out = append(out, a)
		}
	}
	return out
}

// report waits for a report and returns what is behind its name.
func (h *host) report(name string) string {
	h.t.Helper()
	return awaitReport(h.t, name, h.reports)
}

// point moves the pointer over a page until the page says "moved": one that is not
// laid out yet sees nothing of it.
func point(t testing.TB, d *desk.Desk, w desk.Window, reports func() []string) {
	t.Helper()
	x := 300
	until(t, "the page to see the pointer", func() bool {
		x ^= 2
		d.Move(w.Frame.Min.X+x, w.Frame.Min.Y+300)
		return slices.Contains(reports(), "moved")
	})
}

func awaitReport(t testing.TB, name string, reports func() []string) (said string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the page said: %q", reports())
		}
	}()
	until(t, fmt.Sprintf("the page to say %q", name), func() bool {
		for _, r := range reports() {
			if n, rest, _ := strings.Cut(r, " "); n == name {
				said = rest
				return true
			}
		}
		return false
	})
	return said
}

// bare is a host without protections, for control runs.
type bare struct {
	t    testing.TB
	proc *desk.Process
}

func showBare(t testing.TB, d *desk.Desk, s site, args ...string) *bare {
	t.Helper()
	dir := t.TempDir()
	for name, text := range s {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	cmd := exec.Command(filepath.Join(desk.Dir(), bareHost), append([]string{dir}, args...)...)
	cmd.Env = d.Env("GSK_RENDERER=cairo", "GTK_A11Y=none", "GDK_BACKEND=x11")
	return &bare{t, d.Run(cmd)}
}

// of lists what the bare host wrote of a kind.
func (b *bare) of(kind string) []string {
	var out []string
	for _, l := range strings.Split(b.proc.Words(), "\n") {
		if text, ok := strings.CutPrefix(l, kind+" "); ok {
			out = append(out, text)
		}
	}
	return out
}

func (b *bare) reports() []string { return reports(b.of("call")) }
func (b *bare) attacks() []string { return attacks(b.of("call")) }
func (b *bare) report(name string) string {
	b.t.Helper()
	return awaitReport(b.t, name, b.reports)
}
