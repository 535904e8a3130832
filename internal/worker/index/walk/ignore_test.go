package walk

import (
	"bytes"
	"fmt"
	"math/rand"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// gitFiles returns the files below root that git itself does not ignore.
func gitFiles(t *testing.T, root string) []string {
	t.Helper()
	git := func(args ...string) []byte {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/local/bin", "HOME=" + root, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CEILING_DIRECTORIES=" + filepath.Dir(root)}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v (the test needs git)", args, err)
		}
		return out
	}
	git("init", "-q")
	var files []string
	for _, f := range bytes.Split(git("ls-files", "-z", "--others", "--exclude-standard"), []byte{0}) {
		if len(f) > 0 && !strings.HasSuffix(string(f), "ignore") {
			files = append(files, string(f))
		}
	}
	slices.Sort(files)
	return files
}

// compare walks root and compares with git.
func compare(t *testing.T, root string) bool {
	t.Helper()
	want := gitFiles(t, root)
	got, _, _ := walked(t, root, Options{})
	got = slices.DeleteFunc(got, func(f string) bool { return strings.HasSuffix(f, "ignore") })
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("walked %q\ngit sees %q", got, want)
		return false
	}
	return true
}

func TestIgnoreRulesAreGits(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"names":      {".gitignore": "foo\n*.log\n!keep.log\n", "foo": "x", "d/foo": "x", "a.log": "x", "d/keep.log": "x", "foobar": "x"},
		"directory":  {".gitignore": "foo/\n", "foo/a": "x", "d/foo": "x", "e/foo/b": "x"},
		"anchored":   {".gitignore": "/foo\nd/bar\n", "foo": "x", "d/foo": "x", "d/bar": "x", "e/d/bar": "x"},
		"parent":     {".gitignore": "d/\n!d/a\n", "d/a": "x", "d/b": "x"},
		"parentStar": {".gitignore": "d/*\n!d/a\n", "d/a": "x", "d/b": "x", "d/e/a": "x"},
		"stars":      {".gitignore": "**/x\na/**/z\nb/**\n", "x": "1", "q/x": "1", "a/z": "1", "a/b/z": "1", "a/b/c/z": "1", "b/1": "1", "b/c/1": "1", "c/b/1": "1"},
		"levels":     {".gitignore": "*.a\n", "d/.gitignore": "!*.a\n/only\n", "d/x.a": "x", "d/only": "x", "d/e/only": "x", "x.a": "x"},
		"escapes":    {".gitignore": "\\#a\n\\!b\nc\\ \nd \ne\\*\n#x\n", "#a": "x", "!b": "x", "c ": "x", "c": "x", "d": "x", "e*": "x", "ef": "x", "#x": "x"},
		"classes":    {".gitignore": "a[0-9]\nb[!x]\nc[[:upper:]]\nd[]]\ne[^]-a]\nf[\n", "a1": "x", "aa": "x", "bx": "x", "by": "x", "cA": "x", "ca": "x", "d]": "x", "dd": "x", "eb": "x", "e]": "x", "f[": "x"},
		"question":   {".gitignore": "a?c\n", "abc": "x", "a/c": "x", "ac": "x", "aéc": "x"},
		"crlf":       {".gitignore": "\xef\xbb\xbffoo\r\nbar\r\n", "foo": "x", "bar": "x", "baz": "x"},
		"backslash":  {".gitignore": "a\\\nb\\\\\n", "a": "x", "a\\": "x", "b\\": "x"},
		"all":        {".gitignore": "*\n!*/\n!*.txt\n", "a.txt": "x", "a.md": "x", "d/b.txt": "x", "d/b.md": "x"},
		"middle":     {".gitignore": "a**b\nc/**d\n", "axxb": "x", "ab": "x", "c/d": "x", "c/xd": "x", "c/x/d": "x"},
	} {
		t.Run(name, func(t *testing.T) { compare(t, tree(t, files)) })
	}
}

// TestIgnoreRulesAreGitsOnRandomTrees makes trees and patterns out of few
// letters, so that patterns often match.
func TestIgnoreRulesAreGitsOnRandomTrees(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	pattern := func() string {
		var b strings.Builder
		if r.Intn(4) == 0 {
			b.WriteString("!")
		}
		if r.Intn(5) == 0 {
			b.WriteString("/")
		}
		for n := 1 + r.Intn(3); n > 0; n-- {
			b.WriteString(pick("a", "b", "c", "*", "**", "?", "a*", "*b", "[ab]", "[!a]", "ab", "a*b", "[a-c]?", "\\a", "x y"))
			if n > 1 {
				b.WriteString("/")
			}
		}
		b.WriteString(pick("", "", "", "/", " ", "\\ "))
		return b.String()
	}
	all := map[string]string{}
	rules := map[string]string{}
	for i := range 150 {
		// Each tree is a directory of one repository: git starts once.
		top := fmt.Sprintf("t%d/", i)
		for range 16 {
			p := pick("a", "b", "c", "ab", "bc", "x y", "abc")
			for r.Intn(2) == 0 {
				p += "/" + pick("a", "b", "c", "ab", "abc")
			}
			all[top+p+pick("1", "", "2")+".t"] = "x"
		}
		var lines []string
		for range 1 + r.Intn(4) {
			lines = append(lines, pattern()+pick("", "*", ".t"))
		}
		all[top+".gitignore"] = strings.Join(lines, "\n")
		if r.Intn(2) == 0 {
			all[top+"a/.gitignore"] = pattern() + "\n" + pattern()
		}
		rules[top] = fmt.Sprintf(".gitignore %q, a/.gitignore %q", all[top+".gitignore"], all[top+"a/.gitignore"])
	}
	root := tree(t, all)
	want := gitFiles(t, root)
	got, _, _ := walked(t, root, Options{})
	seen := map[string]int{}
	for _, f := range want {
		seen[f]++
	}
	for _, f := range got {
		if !strings.HasSuffix(f, "ignore") {
			seen[f] += 2
		}
	}
	for f, n := range seen {
		if n != 3 {
			t.Errorf("%q: git keeps it: %v, the walk: %v; %s", f, n&1 != 0, n&2 != 0, rules[f[:strings.IndexByte(f, '/')+1]])
		}
	}
	if len(want) < 400 || len(want) > len(all)*9/10 {
		t.Errorf("%d of %d files are left: the patterns test little", len(want), len(all))
	}
}

func TestStrongerIgnoreFilesDecide(t *testing.T) {
	root := tree(t, map[string]string{
		".git/info/exclude": "e.txt\nkept.txt\n",
		".gitignore":        "g.txt\n!kept.txt\n",
		".ignore":           "!g.txt\ns.txt\n",
		".baileyignore":     "!s.txt\nb.txt\n!.hidden.txt\n!node_modules\n!pic.png\n!.env\n",
		"e.txt":             "x", "g.txt": "x", "s.txt": "x", "b.txt": "x", "kept.txt": "x",
		".hidden.txt": "x", ".other.txt": "x", "node_modules/a.txt": "x", "pic.png": "x", ".env": "x",
	})
	files, skipped, c := walked(t, root, Options{})
	want := []string{".hidden.txt", "g.txt", "kept.txt", "pic.png", "s.txt", "node_modules/a.txt"}
	if !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
	for path, reason := range map[string]doc.Reason{"e.txt": doc.Ignored, "b.txt": doc.Ignored, ".other.txt": doc.Hidden, ".git": doc.Hidden, ".env": doc.Secret} {
		if skipped[path] != reason {
			t.Errorf("%s: %q, want %q", path, skipped[path], reason)
		}
	}
	if c.Ignored != 2 {
		t.Errorf("%d ignored", c.Ignored)
	}
}

func TestIgnoredFilesAreListedUpToACapAndCounted(t *testing.T) {
	files := map[string]string{".gitignore": "*.tmp\nout/\n", "out/a.txt": "x", "a.txt": "x"}
	for i := range 50 {
		files[fmt.Sprintf("f%d.tmp", i)] = "x"
	}
	_, skipped, c := walked(t, tree(t, files), Options{})
	listed := 0
	for _, r := range skipped {
		if r == doc.Ignored {
			listed++
		}
	}
	if c.Ignored != 50 || listed != 20+1 {
		t.Errorf("%d ignored files counted, %d names listed", c.Ignored, listed)
	}
}

// TestHostilePatternsTakeNoTime pins what backtracking matchers fail at.
func TestHostilePatternsTakeNoTime(t *testing.T) {
	long := strings.Repeat("a", 255)
	steps := 1 << 20
	if glob(strings.Repeat("*a", 120)+"b", long, &steps) || steps < 0 {
		t.Errorf("matched, or %d steps are left", steps)
	}
	deep := strings.Repeat("a/", 2000) + "b"
	if segments(strings.Split(strings.Repeat("**/a/", 100)+"c", "/"), deep, &steps) || steps < 0 {
		t.Errorf("matched, or %d steps are left", steps)
	}
	// What a step reads is counted too.
	for _, class := range []string{"*[" + strings.Repeat("b", 1000) + "]", "*[" + strings.Repeat("b", 1000)} {
		left := steps
		if glob(class, long, &left) || steps-left < 1000 {
			t.Errorf("matched, or took %d steps", steps-left)
		}
	}
}

// reasons walks root and returns the files' paths, and of each path that was
// skipped every reason.
func reasons(t *testing.T, root string) (files []string, all map[string][]doc.Reason) {
	t.Helper()
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all = map[string][]doc.Reason{}
	_, err = Walk(t.Context(), d, Options{}, func(e *Entry) error {
		files = append(files, e.Path)
		return nil
	}, func(s doc.Skipped) { all[string(s.Path)] = append(all[string(s.Path)], s.Reason) })
	if err != nil {
		t.Fatal(err)
	}
	return files, all
}

// TestCostlyIgnoreFilesAreNotObeyed: rules that would keep the answer away are
// named and not obeyed; those of the other files are, and so are the defaults.
func TestCostlyIgnoreFilesAreNotObeyed(t *testing.T) {
	slow := strings.Repeat("*"+strings.Repeat("a", 120)+"?b\n", 1000) + "x.txt\n"
	class := strings.Repeat("*["+strings.Repeat("b", 1000)+"]c\n", 200) + "x.txt\n"
	rule := func(n int) string { return strings.Repeat("rule\n", n) }
	for name, c := range map[string]struct {
		files  map[string]string
		costly string
	}{
		"slow":       {map[string]string{".gitignore": slow}, ".gitignore"},
		"brackets":   {map[string]string{".gitignore": class}, ".gitignore"},
		"below":      {map[string]string{"d/.ignore": slow, "d/x.txt": "x", "d/other.log": "x"}, "d/.ignore"},
		"exclude":    {map[string]string{".git/info/exclude": slow}, ".git/info/exclude"},
		"large":      {map[string]string{".gitignore": "x.txt\n" + strings.Repeat("#", limits.WalkIgnoreFile)}, ".gitignore"},
		"many rules": {map[string]string{".gitignore": rule(limits.WalkIgnoreRules) + "x.txt\n"}, ".gitignore"},
		"together": {map[string]string{".ignore": rule(limits.WalkIgnoreRules / 2), "d/.gitignore": rule(limits.WalkIgnoreRules/2) + "x.txt\n",
			"d/x.txt": "x"}, "d/.gitignore"},
	} {
		t.Run(name, func(t *testing.T) {
			// What the same rules do when they cost nothing.
			files := map[string]string{".baileyignore": "*.log\n", "other.log": "x", "x.txt": "x", "id_ed25519": "x", ".hidden": "x"}
			for n, text := range c.files {
				files[n] = text
			}
			in := c.costly[:strings.LastIndexByte(c.costly, '/')+1]
			if strings.HasPrefix(in, ".git") {
				in = ""
			}
			for i := range 20 {
				files[fmt.Sprintf("%s%s%03d.txt", in, strings.Repeat("a", 240), i)] = "x"
			}
			got, all := reasons(t, tree(t, files))
			if !slices.Contains(all[c.costly], doc.Costly) {
				t.Errorf("%s: %q", c.costly, all[c.costly])
			}
			for path, rs := range all {
				if path != c.costly && slices.Contains(rs, doc.Costly) {
					t.Errorf("%s was dropped too", path)
				}
			}
			if !slices.Contains(got, in+"x.txt") {
				t.Error("a rule of the costly file is obeyed")
			}
			for path, want := range map[string]doc.Reason{"other.log": doc.Ignored, "id_ed25519": doc.Secret, ".hidden": doc.Hidden} {
				if !slices.Equal(all[path], []doc.Reason{want}) {
					t.Errorf("%s: %q, want %q", path, all[path], want)
				}
			}
			if n := len(slices.DeleteFunc(slices.Clone(got), func(f string) bool { return !strings.Contains(f, "aaa") })); n != 20 {
				t.Errorf("%d of 20 long names", n)
			}
		})
	}
}

// TestIgnoreRulesAtTheirBounds: as many rules as may be, in a file as large as
// may be, are obeyed.
func TestIgnoreRulesAtTheirBounds(t *testing.T) {
	text := strings.Repeat("rule\n", limits.WalkIgnoreRules-1)
	text += strings.Repeat("#", limits.WalkIgnoreFile-len(text)-len("\nx.txt\n")) + "\nx.txt\n"
	files := map[string]string{".gitignore": text, "x.txt": "x"}
	for i := range 200 {
		files[fmt.Sprintf("%s%03d.txt", strings.Repeat("a", 240), i)] = "x"
	}
	got, all := reasons(t, tree(t, files))
	if len(got) != 200 || !slices.Equal(all["x.txt"], []doc.Reason{doc.Ignored}) {
		t.Errorf("%d files, skipped %v", len(got), all)
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a", "*.b", "!a/", "/a/**/b", "[a-", "[[:alpha:]]", "\\", "a\\ ", "**", "[]-a]", "[\\]]"} {
		f.Add(s, "a/b/c")
	}
	f.Fuzz(func(t *testing.T, line, path string) {
		list, _ := parsePatterns(line)
		for _, p := range list {
			name := path[strings.LastIndexByte(path, '/')+1:]
			// A budget that is not used up changes nothing; one that is ends
			// the match with little overdrawn.
			much, more, few := 1<<20, 1<<21, 8
			if a, b := p.match(path, name, true, &much), p.match(path, name, true, &more); much >= 0 && a != b {
				t.Errorf("%q and %q: %v, then %v", line, path, a, b)
			}
			p.match(path, name, true, &few)
			if few < -2*limits.WalkIgnoreLine {
				t.Errorf("%q and %q: overdrawn by %d", line, path, -few)
			}
		}
	})
}
