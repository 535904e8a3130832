package desktop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

var (
	// ErrNoPortal is returned where no portal lets a folder be picked; another
	// picker may.
	ErrNoPortal = errors.New("desktop: no portal for folders")
	// ErrNothingPicked is returned when the person closed the picker.
	ErrNothingPicked = errors.New("desktop: nothing was picked")
)

// Names of the portal: org.freedesktop.portal.FileChooser. Folders can be
// picked since version 3; an older one would pick a file.
const (
	portalChooser    = "org.freedesktop.portal.FileChooser"
	portalRequest    = "org.freedesktop.portal.Request"
	chooserDirectory = 3
	properties       = "org.freedesktop.DBus.Properties"
	// Answers of a request; any other is a failure.
	answeredYes = 0
	answeredNo  = 1
)

// PickFolder has the desktop's own dialog let a person pick a folder, and
// returns its path, which is absolute and a claim: the caller opens it itself.
// The dialog stands for itself, not on a window: a handle for that cannot be
// had. It begins in a folder, "" for wherever it likes, and is open until the person answers or ctx ends. Errors: [ErrNoPortal],
// [ErrNothingPicked], errs.Malformed for an answer that is none, the context's.
func PickFolder(ctx context.Context, d Display, title, begin string) (string, error) {
	bus, err := dialPortal(ctx, d)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoPortal, err)
	}
	defer bus.Close()
	start, cancel := context.WithTimeout(ctx, limits.PortalStart)
	defer cancel()
	owner, err := bus.Start(start, portal)
	if err == nil {
		err = picksFolders(start, bus, owner)
	}
	if err != nil {
		return "", noPortal(ctx, err)
	}
	answers := make(chan *dbus.Message, 1)
	first := func(m *dbus.Message) {
		select {
		case answers <- m:
		default:
		}
	}
	gone := make(chan struct{}, 1)
	_, err = bus.Watch(start, dbus.OwnerChanged(portal), func(*dbus.Message) {
		select {
		case gone <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return "", noPortal(ctx, err)
	}
	// The object of the request can be reckoned, so its answer is heard before
	// the request is made.
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // it never fails
	token := "bailey_" + hex.EncodeToString(secret)
	sender := strings.ReplaceAll(strings.TrimPrefix(bus.Name(), ":"), ".", "_")
	request := portalPath + dbus.ObjectPath("/request/"+sender+"/"+token)
	if _, err := bus.Watch(start, dbus.Match{Sender: owner, Path: request, Interface: portalRequest, Member: "Response"}, first); err != nil {
		return "", noPortal(ctx, err)
	}
	// The dialog goes with the question. A portal that has not come as far as to
	// know the request sees that the connection ends.
	defer func() {
		if ctx.Err() != nil {
			_ = bus.Tell(context.WithoutCancel(ctx), dbus.Call{Destination: owner, Path: request, Interface: portalRequest, Member: "Close"})
		}
	}()
	options := []dbus.Entry{
		{Key: "handle_token", Value: dbus.Variant{Signature: "s", Value: token}},
		{Key: "directory", Value: dbus.Variant{Signature: "b", Value: true}},
		{Key: "modal", Value: dbus.Variant{Signature: "b", Value: true}},
	}
	if begin != "" {
		// Portals before version 4 do not know it, and leave it.
		options = append(options, dbus.Entry{Key: "current_folder", Value: dbus.Variant{Signature: "ay", Value: append([]byte(begin), 0)}})
	}
	out, err := bus.Call(start, dbus.Call{
		Destination: owner, Path: portalPath, Interface: portalChooser, Member: "OpenFile", Signature: "ssa{sv}",
		Args: []any{"", strings.ToValidUTF8(title[:min(len(title), limits.PickerTitle)], ""), options},
	})
	if err != nil {
		return "", noPortal(ctx, err)
	}
	if len(out) != 1 || out[0] != any(request) {
		return "", noPortal(ctx, errors.New("the portal has another request"))
	}
	select {
	case m := <-answers:
		return picked(m)
	case <-gone:
		return "", noPortal(ctx, errors.New("the portal went away"))
	case <-bus.Done():
		return "", noPortal(ctx, dbus.ErrClosed)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// noPortal keeps the end of the caller's own context apart from a portal that
// does not work.
func noPortal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrNoPortal, err)
}

func picksFolders(ctx context.Context, bus *dbus.Conn, owner string) error {
	out, err := bus.Call(ctx, dbus.Call{
		Destination: owner, Path: portalPath, Interface: properties, Member: "Get",
		Signature: "ss", Args: []any{portalChooser, "version"},
	})
	if err != nil {
		return err
	}
	if len(out) == 1 {
		if v, ok := out[0].(dbus.Variant); ok {
			if n, ok := v.Value.(uint32); ok && n >= chooserDirectory {
				return nil
			}
		}
	}
	return errors.New("the portal cannot pick folders")
}

// picked reads the answer of a request: ua{sv}, with uris among its results.
func picked(m *dbus.Message) (string, error) {
	const op = "desktop.pick"
	values, err := m.Values()
	if err != nil {
		return "", errs.Wrap(errs.Malformed, op, err)
	}
	if m.Signature != "ua{sv}" {
		return "", errs.New(errs.Malformed, op)
	}
	switch values[0].(uint32) {
	case answeredYes:
	case answeredNo:
		return "", ErrNothingPicked
	default:
		return "", fmt.Errorf("%w: it gave up", ErrNoPortal)
	}
	for _, e := range values[1].([]dbus.Entry) {
		v := e.Value.(dbus.Variant)
		if e.Key != any("uris") || v.Signature != "as" {
			continue
		}
		if uris := v.Value.([]any); len(uris) == 1 {
			if p, ok := folderPath(uris[0].(string)); ok {
				return p, nil
			}
		}
		break
	}
	return "", errs.New(errs.Malformed, op)
}

// folderPath is the path of a file: URI of this machine.
func folderPath(uri string) (string, bool) {
	escaped, ok := strings.CutPrefix(uri, "file://")
	if !ok || len(uri) > limits.PortalURI || strings.ContainsAny(escaped, "?#") {
		return "", false
	}
	// An authority would name another machine.
	if !strings.HasPrefix(escaped, "/") {
		return "", false
	}
	p, ok := dbus.Unescape(escaped)
	if !ok || len(p) >= limits.PickedPath || strings.IndexByte(p, 0) >= 0 || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
		return "", false
	}
	return path.Clean(p), true
}
