package cgroup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

// Names of systemd's manager, of a person or of the system, and of the bus itself.
const (
	systemBus = "/run/dbus/system_bus_socket"

	manager          = "org.freedesktop.systemd1"
	managerPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface = "org.freedesktop.systemd1.Manager"

	busService = "org.freedesktop.DBus"
	busPath    = dbus.ObjectPath("/org/freedesktop/DBus")
)

// noBus is the error where no bus answers at a socket.
type noBus struct {
	socket string
	cause  error
}

func (e *noBus) Error() string { return e.socket + ": " + e.cause.Error() }
func (e *noBus) Unwrap() error { return e.cause }

// ask has systemd put this process into a scope of its own, delegated, and
// returns the scope's name once systemd says that it is done.
func ask(ctx context.Context, o Options, uid, pid int) (string, error) {
	socket := systemBus
	if uid != 0 {
		dir := o.RuntimeDir
		if dir == "" {
			dir = "/run/user/" + strconv.Itoa(uid)
		}
		socket = filepath.Join(dir, "bus")
	}
	return askAt(ctx, socket, pid)
}

func askAt(ctx context.Context, socket string, pid int) (string, error) {
	bus, err := dbus.Dial(ctx, dbus.Address(socket))
	if err != nil {
		return "", &noBus{socket, err}
	}
	defer bus.Close()
	owner, err := bus.Owner(ctx, manager)
	if err != nil {
		return "", &noBus{socket, fmt.Errorf("no systemd is on it: %w", err)}
	}
	// A process id of another namespace is another process's there.
	out, err := bus.Call(ctx, dbus.Call{
		Destination: busService, Path: busPath, Interface: busService, Member: "GetConnectionUnixProcessID",
		Signature: "s", Args: []any{bus.Name()},
	})
	if err != nil || len(out) != 1 || out[0] != any(uint32(pid)) {
		return "", errors.New("systemd sees us under another process id, as from a container")
	}
	secret := make([]byte, 4)
	_, _ = rand.Read(secret) // it never fails
	unit := topName + hex.EncodeToString(secret) + ".scope"
	removed := make(chan *dbus.Message, limits.GroupJobs)
	_, err = bus.Watch(ctx, dbus.Match{Sender: owner, Path: managerPath, Interface: managerInterface, Member: "JobRemoved"}, func(m *dbus.Message) {
		select {
		case removed <- m:
		default: // ours is waited for no longer than the search may take
		}
	})
	if err != nil {
		return "", fmt.Errorf("systemd's bus refused: %w", err)
	}
	out, err = bus.Call(ctx, dbus.Call{
		Destination: owner, Path: managerPath, Interface: managerInterface, Member: "StartTransientUnit",
		Signature: "ssa(sv)a(sa(sv))", Args: []any{unit, "fail", []any{
			property("Description", "s", "Bailey, its core and its workers"),
			property("PIDs", "au", []any{uint32(pid)}),
			property("Delegate", "b", true),
			// It is forgotten at its end, also after a worker was killed.
			property("CollectMode", "s", "inactive-or-failed"),
		}, []any{}},
	})
	if err != nil {
		if e := (*dbus.Error)(nil); errors.As(err, &e) {
			return "", fmt.Errorf("systemd refused a scope: %s", e.Name)
		}
		return "", fmt.Errorf("systemd made no scope: %w", err)
	}
	job, ok := dbus.ObjectPath(""), false
	if len(out) == 1 {
		job, ok = out[0].(dbus.ObjectPath)
	}
	if !ok {
		return "", errors.New("systemd's answer is none")
	}
	for {
		select {
		case m := <-removed:
			v, err := m.Values()
			if err != nil || len(v) != 4 || v[1] != any(job) {
				continue
			}
			if v[3] != any("done") {
				return "", errors.New("systemd could not make a scope")
			}
			return unit, nil
		case <-bus.Done():
			return "", errors.New("systemd's bus went away")
		case <-ctx.Done():
			return "", errors.New("systemd made no scope in time")
		}
	}
}

func property(name string, sig dbus.Signature, v any) dbus.Struct {
	return dbus.Struct{name, dbus.Variant{Signature: sig, Value: v}}
}
