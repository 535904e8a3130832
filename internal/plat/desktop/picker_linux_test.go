package desktop

import (
	"context"
	"errors"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

func TestPickFolder(t *testing.T) {
	malformed := errs.New(errs.Malformed, "")
	long := "file:///" + strings.Repeat("a", limits.PickedPath)
	for name, c := range map[string]struct {
		answer []any
		want   string
		err    error
	}{
		"a folder":              {[]any{uint32(0), uris("file:///home/u/My%20Folder%C3%A9")}, "/home/u/My Folderé", nil},
		"with a slash behind":   {[]any{uint32(0), uris("file:///home/u/")}, "/home/u", nil},
		"the root":              {[]any{uint32(0), uris("file:///")}, "/", nil},
		"not UTF-8":             {[]any{uint32(0), uris("file:///a%FF")}, "/a\xff", nil},
		"closed":                {[]any{uint32(1), map[string]godbus.Variant{}}, "", ErrNothingPicked},
		"closed with a folder":  {[]any{uint32(1), uris("file:///a")}, "", ErrNothingPicked},
		"gave up":               {[]any{uint32(2), map[string]godbus.Variant{}}, "", ErrNoPortal},
		"nothing":               {[]any{uint32(0), map[string]godbus.Variant{}}, "", malformed},
		"no uris":               {[]any{uint32(0), uris()}, "", malformed},
		"two":                   {[]any{uint32(0), uris("file:///a", "file:///b")}, "", malformed},
		"another machine's":     {[]any{uint32(0), uris("file://host/a")}, "", malformed},
		"over a network":        {[]any{uint32(0), uris("smb:///a")}, "", malformed},
		"up and down":           {[]any{uint32(0), uris("file:///a/../../b")}, "", malformed},
		"escaped up and down":   {[]any{uint32(0), uris("file:///a/%2e%2e/b")}, "", malformed},
		"a zero":                {[]any{uint32(0), uris("file:///a%00b")}, "", malformed},
		"a broken escape":       {[]any{uint32(0), uris("file:///a%0")}, "", malformed},
		"a query":               {[]any{uint32(0), uris("file:///a?b")}, "", malformed},
		"a path":                {[]any{uint32(0), uris("/a")}, "", malformed},
		"empty":                 {[]any{uint32(0), uris("")}, "", malformed},
		"too long":              {[]any{uint32(0), uris(long)}, "", malformed},
		"uris of another type":  {[]any{uint32(0), map[string]godbus.Variant{"uris": godbus.MakeVariant("file:///a")}}, "", malformed},
		"numbers for uris":      {[]any{uint32(0), map[string]godbus.Variant{"uris": godbus.MakeVariant([]uint32{1})}}, "", malformed},
		"garbage":               {[]any{"file:///a"}, "", malformed},
		"no values":             {nil, "", malformed},
		"a number too few bits": {[]any{byte(0), uris("file:///a")}, "", malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startBus(t)
			p := newPortal(t, d)
			asked := ""
			p.open = func(request godbus.ObjectPath, title string) godbus.ObjectPath {
				asked = title
				// The answer may overtake the handle.
				respond(t, p.conn, request, c.answer...)
				return ""
			}
			p.take()
			got, err := PickFolder(t.Context(), d, "Choose a folder", "/home/u")
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v", got, err)
			}
			if asked != "Choose a folder" {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestNoPortal(t *testing.T) {
	d := startBus(t)
	for name, other := range map[string]Display{"no bus": {}, "no portal": d, "tcp": {SessionBus: "tcp:host=localhost,port=9"}} {
		if _, err := PickFolder(t.Context(), other, "", ""); !errors.Is(err, ErrNoPortal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that picks files only, one that does not know its version, one that
	// says another request than the one it was asked for.
	p := newPortal(t, d).take()
	p.open = func(godbus.ObjectPath, string) godbus.ObjectPath {
		return godbus.ObjectPath(portalPath) + "/request/1_1/x"
	}
	for _, version := range []any{uint32(2), "3", uint32(3)} {
		p.mu.Lock()
		p.version = version
		p.mu.Unlock()
		if _, err := PickFolder(t.Context(), d, "", ""); !errors.Is(err, ErrNoPortal) {
			t.Errorf("version %v: %v", version, err)
		}
	}
}

// TestPickNotForged: another connection answers in the portal's place, before
// it. The request's name is not for others to guess, but that is not relied on.
func TestPickNotForged(t *testing.T) {
	d := startBus(t)
	liar := connect(t, d.SessionBus)
	p := newPortal(t, d)
	p.open = func(request godbus.ObjectPath, _ string) godbus.ObjectPath {
		respond(t, liar, request, uint32(0), uris("file:///forged"))
		// It is through once the bus has answered a later call.
		if err := liar.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
			t.Error(err)
		}
		respond(t, p.conn, request, uint32(0), uris("file:///honest"))
		return ""
	}
	p.take()
	if got, err := PickFolder(t.Context(), d, "", ""); got != "/honest" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestPickEnds: the task ends while the dialog is open, which is then closed;
// what the portal says later harms nobody.
func TestPickEnds(t *testing.T) {
	d := startBus(t)
	p := newPortal(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown := make(chan godbus.ObjectPath, 1)
	p.open = func(request godbus.ObjectPath, _ string) godbus.ObjectPath { shown <- request; return "" }
	p.take()
	done := make(chan error)
	go func() { _, err := PickFolder(ctx, d, "", ""); done <- err }()
	request := <-shown
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := <-p.closed; got != request {
		t.Fatalf("closed %q", got)
	}
	respond(t, p.conn, request, uint32(0), uris("file:///late"))
}

// TestPortalDies: while the dialog is open.
func TestPortalDies(t *testing.T) {
	d := startBus(t)
	p := newPortal(t, d)
	p.open = func(godbus.ObjectPath, string) godbus.ObjectPath {
		go p.conn.Close()
		return ""
	}
	p.take()
	if _, err := PickFolder(t.Context(), d, "", ""); !errors.Is(err, ErrNoPortal) {
		t.Fatal(err)
	}
}

func FuzzPicked(f *testing.F) {
	b, err := dbus.Encode("ua{sv}", uint32(0), []dbus.Entry{{Key: "uris", Value: dbus.Variant{Signature: "as", Value: []any{"file:///a%20b"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ua{sv}", b)
	f.Fuzz(func(t *testing.T, sig string, body []byte) {
		p, err := picked(&dbus.Message{Signature: dbus.Signature(sig), Body: body})
		if err == nil && (p == "" || p[0] != '/' || len(p) >= limits.PickedPath || strings.Contains(p, "\x00") || strings.Contains(p+"/", "/../")) {
			t.Fatalf("%q", p)
		}
	})
}
