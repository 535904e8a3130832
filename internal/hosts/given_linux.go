package hosts

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// given collects what a host is given; the caller closes it.
type given struct {
	sandbox.Given
	// made are files that were made for it, and stay as long as it runs: a sandbox
	// inside its own cannot mount what has no name any more.
	made []string
}

// remove removes what was made for a host that has ended, or never began.
func (g *given) remove() {
	for _, path := range g.made {
		os.Remove(path)
	}
}

func (g *given) close() {
	for _, p := range g.Places {
		p.At.Close()
	}
}

func (g *given) env(name, value string) { g.Env = append(g.Env, name+"="+value) }

// add opens what is at a path, for a target.
func (g *given) add(target, path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		var fd int
		fd, err = unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
		if err == nil {
			g.Places = append(g.Places, sandbox.Place{Target: target, At: os.NewFile(uintptr(fd), real), Path: real})
		}
	}
	return err
}

// write makes a file in dir that holds b, for a target.
func (g *given) write(target, dir string, b []byte) error {
	const kind = "host"
	if dir != "" {
		desktop.Sweep(dir, kind)
	}
	f, err := os.CreateTemp(dir, desktop.Prefix(kind)+"*")
	if err != nil {
		return err
	}
	g.made = append(g.made, f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return g.add(target, f.Name())
}

// give turns options into what the sandbox of a host takes.
func give(spec workerspec.Spec, o Options) (_ *given, err error) {
	g := &given{}
	defer func() {
		if err != nil {
			g.close()
			g.remove()
		}
	}()
	none := func(cause error, what string) error {
		return errs.Wrap(errs.WindowUnavailable, opStart, cause).With(what).WithHint(hintDisplay)
	}
	if l := o.Display.Language; regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,64}$`).MatchString(l) {
		g.env("LANG", l)
	}
	switch d := o.Display; {
	case d.Wayland != "":
		g.env("GDK_BACKEND", "wayland")
		g.env("WAYLAND_DISPLAY", filepath.Base(workerspec.WaylandTarget))
		if err := g.add(workerspec.WaylandTarget, d.Wayland); err != nil {
			return nil, none(err, "the compositor's socket is not there")
		}
	case d.X11 != "":
		// ":0" or ":0.0": what is behind the point is a screen.
		m := regexp.MustCompile(`^(?:unix)?:([0-9]{1,5})(\.[0-9]{1,3})?$`).FindStringSubmatch(d.X11)
		if m == nil {
			return nil, none(nil, "the display is not on this machine")
		}
		g.env("GDK_BACKEND", "x11")
		g.KeepName = true
		g.env("DISPLAY", ":"+m[1]+m[2])
		if err := g.add(workerspec.X11Target+m[1], x11Sockets+m[1]); err != nil {
			return nil, none(err, "the X server's socket is not there")
		}
		cookie, err := d.Cookie()
		if err != nil {
			return nil, none(err, "the cookies of X11 cannot be read")
		}
		if cookie != nil {
			g.env("XAUTHORITY", workerspec.XAuthorityTarget)
			if err := g.write(workerspec.XAuthorityTarget, o.Runtime, cookie); err != nil {
				return nil, errs.Wrap(errs.Internal, opStart, err)
			}
		}
	default:
		return nil, none(nil, "there is no display")
	}
	if o.Accessibility == "" {
		g.env("GTK_A11Y", "none")
	} else {
		g.env("AT_SPI_BUS_ADDRESS", "unix:path="+workerspec.AccessibilityTarget)
		if err := g.add(workerspec.AccessibilityTarget, o.Accessibility); err != nil {
			return nil, errs.Wrap(errs.Internal, opStart, err)
		}
	}
	if spec.Surroundings.Persons {
		if err := g.persons(o.Home, o.Hidden); err != nil {
			return nil, err
		}
	}
	return g, nil
}

const x11Sockets = "/tmp/.X11-unix/X"

// persons gives the directories in which a person keeps files, at their own
// paths: what is picked is a path.
func (g *given) persons(home string, hidden func(*folder.Folder) []string) error {
	if home == "" {
		return errs.New(errs.Internal, opStart).With("a picker without a home")
	}
	g.env("HOME", home)
	user := filepath.Base(home)
	for _, dir := range []string{home, "/media", "/mnt", "/srv", "/run/media/" + user} {
		f, err := folder.Open(dir)
		if err != nil && dir == home {
			return errs.Wrap(errs.FolderMissing, opStart, err).With(home)
		}
		if err != nil {
			continue
		}
		if strings.HasPrefix(f.Path+"/", home+"/") && dir != home {
			f.Close()
			continue
		}
		place := sandbox.Place{Target: f.Path, At: f.Dir, Path: f.Path}
		if hidden != nil {
			place.Hide = hidden(f)
		}
		g.Places = append(g.Places, place)
	}
	return nil
}
