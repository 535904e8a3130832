package core

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// acting is a prompter whose prompt does what the test says: it is given the
// fields of the sheet, and writes to the core.
func acting(t *testing.T, display desktop.Display, act func(fields map[byte][]string, conn net.Conn)) (*prompter, *atomic.Int32) {
	t.Helper()
	var killed atomic.Int32
	p := &prompter{log: slog.New(slog.DiscardHandler)}
	p.screen = func(*session.Session) (desktop.Display, window.Settings, string, bool) {
		return display, window.Settings{Scheme: surfacev1.Scheme_SCHEME_DARK, Scale: 1500, HighContrast: true}, "/run/a11y", true
	}
	p.start = func(_ context.Context, d desktop.Display, accessibility string) (*shown, error) {
		if d != display || accessibility != "/run/a11y" {
			t.Errorf("shown on %+v %q", d, accessibility)
		}
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			if fields, err := readSheet(theirs); err == nil {
				act(fields, theirs)
			}
		}()
		return &shown{conn: ours, kill: func() { ours.Close(); theirs.Close(); <-done; killed.Add(1) }, ended: func() []any { return nil }}, nil
	}
	return p, &killed
}

// readSheet reads a sheet as bailey-prompt does.
func readSheet(r io.Reader) (map[byte][]string, error) {
	fields := map[byte][]string{}
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		if head[0] == 0 {
			return fields, nil
		}
		b := make([]byte, binary.LittleEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		fields[head[0]] = append(fields[head[0]], string(b))
	}
}

func studioAsks() prompt.Question {
	row := prompt.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/home/u/a"), Ticked: true}
	return prompt.Question{Actor: "Studio", Rows: []prompt.Row{row, row}}
}

// The sheet has the window's display, look and language, and the answers are what
// they say.
func TestPrompter(t *testing.T) {
	hash := [32]byte{1, 2, 3}
	digits := hex.EncodeToString(hash[:])
	for _, c := range []struct {
		name, line string
		want       consent.Outcome
		code       errs.Code
	}{
		{"yes", "yes " + digits + " 1\n", consent.Yes, ""},
		{"no", "no " + digits + " denied\n", consent.No, ""},
		{"closed", "no " + digits + " closed\n", consent.No, ""},
		{"silence", "no " + digits + " timeout\n", consent.Unanswered, ""},
		{"never shown", "no " + digits + " hidden\n", consent.Failed, ""},
		{"display gone", "no " + digits + " lost\n", consent.Failed, ""},
		{"a crash", "", consent.Failed, errs.WorkerCrashed},
		{"another question", "yes " + strings.Repeat("0", 64) + " 1\n", consent.Failed, errs.Malformed},
		{"rows that were not offered", "yes " + digits + " 2\n", consent.Failed, errs.Malformed},
		{"more than an answer", "yes " + digits + " 1\nyes\n", consent.Failed, errs.Malformed},
		{"half an answer", "yes " + digits, consent.Failed, errs.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			display := desktop.Display{Wayland: "/run/wayland-7", Language: "de_DE.UTF-8"}
			p, killed := acting(t, display, func(f map[byte][]string, conn net.Conn) {
				if f[13][0] != digits || f[16][0] != "dark" || f[17][0] != "1500" || f[18][0] != "de" || f[19] == nil || f[20] != nil || f[24] != nil {
					t.Errorf("%q", f)
				}
				if !strings.HasPrefix(f[2][0], "Studio möchte alle Dateien") || len(f[5]) != 2 || f[5][0] != "/home/u/a" || f[4][0] != "xt" {
					t.Errorf("%q", f)
				}
				_, _ = io.WriteString(conn, c.line)
			})
			said, err := p.Ask(t.Context(), &session.Session{}, studioAsks(), hash)
			if said.Outcome != c.want || errs.CodeOf(err) != c.code && (err != nil || c.code != "") {
				t.Fatalf("%+v, %v", said, err)
			}
			if said.Outcome == consent.Yes && (said.Hash != hash || len(said.Rows) != 1 || said.Rows[0] != 1) {
				t.Errorf("%+v", said)
			}
			if killed.Load() != 1 {
				t.Error("the prompt was not ended")
			}
		})
	}
}

// The end of the asking takes the prompt off the screen at once, whatever it says
// then.
func TestPrompterGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, killed := acting(t, desktop.Display{Wayland: "/run/w"}, func(f map[byte][]string, conn net.Conn) {
		cancel()
		_, _ = io.ReadAll(conn) // until it is killed
	})
	began := time.Now()
	said, err := p.Ask(ctx, &session.Session{}, studioAsks(), [32]byte{})
	if err == nil || said.Outcome == consent.Yes || killed.Load() != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("%+v, %v, after %v", said, err, time.Since(began))
	}
}

// What is not asked where others can press, and where nobody can be asked.
func TestPrompterDisplays(t *testing.T) {
	p, _ := acting(t, desktop.Display{X11: ":7"}, func(f map[byte][]string, conn net.Conn) {
		if len(f[24]) != 1 || f[24][0] != "Other programs on this screen could press this for you. Say yes only if you asked for this." || f[18][0] != "en" {
			t.Errorf("%q", f)
		}
		_, _ = io.WriteString(conn, "no "+f[13][0]+" denied\n")
	})
	if said, err := p.Ask(t.Context(), &session.Session{}, studioAsks(), [32]byte{}); err != nil || said.Outcome != consent.No {
		t.Errorf("%+v, %v", said, err)
	}
	exec := prompt.Question{Actor: "Studio", Rows: []prompt.Row{{Kind: policyv1.Kind_KIND_EXEC_RUN}}}
	if said, err := p.Ask(t.Context(), &session.Session{}, exec, [32]byte{}); err == nil || said.Outcome != consent.Failed {
		t.Errorf("%+v, %v", said, err)
	}
	p.screen = func(*session.Session) (desktop.Display, window.Settings, string, bool) {
		return desktop.Display{}, window.Settings{}, "", false
	}
	if _, err := p.Ask(t.Context(), &session.Session{}, studioAsks(), [32]byte{}); errs.CodeOf(err) != errs.DisplayMissing {
		t.Error(err)
	}
	p.screen = nil
	if _, err := p.Ask(t.Context(), &session.Session{}, studioAsks(), [32]byte{}); errs.CodeOf(err) != errs.DisplayMissing {
		t.Error(err)
	}
}
