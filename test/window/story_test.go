package window

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
)

// TestStory is what a person does with Studio, from the first window to the last:
// choose a folder, say no, say yes, read the summary, ask, look at the source,
// withdraw the permission while text still comes, look at the record, close.
func TestStory(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	p := sit(t, d, true)
	folder, large := p.library("Documents", 40), p.library("Archive", 900)
	g := p.studio()
	g.AwaitText("Ask your own files")
	g.shot("story-1-home")

	// What is refused is not read, and is on the record.
	g.click("Choose a folder")
	p.pick(folder)
	p.answer(noFromRight, "story-2-prompt")
	g.AwaitText("Nothing was read")
	g.shot("story-3-denied")

	g.click("Choose another folder")
	p.pick(folder)
	p.answer(yesFromRight, "")
	g.AwaitText("hardware token")
	g.shot("story-4-overview")
	g.Await("the overview to be done", `!document.body.innerText.includes("Reading ")`)

	g.ask("How is a release signed?")
	g.Await("the answer", `document.body.innerText.split("files read").length > 2`)
	g.shot("story-5-answer")
	g.click("release.md, line 3")
	g.Await("the line that was cited", `document.querySelector("[data-cited]")?.innerText.includes("hardware token")`)
	g.shot("story-6-source")
	d.Key("Escape")

	// Withdrawn in the midst of the work.
	panel := g.panel("Permissions")
	panel.AwaitText("Studio may read")
	panel.shot("story-7-permissions")
	d.Raise(g.w)
	g.click("Close the folder")
	g.click("Choose a folder")
	p.pick(large)
	p.answer(yesFromRight, "")
	panel.AwaitText("Archive")
	d.Raise(panel.w)
	g.AwaitText("Reading ")
	panel.click("Revoke: ")
	pressed := time.Now()
	g.AwaitText("You withdrew the permission")
	if took := time.Since(pressed); took > 2500*time.Millisecond {
		t.Errorf("it took %v until the page knew", took)
	}
	if text := g.Text(); strings.Contains(text, "files read") {
		t.Errorf("all was read before the permission was withdrawn:\n%s", text)
	}
	panel.Await("no task to be open", `!document.getElementById("tasks")`)
	panel.shot("story-8-revoked")
	d.Raise(g.w)
	g.shot("story-9-revoked-studio")
	out, err := p.bailey("grant", "list", "--all", "--json")
	must(t, err)
	if !strings.Contains(out, `"revoked"`) {
		t.Errorf("no grant was revoked: %s", out)
	}

	// The record shows it all, refusals too, and that it is whole.
	d.Raise(g.w)
	g.click("Activity")
	panel.AwaitText("Verified")
	panel.AwaitText("withdrew")
	panel.shot("story-10-activity")

	// Nothing stays behind.
	core, windows := p.core(), p.windows()
	d.Raise(g.w)
	d.Close(g.w)
	until(t, "the command to end", g.proc.Ended)
	until(t, "the windows to be gone", func() bool { return len(d.Windows()) == 0 })
	until(t, "the processes to be gone", func() bool {
		for _, pid := range append(windows, core) {
			if proc.Alive(pid) {
				return false
			}
		}
		return len(p.ours()) == 0
	})
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), p.home) {
		t.Errorf("mounts are left: %v", err)
	}
}

// ask types a question about the folder.
func (g *page) ask(question string) {
	g.p.t.Helper()
	g.click("Ask about this folder")
	g.Await("the focus", `document.activeElement && /^(TEXTAREA|INPUT)$/.test(document.activeElement.tagName)`)
	g.p.d.Type(question + "\n")
}

// shot keeps a picture of the screen once the page has painted what it has to
// say.
func (g *page) shot(name string) {
	g.p.t.Helper()
	g.Do(nil, "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(0)))))")
	g.p.d.Shot(name)
}
