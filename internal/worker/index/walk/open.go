package walk

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Open visits the one file at a path below root, as Walk would have: by
// descriptor and single names, following no link, and a regular file or nothing.
// Ignore files are not asked: whoever calls knows that the path was visited
// before. It reports why not, or doc.Read with visit's error.
func Open(root *dirfd.Dir, path string, visit func(*Entry) error) (doc.Reason, error) {
	if len(path) > limits.WalkPath || strings.IndexByte(path, 0) >= 0 {
		return doc.TooDeep, nil
	}
	names := strings.Split(path, "/")
	if len(names) > limits.WalkDepth {
		return doc.TooDeep, nil
	}
	d, last := root, len(names)-1
	for _, name := range names[:last] {
		sub, err := d.Dir(name)
		if d != root {
			d.Close()
		}
		if err != nil {
			return reasonOf(err), nil
		}
		d = sub
	}
	f, err := d.File(names[last])
	if d != root {
		d.Close()
	}
	if err != nil {
		return reasonOf(err), nil
	}
	defer f.Close()
	info, err := f.Info()
	switch {
	case err != nil:
		return reasonOf(err), nil
	case info.Kind != dirfd.Regular:
		return doc.Special, nil
	case info.Size > largest(names[last]):
		return doc.TooLarge, nil
	}
	return doc.Read, visit(&Entry{Path: path, Name: names[last], Info: info, file: f})
}
