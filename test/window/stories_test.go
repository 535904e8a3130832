package window

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
	"github.com/bailey-run/bailey/test/window/driver"
)

// TestStories shows every view of Studio and of the panels in a real window, with
// a core that lives in the page: also those that a whole story does not come by,
// such as damage, refusals and a conversation of 2,000 messages. The policy refuses
// nothing, axe finds nothing, nothing is wider than the window.
func TestStories(t *testing.T) {
	desk.Need(t)
	axe, err := os.ReadFile(filepath.Join(desk.Dir(), axeFile))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("npm is missing: install Node 20.19 or later")
	}
	must(t, err)
	// The short run has the half that is likeliest to go wrong.
	looks := []string{"theme=dark&scale=1500&dir=rtl&language=de"}
	if !testing.Short() {
		looks = append(looks, "theme=light", "theme=dark&contrast=high&language=de", "theme=light&scale=2000")
	}
	for _, app := range []string{"studio", "panels"} {
		for _, look := range looks {
			t.Run(app+" "+look, func(t *testing.T) {
				d := desk.Start(t, desk.Options{Width: 1024, Height: 768})
				h := showHost(t, d, stories(t, app), hostOptions{driven: true})
				s := driver.Attach(t, desk.Dir(), h.proc.PID())
				s.Await("the stories", "document.documentElement.dataset.ready")
				var names []string
				s.Do(&names, `window.refused = []; addEventListener("securitypolicyviolation", e => refused.push(e.violatedDirective + " " + e.blockedURI));
return document.documentElement.dataset.stories.split(" ").filter(n => n !== "bench")`)
				if len(names) < 10 {
					t.Fatalf("there are few stories: %q", names)
				}
				for story := range says() {
					if name, of := strings.CutPrefix(story, app+" "); of && !slices.Contains(names, name) {
						t.Errorf("no story is called %s", name)
					}
				}
				for _, name := range names {
					if testing.Short() && slices.Contains(elsewhere(), name) {
						continue
					}
					s.Do(nil, "await story(args[0])", "?story="+name+"&"+look)
					var faults []string
					s.Do(&faults, `const out = window.refused.splice(0).map(r => "the policy refused " + r);
if (document.documentElement.scrollWidth > innerWidth) out.push("the page is " + document.documentElement.scrollWidth + " wide in " + innerWidth);
for (const e of document.querySelectorAll("button, h1, h2, h3, p, li, summary, label")) {
  const c = getComputedStyle(e);
  if (e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && c.overflowX === "visible" && c.display !== "inline") out.push("too wide: " + e.tagName + " " + e.innerText.slice(0, 60));
}
return out`)
					if want := says()[app+" "+name]; want != "" {
						if ok, err := regexp.MatchString(want, s.Text()); err != nil || !ok {
							faults = append(faults, fmt.Sprintf("nothing reads as %q (%v)", want, err))
						}
					}
					for _, f := range append(faults, s.Axe(string(axe))...) {
						t.Errorf("%s: %s", name, f)
					}
					// What axe itself does against the policy is not the page's.
					s.Do(nil, "window.refused.length = 0")
					d.Shot(fmt.Sprintf("story-%s-%s-%s", app, name, strings.NewReplacer("&", "-", "=", "").Replace(look)))
					// Behind the picture: a width that changes moves what is scrolled.
					var beyond []string
					s.Do(&beyond, edges, widths())
					for _, f := range beyond {
						t.Errorf("%s: %s", name, f)
					}
				}
			})
		}
	}
}

// widths are those that a view is tried in: its window's, then in rem, which grow
// with the text.
func widths() []string { return []string{"", "47.5rem", "26.25rem"} }

// edges finds what stands beyond an edge of the view, in each width that the window
// has room for: what cuts it off hides it from the page's own width.
const edges = `const app = document.getElementById("app"), out = [];
const scrolls = e => e && e !== app && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
for (const width of args[0]) {
  app.style.inlineSize = width;
  const a = app.getBoundingClientRect();
  if (a.width > innerWidth + 1) continue;
  const beyond = [];
  for (const e of app.querySelectorAll("button, a, input, textarea, select, h1, h2, h3, p, li, summary, label")) {
    const r = e.getBoundingClientRect(), c = getComputedStyle(e);
    if (r.width <= 1 || c.visibility === "hidden" || c.clipPath !== "none") continue;
    if ((r.right > a.right + 1 || r.left < a.left - 1) && !scrolls(e.parentElement)) beyond.push("beyond the edge" + (width && " at " + width) + ": " + e.tagName + " " + (e.innerText || e.getAttribute("aria-label") || "").slice(0, 60));
  }
  // The first few say it: what is beyond takes the rest along.
  out.push(...beyond.slice(0, 5));
}
app.style.inlineSize = "";
return out`

// says is what a person has to read in a story, in either language.
func says() map[string]string {
	return map[string]string{
		"studio help":                `(?s)Keyboard shortcuts.*Ctrl\s*K|Tastenkürzel.*Strg\s*K`,
		"studio folder-slow":         `(read|gelesen) · \S+.MB · [2-9][.,]?\d*.s\b`,
		"studio revoked":             "Open it again|Wieder öffnen",
		"studio expired":             "Open it again|Wieder öffnen",
		"panels permissions-revoked": "still remembered|Gemerkt ist es noch",
	}
}

// elsewhere are the stories of Studio that the short run leaves to TestStory and
// TestLooks, which come by the same views with a real core.
func elsewhere() []string {
	return []string{"home", "home-empty", "home-narrow", "asking", "denied", "reading", "folder", "folder-long", "question", "source", "revoked", "stopped", "chat-empty", "chat", "chat-asking", "chat-edit", "search"}
}

// stories is the site of an app's stories.
func stories(t *testing.T, app string) site {
	t.Helper()
	s := site{}
	dir := filepath.Join(desk.Dir(), storyDir, app)
	for at, file := range map[string]string{"/index.html": "stories.html", "/stories.js": "stories.js", "/stories.css": "stories.css"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		s[at] = string(b)
	}
	return s
}
