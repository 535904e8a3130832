package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// studioHome keeps what Studio writes, from one `make run` to the next.
const studioHome = "build/studio"

// desktop says whether a window can be shown.
type desktop struct {
	root    bool
	display bool
	// built says that all that a window is made of is in bin.
	built bool
}

func lookForDesktop(root string) desktop {
	d := desktop{root: os.Geteuid() == 0, display: os.Getenv("WAYLAND_DISPLAY") != "" || os.Getenv("DISPLAY") != "", built: true}
	for _, name := range []string{"bailey-window", "bailey-prompt", "apps/studio.tar", "apps/panels.tar"} {
		if _, err := os.Stat(filepath.Join(root, "bin", name)); err != nil {
			d.built = false
		}
	}
	return d
}

// missing says why there is no window, and how to get one; empty = there is one.
func (d desktop) missing() string {
	switch {
	case d.root:
		return "root gets no window: run `make run` as an ordinary user, with a display"
	case !d.display:
		return "there is no display: run `make run` in a desktop session"
	case !d.built:
		return "what it is built of is missing; `make build` names it"
	}
	return ""
}

// studio opens Studio until the person closes it. The first time it brings in the
// models; later it is the person's matter which there are. It reports false when
// the window could not be shown, or was taken away.
func (t tour) studio(with models, first bool) (done bool, code int) {
	fmt.Fprintf(t.out, "\n== Studio opens. Choose a folder there; nothing is read before you allow it. What it keeps is in %s.\n", t.home)
	if !first {
		// Nothing is allowed anew that was withdrawn.
	} else if with.missing == "" {
		for _, name := range []string{with.embedding, with.chat} {
			args := append(with.pull(name), "--home", t.home)
			fmt.Fprintf(t.out, "$ bin/bailey %s\n", quote(args))
			if code, err := t.run(args...); err != nil || code != 0 {
				fmt.Fprintf(t.out, "-- Without %s.\n", name)
			}
		}
	} else {
		fmt.Fprintf(t.out, "-- Without models: %s.\n", with.missing)
	}
	args := []string{"studio", "--home", t.home}
	fmt.Fprintf(t.out, "$ bin/bailey %s\n", quote(args))
	code, err := t.run(args...)
	if err != nil {
		fmt.Fprintln(t.out, "tour:", err)
		return true, 1
	}
	return code != unavailable, code
}

// noWindow is the last line of a tour on the terminal.
func noWindow(out io.Writer, why string) {
	fmt.Fprintf(out, "\nBailey also has a window, Studio: %s.\n", why)
}
