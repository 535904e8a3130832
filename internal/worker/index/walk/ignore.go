package walk

import (
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// verdict is what ignore files say of a name.
type verdict uint8

const (
	undecided verdict = iota
	exclude
	include
)

// The kinds of ignore files, the strongest first: Bailey's own, the one that
// search tools share, git's, and git's private one. A stronger kind decides
// whatever the level of the weaker one's file is, as in ripgrep.
const (
	kindBailey = iota
	kindShared
	kindGit
	kindExclude
	kinds
)

// rules are the ignore files of one directory and, linked, of those above.
type rules struct {
	above *rules
	base  string // the directory's path, "" or ending in a slash
	count int    // patterns of the files here and above
	files [kinds]ignoreFile
}

// ignoreFile is what one file says.
type ignoreFile struct {
	path string
	list []pattern
	// cost is how many steps it took for the name that was matched last.
	cost int
}

// match returns what the ignore files say of full, the path from the root. What
// is below an excluded directory is never asked. Rules come from documents, so
// their cost is bounded: when the walk is over its budget, the file that costs
// most for this name is no longer obeyed.
func (w *walker) match(r *rules, full string, isDir bool) verdict {
	w.steps = min(w.steps+limits.WalkIgnoreSteps, limits.WalkIgnoreBurst)
	for {
		v := r.match(full, isDir, &w.steps)
		if w.steps >= 0 {
			return v
		}
		worst := r.costliest()
		w.skip(worst.path, doc.Costly)
		worst.list = nil
		w.steps = limits.WalkIgnoreSteps
	}
}

func (r *rules) match(full string, isDir bool, steps *int) verdict {
	for d := r; d != nil; d = d.above {
		for kind := range kinds {
			d.files[kind].cost = 0
		}
	}
	for kind := range kinds {
		for d := r; d != nil; d = d.above {
			f := &d.files[kind]
			if len(f.list) == 0 {
				continue
			}
			before := *steps
			v := f.match(full[len(d.base):], isDir, steps)
			f.cost = before - *steps
			if v != undecided || *steps < 0 {
				return v
			}
		}
	}
	return undecided
}

// costliest returns the file that the last match spent most on.
func (r *rules) costliest() *ignoreFile {
	worst := &r.files[0]
	for d := r; d != nil; d = d.above {
		for kind := range kinds {
			if f := &d.files[kind]; f.cost > worst.cost {
				worst = f
			}
		}
	}
	return worst
}

// match takes what it costs off steps, and stops when they are used up.
func (f *ignoreFile) match(rel string, isDir bool, steps *int) verdict {
	name := rel[strings.LastIndexByte(rel, '/')+1:]
	for i := len(f.list) - 1; i >= 0; i-- {
		matches := f.list[i].match(rel, name, isDir, steps)
		if *steps < 0 {
			return undecided
		}
		if matches && f.list[i].negate {
			return include
		}
		if matches {
			return exclude
		}
	}
	return undecided
}

// rules reads the ignore files among names.
func (w *walker) rules(d *dirfd.Dir, path string, names []dirfd.Name, above *rules) *rules {
	r := &rules{above: above, base: path}
	if above != nil {
		r.count = above.count
	}
	before := r.count
	add := func(kind int, d *dirfd.Dir, name, shown string) {
		list, ok := readPatterns(d, name)
		if !ok || r.count+len(list) > limits.WalkIgnoreRules {
			w.skip(path+shown, doc.Costly)
			return
		}
		r.count += len(list)
		r.files[kind] = ignoreFile{path: path + shown, list: list}
	}
	for _, n := range names {
		if n.Name > ".j" { // names are sorted
			break
		}
		switch n.Name {
		case ".baileyignore":
			add(kindBailey, d, n.Name, n.Name)
		case ".ignore":
			add(kindShared, d, n.Name, n.Name)
		case ".gitignore":
			add(kindGit, d, n.Name, n.Name)
		case ".git":
			if git, err := d.Dir(".git"); err == nil {
				if info, err := git.Dir("info"); err == nil {
					add(kindExclude, info, "exclude", ".git/info/exclude")
					info.Close()
				}
				git.Close()
			}
		}
	}
	if r.count == before {
		return above
	}
	return r
}

// readPatterns reads an ignore file; one that cannot be read says nothing. ok
// is false for one that is too large.
func readPatterns(d *dirfd.Dir, name string) (list []pattern, ok bool) {
	f, err := d.File(name)
	if err != nil {
		return nil, true
	}
	defer f.Close()
	info, err := f.Info()
	if err != nil || info.Kind != dirfd.Regular {
		return nil, true
	}
	// It may have grown since.
	data, err := io.ReadAll(io.LimitReader(f, limits.WalkIgnoreFile+1))
	if err != nil {
		return nil, true
	}
	if len(data) > limits.WalkIgnoreFile {
		return nil, false
	}
	return parsePatterns(string(data))
}

// parsePatterns reads the lines of an ignore file (gitignore(5)). ok is false
// when there are more than limits.WalkIgnoreRules.
func parsePatterns(s string) (list []pattern, ok bool) {
	s = strings.TrimPrefix(s, "\xef\xbb\xbf")
	for s != "" {
		var l string
		l, s, _ = strings.Cut(s, "\n")
		p, ok := parsePattern(strings.TrimSuffix(l, "\r"))
		if !ok {
			continue
		}
		if len(list) == limits.WalkIgnoreRules {
			return nil, false
		}
		list = append(list, p)
	}
	return list, true
}

// pattern is one line of an ignore file.
type pattern struct {
	negate   bool
	dirOnly  bool
	anchored bool     // matches the path from the file's directory, not the name
	segments []string // between slashes, when anchored
	name     string   // else
	literal  bool     // name has no wildcard
	suffix   string   // name is * and this
}

func parsePattern(l string) (p pattern, ok bool) {
	if l == "" || l[0] == '#' || len(l) > limits.WalkIgnoreLine {
		return p, false
	}
	// Trailing spaces do not count unless escaped.
	for strings.HasSuffix(l, " ") {
		slashes := 0
		for i := len(l) - 2; i >= 0 && l[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 1 {
			break
		}
		l = l[:len(l)-1]
	}
	if l != "" && l[0] == '!' {
		p.negate = true
		l = l[1:]
	}
	if strings.HasSuffix(l, "/") {
		p.dirOnly = true
		l = l[:len(l)-1]
	}
	if l == "" {
		return p, false
	}
	if strings.IndexByte(l, '/') >= 0 {
		p.anchored = true
		p.segments = strings.Split(strings.TrimPrefix(l, "/"), "/")
		return p, true
	}
	p.name = l
	p.literal = !strings.ContainsAny(l, "*?[\\")
	if l[0] == '*' && len(l) > 1 && !strings.ContainsAny(l[1:], "*?[\\") {
		p.suffix = l[1:]
	}
	return p, true
}

// match takes what it costs off steps; when they are used up it says nothing
// that may be relied on.
func (p *pattern) match(rel, name string, isDir bool, steps *int) bool {
	*steps--
	switch {
	case p.dirOnly && !isDir:
		return false
	case p.anchored:
		return segments(p.segments, rel, steps)
	case p.literal:
		return p.name == name
	case p.suffix != "":
		return strings.HasSuffix(name, p.suffix)
	}
	return glob(p.name, name, steps)
}

// segments matches a path against a pattern's segments; ** stands for any
// number of them, and at the end for at least one. Only the last ** is ever
// tried again, so this is quadratic at worst.
func segments(pat []string, path string, steps *int) bool {
	var back []string // the pattern behind the last **
	backPath := ""
	trying := false
	for *steps >= 0 {
		*steps--
		if len(pat) > 0 && pat[0] == "**" {
			for len(pat) > 1 && pat[1] == "**" {
				pat = pat[1:]
			}
			if len(pat) == 1 {
				return path != ""
			}
			pat = pat[1:]
			back, backPath, trying = pat, path, true
			continue
		}
		if len(pat) == 0 && path == "" {
			return true
		}
		if len(pat) > 0 && path != "" {
			head, rest, _ := strings.Cut(path, "/")
			if glob(pat[0], head, steps) {
				pat, path = pat[1:], rest
				continue
			}
		}
		if !trying || backPath == "" {
			return false
		}
		_, backPath, _ = strings.Cut(backPath, "/")
		if backPath == "" {
			return false
		}
		pat, path = back, backPath
	}
	return false
}

// glob matches a name against a pattern without slashes, byte by byte, as git's
// wildmatch. Only the last * is ever tried again.
func glob(pat, s string, steps *int) bool {
	star, again := -1, 0
	i, j := 0, 0
	for *steps >= 0 {
		*steps--
		if i < len(pat) && pat[i] == '*' {
			for i < len(pat) && pat[i] == '*' {
				i++
			}
			if i == len(pat) {
				return true
			}
			star, again = i, j
			continue
		}
		if i == len(pat) && j == len(s) {
			return true
		}
		if i < len(pat) && j < len(s) {
			n, ok := one(pat[i:], s[j])
			if n == 0 {
				*steps -= len(pat) - i
				return false // a malformed pattern matches nothing
			}
			*steps -= n - 1 // a bracket expression is read to its end
			if ok {
				i += n
				j++
				continue
			}
		}
		if star < 0 || again >= len(s) {
			return false
		}
		again++
		i, j = star, again
	}
	return false
}

// one matches a byte against the first element of pat and returns the
// element's length, 0 when it is malformed.
func one(pat string, c byte) (int, bool) {
	switch pat[0] {
	case '?':
		return 1, c != '/'
	case '\\':
		if len(pat) < 2 {
			return 0, false
		}
		return 2, pat[1] == c
	case '[':
		return class(pat, c)
	}
	return 1, pat[0] == c
}

// class matches a byte against a bracket expression.
func class(pat string, c byte) (int, bool) {
	i := 1
	not := i < len(pat) && (pat[i] == '!' || pat[i] == '^')
	if not {
		i++
	}
	found := false
	for first := true; ; first = false {
		if i >= len(pat) {
			return 0, false
		}
		if pat[i] == ']' && !first {
			return i + 1, found != not && c != '/'
		}
		if strings.HasPrefix(pat[i:], "[:") {
			end := strings.Index(pat[i:], ":]")
			if end > 0 {
				in, known := posix(pat[i+2:i+end], c)
				if !known {
					return 0, false
				}
				found = found || in
				i += end + 2
				continue
			}
		}
		lo, n := classByte(pat[i:])
		if n == 0 {
			return 0, false
		}
		i += n
		hi := lo
		if i+1 < len(pat) && pat[i] == '-' && pat[i+1] != ']' {
			hi, n = classByte(pat[i+1:])
			if n == 0 {
				return 0, false
			}
			i += 1 + n
		}
		found = found || lo <= c && c <= hi
	}
}

func classByte(pat string) (byte, int) {
	if pat[0] != '\\' {
		return pat[0], 1
	}
	if len(pat) < 2 {
		return 0, 0
	}
	return pat[1], 2
}

func posix(name string, c byte) (in, known bool) {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	}
	return false, false
}
