package walk

import "github.com/bailey-run/bailey/internal/plat/dirfd"

type verdict uint8

const (
	undecided verdict = iota
	exclude
	include
)

// rules are the ignore files of one directory and of those above it.
type rules struct{ above *rules }

func (r *rules) match(full string, isDir bool) verdict { return undecided }

func (w *walker) rules(d *dirfd.Dir, path string, names []dirfd.Name, above *rules) *rules {
	return above
}
