// Package apps runs the tests of the pages and of their SDK, which are written in
// TypeScript, as tests of Go, so that one run counts and names them all.
package apps

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository's, seen from here.
const root = "../.."

// scriptMost is how many bytes of script, compressed, a page may load: what a
// machine of ten years ago reads before a person notices.
const scriptMost = 120 << 10

// npm returns a command of npm's, or leaves the test out where it cannot be had.
// What it needs is brought by `make apps`, from the lock file.
func npm(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is missing: install Node 20.19 or later")
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules/.package-lock.json")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("what the pages are built with is missing: run make apps")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = root
	return cmd
}

// TestUnits runs the tests of node: framing, back-pressure, handles, Markdown.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		workspace string
		// few is how many tests there are at least: a pattern that matches nothing
		// must not look like a success.
		few int
	}{{"sdk/ts", 20}, {"apps/ui", 5}, {"apps/panels", 3}} {
		t.Run(c.workspace, func(t *testing.T) {
			out, err := npm(t, "test", "--workspace", c.workspace).CombinedOutput()
			passed := 0
			lines := bufio.NewScanner(bytes.NewReader(out))
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "ok ") {
					passed++
				}
			}
			if err != nil || passed < c.few {
				t.Fatalf("%v, %d passed of at least %d:\n%s", err, passed, c.few, out)
			}
		})
	}
}

// TestCheck runs the compilers and what must not compile, and looks for what
// turns text into markup.
func TestCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of compilers; make apps and make test-full run them")
	}
	out, err := npm(t, "run", "check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("do not compile, as they must not")) {
		t.Errorf("the list of what must not compile was not run:\n%s", out)
	}
}

// TestBans shows that the search for markup finds it: each of these is refused.
func TestBans(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is missing: install Node 20.19 or later")
	}
	check, err := filepath.Abs(filepath.Join(root, "apps/ui/check.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, name, text string) error {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(node, check, dir).Run()
	}
	if err := run(t, "a.svelte", `<script lang="ts">let a = 1;</script><p class="x" dir="auto">{a}</p>`); err != nil {
		t.Errorf("what is allowed is refused: %v", err)
	}
	for _, text := range []string{
		`{@html a}`, `e.innerHTML = a;`, `e.outerHTML = a`, `e.insertAdjacentHTML("beforeend", a)`, `document.write(a)`,
		`<p style="color: red">x</p>`, `<p class="a" style={b}>x</p>`, `e.setAttribute("style", a)`, `new DOMParser()`,
		`e.setHTMLUnsafe(a)`, `f.srcdoc = a`, `eval(a)`, `new Function(a)`, `setTimeout("a()", 1)`,
		`localStorage.a = 1`, `indexedDB.open("a")`, `document.cookie`, `new WebSocket(a)`, `<script>a()</script>`,
	} {
		if run(t, "a.svelte", text) == nil {
			t.Errorf("%s is allowed", text)
		}
	}
}

// TestBuilt looks at the pages as they are packed: one script, one style sheet,
// nothing inline, no other origin, and no more script than a page may load.
func TestBuilt(t *testing.T) {
	for _, app := range []string{"studio", "panels"} {
		t.Run(app, func(t *testing.T) {
			dir := filepath.Join(root, "build/apps", app)
			html, err := os.ReadFile(filepath.Join(dir, "index.html"))
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("the page is not built: run make apps")
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{`\sstyle=`, `\son[a-z]+=`, `<script(?:[^>]*)>[^<]`, `<style`, `(?:src|href)="(?:https?:|//|/)`, `crossorigin`} {
				if m := regexp.MustCompile(bad).Find(html); m != nil {
					t.Errorf("index.html holds %q", m)
				}
			}
			if bytes.Index(html, []byte("stylesheet")) > bytes.Index(html, []byte("<script")) {
				t.Error("the script stands before the style, so that it measures without it")
			}
			size := 0
			err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if regexp.MustCompile(`sourceMappingURL|/home/|/root/`).Match(b) {
					t.Errorf("%s tells of the machine that built it", path)
				}
				if filepath.Ext(path) == ".js" {
					size += compressed(t, b)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if size == 0 || size > scriptMost {
				t.Errorf("%d bytes of script, compressed; at most %d", size, scriptMost)
			}
			t.Logf("%s: %d bytes of script, compressed", app, size)
		})
	}
}

func compressed(t *testing.T, b []byte) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// TestLock holds the lock file to what it may name: no host, an integrity for
// each package, and the versions of package.json exactly.
func TestLock(t *testing.T) {
	lock, err := os.ReadFile(filepath.Join(root, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"resolved": "([^"]*)"`).FindAllSubmatch(lock, -1) {
		if !bytes.HasPrefix(m[1], []byte("apps/")) && !bytes.HasPrefix(m[1], []byte("sdk/")) {
			t.Errorf("the lock file names a place: %s", m[1])
		}
	}
	packages := len(regexp.MustCompile(`"node_modules/[^"]+": \{\s+"version"`).FindAll(lock, -1))
	if sums := bytes.Count(lock, []byte(`"integrity": "sha512-`)); packages == 0 || sums != packages {
		t.Errorf("%d packages, %d digests", packages, sums)
	}
	for _, file := range []string{"package.json", "sdk/ts/package.json"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`"[^"]+": "[\^~><*][^"]*"`).FindAll(text, -1); len(m) > 1 {
			t.Errorf("%s has versions that are not exact: %s", file, m)
		}
	}
}
