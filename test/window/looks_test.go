package window

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

// watch counts what the content policy of a page refuses from now on.
func (g *page) watch() {
	g.p.t.Helper()
	g.Do(nil, `window.refused = []; addEventListener("securitypolicyviolation", e => refused.push(e.violatedDirective + " " + e.blockedURI));`)
}

// view checks one view as it is shown: nothing that the policy refused, nothing
// that is wider than the window, and what axe finds; and keeps a picture of it.
func (g *page) view(name string) {
	t := g.p.t
	t.Helper()
	g.shot(name)
	// Before axe, which may break the policy itself.
	var refused []string
	g.Do(&refused, "return window.refused || []")
	for _, r := range refused {
		t.Errorf("%s: the policy refused %s", name, r)
	}
	var wide []string
	g.Do(&wide, `const out = [];
if (document.documentElement.scrollWidth > innerWidth) out.push("the page is " + document.documentElement.scrollWidth + " wide in " + innerWidth);
for (const e of document.querySelectorAll("button, a, label, h1, h2, h3, p, li, summary")) {
  const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  if (r.width === 0 || s.visibility === "hidden" || s.position === "absolute" || s.clip !== "auto") continue;
  if (e.scrollWidth > e.clientWidth + 1 && s.overflowX === "hidden" && s.textOverflow !== "ellipsis") out.push("cut off: " + e.tagName + " " + e.innerText.slice(0, 60));
  if (r.right > innerWidth + 1 && r.left < innerWidth) out.push("beyond the edge: " + e.tagName + " " + e.innerText.slice(0, 60));
}
return out;`)
	for _, w := range wide {
		t.Errorf("%s: %s", name, w)
	}
	axe, err := os.ReadFile(filepath.Join(desk.Dir(), axeFile))
	must(t, err)
	for _, v := range g.Axe(string(axe)) {
		t.Errorf("%s: %s", name, v)
	}
	g.watch()
}

// TestLooks: every view in two sizes and both schemes, with long names and text
// from right to left: nothing is cut off, axe finds nothing, the policy refuses
// nothing. The pictures are for people to look at.
func TestLooks(t *testing.T) {
	for _, size := range [][2]int{{1280, 800}, {800, 600}} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%dx%d-%s", size[0], size[1], map[bool]string{false: "light", true: "dark"}[dark])
			t.Run(name, func(t *testing.T) {
				if testing.Short() && name != "800x600-dark" {
					t.Skip("short run: the smallest screen in the dark stands for all; make test-full has them")
				}
				d := desk.Start(t, desk.Options{Width: size[0], Height: size[1]})
				d.Settings(desk.Look{Dark: dark})
				p := sit(t, d, true)
				folder := p.library("Documents with a long name, as they are called by those who like to find them again/مجلد الوثائق", 3)
				g := p.studio()
				g.watch()
				g.AwaitText("Ask your own files")
				g.view("look-" + name + "-1-home")
				g.click("Choose a folder")
				p.pick(folder)
				p.answer(yesFromRight, "look-"+name+"-2-prompt")
				g.Await("the overview", `document.body.innerText.includes("files read")`)
				g.view("look-" + name + "-3-overview")
				g.ask("How is a release signed, and who approves it?")
				g.Await("the answer", `document.body.innerText.split("files read").length > 2`)
				g.view("look-" + name + "-4-answer")
				g.click("release.md, line 3")
				g.Await("the line that was cited", `document.querySelector("[data-cited]")`)
				g.view("look-" + name + "-5-source")
				d.Key("Escape")
				panel := g.panel("Permissions")
				panel.watch()
				panel.AwaitText("Studio may read")
				panel.view("look-" + name + "-6-permissions")
				panel.click("Activity")
				panel.AwaitText("Verified")
				panel.view("look-" + name + "-7-activity")
			})
		}
	}
}
