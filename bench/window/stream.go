package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// stand is a released window whose core is this process: package window as the
// core has it, and two methods of the benchmark's own.
type stand struct {
	b    *bench
	m    *window.Manager
	w    *window.Window
	said chan string
}

// The methods of a stand: the page tells a text, and a stream that the benchmark
// fills.
const (
	methodSay  = 9001
	methodFill = 9002
)

type silent struct{}

func (silent) Note(audit.Event) error { return nil }

// still is a desktop whose settings never change.
type still struct{ changes chan struct{} }

func (s still) Settings() window.Settings {
	return window.Settings{Scheme: surfacev1.Scheme_SCHEME_LIGHT}
}
func (s still) Changes() <-chan struct{}                     { return s.changes }
func (s still) Pick(context.Context) (*folder.Folder, error) { return nil, nil }
func (s still) Accessibility() string                        { return "" }
func (s still) Close()                                       { close(s.changes) }

type surface struct{ m *window.Manager }

func (s surface) Ack(ctx context.Context, in *surfacev1.AckRequest) (*surfacev1.AckResponse, error) {
	return &surfacev1.AckResponse{}, s.m.Ack(ctx, in.Stream, in.Bytes)
}
func (s surface) Cancel(ctx context.Context, in *surfacev1.CancelRequest) (*surfacev1.CancelResponse, error) {
	return &surfacev1.CancelResponse{}, s.m.CancelStream(ctx, in.Stream)
}
func (s surface) Events(ctx context.Context, _ *surfacev1.EventsRequest, out *surfacev1.SurfaceServiceEventsSender) error {
	return s.m.Events(ctx, out.Send)
}
func (s surface) Pick(context.Context, *surfacev1.PickRequest) (*surfacev1.PickResponse, error) {
	return nil, errors.New("no dialog")
}
func (s surface) OpenPanel(context.Context, *surfacev1.OpenPanelRequest) (*surfacev1.OpenPanelResponse, error) {
	return nil, errors.New("no panel")
}

// show opens a window with a site, and fill as the stream that its page can
// fetch.
func (b *bench) show(site map[string][]byte, fill func(send func([]byte) error) error) (*stand, error) {
	bundle, err := pack(site)
	if err != nil {
		return nil, err
	}
	var files [2]*os.File
	for i, name := range []string{"bailey-window", "bailey-worker"} {
		if files[i], err = os.Open(b.path(armStudio, "bin", name)); err != nil {
			return nil, err
		}
	}
	s := &stand{b: b, said: make(chan string, 16)}
	app := []policyv1.Surface{policyv1.Surface_SURFACE_APP}
	// What the generated rows of other methods have.
	const most = 1 << 20
	routes := map[uint32]rpc.Route{
		methodSay: {Method: &rpc.Method{Number: methodSay, Name: "bench/Say", Kind: policyv1.Kind_KIND_NONE, Surfaces: app, MaxRequest: most, MaxResponse: most}, Unary: func(_ context.Context, in []byte) ([]byte, error) {
			s.said <- string(in)
			return nil, nil
		}},
		methodFill: {Method: &rpc.Method{Number: methodFill, Name: "bench/Fill", Kind: policyv1.Kind_KIND_NONE, Surfaces: app, Streaming: true, MaxRequest: most, MaxResponse: most}, Stream: func(_ context.Context, _ []byte, out rpc.Sender) error {
			return fill(out.Send)
		}},
	}
	s.m = window.New(window.Config{
		Release: "bench", Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Record: silent{},
		Sessions: session.NewRegistry(clock.System{}),
		Find:     func(n uint32) (rpc.Route, bool) { r, ok := routes[n]; return r, ok },
		Bundle:   func(apps.App) (*apps.Bundle, error) { return bundle, nil },
		Check:    func(context.Context, desktop.Display) error { return nil },
		Confined: hosts.CheckTree,
		Start: func(ctx context.Context, d desktop.Display, accessibility string) (*window.Host, error) {
			h, err := hosts.Start(ctx, hosts.Window, hosts.Options{Display: d, Program: files[0], Stub: files[1]})
			if err != nil {
				return nil, err
			}
			return &window.Host{Conn: h.Conn, PID: h.PID(), Done: h.Done(), Kill: h.Kill, Ended: func() map[string]string { return nil }}, nil
		},
		Desk:  func(desktop.Display) window.Desk { return still{make(chan struct{})} },
		Watch: func(uint64, func(capability.ID, grantv1.State)) func() { return func() {} },
		Gone:  func(*session.Session) {},
	})
	for _, r := range surfacev1.SurfaceServiceRoutes(surface{s.m}) {
		routes[r.Method.Number] = r
	}
	s.w, _, err = s.m.Open(context.Background(), apps.Studio, "", b.display())
	return s, err
}

// await waits for what the page says.
func (s *stand) await(d time.Duration) (string, error) {
	select {
	case t := <-s.said:
		if strings.HasPrefix(t, "failed") {
			return t, errors.New(t)
		}
		return t, nil
	case <-s.w.Done():
		why, err := s.w.Why()
		return "", fmt.Errorf("the window ended: %s: %w", why, err)
	case <-time.After(d):
		return "", errors.New("the page says nothing")
	}
}

func (s *stand) close() { s.m.Close() }

// pack makes the archive that a core would serve.
func pack(site map[string][]byte) (*apps.Bundle, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, text := range site {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(buf.Bytes())
	app, _ := apps.Find(apps.Studio)
	return apps.Read(app, &buf, hex.EncodeToString(digest[:]))
}

// streamPage reads a stream as the SDK does, without its types: the records are
// counted and acknowledged, and how many there were is told.
const streamPage = `const bytes = (...parts) => parts.map(p => typeof p === "string" ? p : String.fromCharCode(...p)).join("");
const varint = n => { const out = []; for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128); out.push(n); return out };
const call = (method, message) => window.bailey.post(bytes([8], varint(method), [26], varint(message.length), message));
const say = text => call(9001, text);
async function main() {
  const reply = await call(9002, "x");
  const id = reply.slice(-16);
  const hex = [...id].map(c => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const reader = (await fetch("/.stream/" + hex)).body.getReader();
  let records = 0, need = 0, head = 0, have = 0, taken = 0;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) break;
    let i = 0;
    while (i < value.length) {
      if (need > 0) { const n = Math.min(need, value.length - i); need -= n; i += n; continue }
      head = head * 256 + value[i++];
      if (++have === 4) { need = head; head = have = 0; records++ }
    }
    taken += value.length;
    if (taken >= 65536) { for (; taken > 0; ) { const n = Math.min(taken, 1048576); taken -= n; call(1001, bytes([10, 16], id, [16], varint(n))).catch(() => {}) } }
  }
  await say("read " + (records - 1));
}
main().catch(e => say("failed " + e));
`

func streamSite() map[string][]byte {
	return map[string][]byte{
		"index.html": []byte("<!doctype html><meta charset=utf-8><title>stream</title><body><h1>Stream</h1><script src=./page.js></script>\n"),
		"page.js":    []byte(streamPage),
	}
}

// tokens is as many as the floor brings to its page.
const tokens = 100000

// stream is how fast words come to the page, each a message of its own.
func (b *bench) stream() error {
	for range max(3, b.turns()/2) {
		if len(b.got("floor evaluate per s")) < 3 || !b.o.wants("calls") {
			if _, err := b.floor(); err != nil {
				return err
			}
		}
		var began time.Time
		s, err := b.show(streamSite(), func(send func([]byte) error) error {
			began = time.Now()
			for range tokens {
				if err := send([]byte("token ")); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		said, err := s.await(patience)
		took := time.Since(began)
		s.close()
		if err != nil {
			return err
		}
		if want := fmt.Sprint("read ", tokens); said != want {
			return fmt.Errorf("the page says %q, not %q", said, want)
		}
		b.raw("stream per s", tokens/took.Seconds())
	}
	evaluate := b.median("floor evaluate per s")
	got := b.median("stream per s")
	b.row(rows.New("stream to the page, a message a token", got, "tokens/s", ">= 10 x one evaluate_javascript a token").Judged(got >= 10*evaluate).Beside("webview-floor, evaluate_javascript", evaluate))
	b.row(rows.New("stream to the page, a message a token, beside a bare body", got, "tokens/s", "").Beside("webview-floor, body of a response", b.median("floor stream per s")))
	return nil
}

// manyPage fetches small streams one after another, as a panel does that looks
// again each second, and tells after each lot.
const manyPage = `const bytes = (...parts) => parts.map(p => typeof p === "string" ? p : String.fromCharCode(...p)).join("");
const varint = n => { const out = []; for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128); out.push(n); return out };
const call = (method, message) => window.bailey.post(bytes([8], varint(method), [26], varint(message.length), message));
async function one() {
  const id = (await call(9002, "x")).slice(-16);
  const hex = [...id].map(c => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const reader = (await fetch("/.stream/" + hex)).body.getReader();
  while (!(await reader.read()).done);
}
async function main() {
  for (let n = 0; ; n++) {
    await call(9001, "lot " + n);
    for (let i = 0; i < 500; i++) await one();
  }
}
main().catch(e => call(9001, "failed " + e));
`

// Lots of so many streams. The first of them is how a web process becomes as
// large as it is.
const (
	manyLot   = 500
	manyLots  = 8
	manyFirst = 2
)

// many is what streams leave in the web process when they are over.
func (b *bench) many() error {
	site := streamSite()
	site["page.js"] = []byte(manyPage)
	s, err := b.show(site, func(send func([]byte) error) error { return send([]byte("token ")) })
	if err != nil {
		return err
	}
	defer s.close()
	web, err := b.webProcess(s.w.PID())
	if err != nil {
		return err
	}
	for range manyLots {
		if _, err := s.await(patience); err != nil {
			return err
		}
		u, err := memory(web)
		if err != nil {
			return err
		}
		b.raw("many web process MB, no file's", mb(u.Own))
	}
	all := b.got("many web process MB, no file's")
	last := len(all) - 1
	kb := (all[last] - all[manyFirst]) * 1e3 / float64((last-manyFirst)*manyLot)
	b.row(rows.New("a stream that is over, left in the web process", kb, "KB", ""))
	return nil
}

// Flat: so many messages of so many bytes a second, for so long.
const (
	flatBytes  = 1_000_000
	flatRate   = 100
	flatLong   = 60 * time.Second
	flatGrowth = 64 << 20
)

// flat is R35: what 100 MB/s to the page leave in memory.
func (b *bench) flat() error {
	long := flatLong
	if b.o.quick {
		long = 10 * time.Second
	}
	sent := 0
	var began time.Time
	var took time.Duration
	s, err := b.show(streamSite(), func(send func([]byte) error) error {
		began = time.Now()
		m := bytes.Repeat([]byte("x"), flatBytes)
		for i := 0; time.Since(began) < long; i++ {
			if wait := time.Until(began.Add(time.Duration(i) * time.Second / flatRate)); wait > 0 {
				time.Sleep(wait)
			}
			if err := send(m); err != nil {
				return err
			}
			sent++
		}
		took = time.Since(began)
		return nil
	})
	if err != nil {
		return err
	}
	defer s.close()
	// The first seconds are how a web process becomes as large as it is.
	const settle = 2 * time.Second
	web, err := b.webProcess(s.w.PID())
	if err != nil {
		return err
	}
	time.Sleep(settle)
	first, peak := map[int]int64{}, map[int]int64{}
	for {
		for _, pid := range []int{os.Getpid(), web} {
			n, err := live.Memory(pid, "VmRSS")
			if err != nil {
				return err
			}
			if first[pid] == 0 {
				first[pid] = n
			}
			peak[pid] = max(peak[pid], n)
		}
		b.raw("flat web process MB", mb(peak[web]))
		select {
		case said := <-s.said:
			if want := fmt.Sprint("read ", sent); said != want {
				return fmt.Errorf("the page says %q, not %q", said, want)
			}
			rate := float64(sent) * flatBytes / 1e6 / took.Seconds()
			b.row(rows.New("1 MB messages to the page, rate", rate, "MB/s", ">= 100").Judged(rate >= 0.99*flatRate*flatBytes/1e6))
			b.row(b.most("1 MB messages to the page, growth of the web process, peak RSS", mb(peak[web]-first[web]), "MB", mb(flatGrowth), ""))
			b.row(b.most("1 MB messages to the page, growth of the core, peak RSS", mb(peak[os.Getpid()]-first[os.Getpid()]), "MB", mb(flatGrowth), ""))
			return nil
		case <-s.w.Done():
			return errors.New("the window ended")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// webProcess is the one that runs the page.
func (b *bench) webProcess(window int) (pid int, err error) {
	err = until("the web process", func() bool {
		below, _ := proc.Descendants(window)
		for _, p := range below {
			if args, err := proc.Cmdline(p); err == nil && len(args) > 0 && filepath.Base(args[0]) == "WebKitWebProcess" {
				pid = p
				return true
			}
		}
		return false
	})
	return pid, err
}

// chat has Studio take in 1,000 tokens a second below 2,000 messages, with its
// mock core, see apps/studio/src/stories/bench.ts.
func (b *bench) chat() error {
	for range max(1, b.turns()/3) {
		site := map[string][]byte{}
		dir := b.path("stories")
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			site[strings.TrimPrefix(path, dir+"/")] = text
			return err
		})
		if err != nil {
			return err
		}
		// The story's name comes by the address; and what it found has to be told.
		site["tell.js"] = []byte(streamTell)
		site["index.html"] = bytes.Replace(site["stories.html"], []byte("<link "), []byte("<script src=\"./tell.js\"></script>\n    <link "), 1)
		s, err := b.show(site, func(func([]byte) error) error { return errors.New("no stream") })
		if err != nil {
			return err
		}
		said, err := s.await(3 * patience)
		s.close()
		if err != nil {
			return err
		}
		var got struct {
			Messages int     `json:"messages"`
			Tokens   float64 `json:"tokens"`
			Seconds  float64 `json:"seconds"`
			Per      struct {
				P50 float64 `json:"p50"`
				P95 float64 `json:"p95"`
				Max float64 `json:"max"`
			} `json:"ms_per_token"`
			Frame struct {
				P95 float64 `json:"p95"`
			} `json:"ms_per_frame"`
		}
		if err := json.Unmarshal([]byte(said), &got); err != nil {
			return fmt.Errorf("%w in %q", err, said)
		}
		b.note("chat", json.RawMessage(said))
		b.raw("chat ms per token p50", got.Per.P50)
		b.raw("chat ms per token p95", got.Per.P95)
		b.raw("chat ms per token max", got.Per.Max)
	}
	b.row(b.most("1,000 tokens/s below 2,000 messages, main thread a token, p95", b.median("chat ms per token p95"), "ms", 4, ""))
	return nil
}

const streamTell = `history.replaceState(null, "", "?story=bench");
const varint = n => { const out = []; for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128); out.push(n); return out };
const say = text => window.bailey.post(String.fromCharCode(8, ...varint(9001), 26, ...varint(text.length)) + text);
addEventListener("error", e => say("failed " + e.message));
addEventListener("unhandledrejection", e => say("failed " + e.reason));
new MutationObserver((_, o) => {
  const found = document.documentElement.dataset.bench;
  if (found) { o.disconnect(); say(found) }
}).observe(document.documentElement, {attributes: true, attributeFilter: ["data-bench"]});
`

// size is what of Studio is code, compressed.
func (b *bench) size() error {
	f, err := os.Open(b.path(armStudio, "bin", "apps", "studio.tar"))
	if err != nil {
		return err
	}
	defer f.Close()
	r := tar.NewReader(f)
	total := 0
	for {
		h, err := r.Next()
		if err != nil {
			break
		}
		if !strings.HasSuffix(h.Name, ".js") {
			continue
		}
		var buf bytes.Buffer
		z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
		if err != nil {
			return err
		}
		text := make([]byte, h.Size)
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		total += buf.Len()
	}
	b.row(b.most("Studio's JavaScript, gzip", float64(total)/1e3, "KB", 120, ""))
	return nil
}
