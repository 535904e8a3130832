package desktop

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Prefix begins the names of what this process makes of a kind in its runtime
// directory. It holds the process's id, so that [Sweep] can tell what an earlier
// one left behind.
func Prefix(kind string) string { return kind + "-" + strconv.Itoa(os.Getpid()) + "-" }

// Sweep removes from dir what is of a kind and was made by another process: by a
// core that was killed, since a runtime directory has one core at a time.
func Sweep(dir, kind string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whoever makes something there will say so
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), kind+"-") && !strings.HasPrefix(e.Name(), Prefix(kind)) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // what stays does no harm
		}
	}
}
