// Package graphics says whether the system has a graphics card that this user may
// open, before anything is asked or loaded for it. It looks at device nodes alone:
// what a driver makes of them only the driver knows. It refuses a node that is
// none, and one that this user may not open, and says so. The core asks it before
// it asks a person, and the command's doctor and `make gpu-test` do.
package graphics

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
)

// Find returns the node of the first card that this user may open, and its
// workers. The error is errs.NotSupported, with the reason as its detail.
func Find() (string, error) {
	if node, ok := standin(); ok {
		return node, nil
	}
	return find("/", open)
}

// Nodes are the device nodes that a driver needs for the card of a node that Find
// returned.
func Nodes(node string) []string { return nodesOf("/", node) }

func nodesOf(root, node string) []string {
	if !strings.HasPrefix(node, "/dev/") {
		return nil
	}
	out := []string{node}
	if strings.HasPrefix(node, "/dev/nvidia") {
		for _, beside := range []string{"/dev/nvidiactl", "/dev/nvidia-modeset"} {
			if _, err := os.Stat(filepath.Join(root, beside)); err == nil {
				out = append(out, beside)
			}
		}
	}
	return out
}

// find looks below root; open tries one node.
func find(root string, open func(string) error) (string, error) {
	none := func(reason string) (string, error) {
		return "", errs.New(errs.NotSupported, "graphics.find").With(reason)
	}
	var refused string
	for _, node := range nodes(root) {
		err := open(filepath.Join(root, node))
		if err == nil {
			return node, nil
		}
		if refused == "" {
			refused = node + ", which cannot be used"
			switch {
			case errors.Is(err, errNobody):
				refused = node + ", which not everybody may open, as root's workers would have to (run Bailey as an ordinary user)"
			case errors.Is(err, fs.ErrPermission):
				refused = node + ", which this user may not open (group render or video)"
			}
		}
	}
	if refused != "" {
		return none("there is only " + refused)
	}
	return none("this system has none")
}

// nodes are those of cards that compute: the kernel's own interface, which serves
// a process without a display, and NVIDIA's, which is of use with its control
// node alone.
func nodes(root string) []string {
	var out []string
	add := func(pattern string) {
		// The patterns are well formed, which is the one thing that Glob complains of.
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		slices.Sort(found)
		for _, f := range found {
			if rel, err := filepath.Rel(root, f); err == nil {
				out = append(out, "/"+rel)
			}
		}
	}
	add("dev/dri/renderD*")
	if _, err := os.Stat(filepath.Join(root, "dev/nvidiactl")); err == nil {
		add("dev/nvidia[0-9]*")
	}
	return out
}

var errNobody = errors.New("not everybody's")

// open opens a node as a driver would, and closes it.
func open(name string) error {
	// Nothing else is opened: opening a FIFO would wait.
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	if st.Mode()&os.ModeCharDevice == 0 {
		return errors.New("no device")
	}
	// The workers of a root core are nobody.
	const everybody = 0o006
	if os.Geteuid() == 0 && st.Mode()&everybody != everybody {
		return errNobody
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
