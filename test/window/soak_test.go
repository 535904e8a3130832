package window

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/test/window/desk"
)

// A window is kept open for soakWindow, in which its tree may grow by less than
// soakGrowth after the first whole story. An engine that collects its garbage
// when it likes goes up and down, so the median of the last soakLast counts; by
// soakMost it must not grow at any time.
const (
	soakWindow = 30 * time.Minute
	soakGrowth = 30 << 20
	soakLast   = 5
	soakMost   = 256 << 20
)

// growth is one line of the soak's data: what the core and all below it use after
// a story.
type growth struct {
	Time    string `json:"time"`
	Seconds int    `json:"seconds"`
	// Window counts the windows, Story the stories in this one.
	Window int `json:"window"`
	Story  int `json:"story"`
	// PSS of the core and all below it; Own is the part of it that is no file's,
	// for a file's share depends on who else has it open. RSS is of those that keep
	// their memory to themselves. Bytes.
	PSS     int64 `json:"pss"`
	Own     int64 `json:"own"`
	RSS     int64 `json:"rss_of_the_closed"`
	CoreRSS int64 `json:"core_rss"`
	// Of the core; -1 = it shows them to nobody.
	CoreFDs     int `json:"core_fds"`
	CoreThreads int `json:"core_threads"`
	// Of the window's whole tree.
	Processes int `json:"processes"`
	Threads   int `json:"threads"`
	// PSS by the program's name.
	By map[string]int64 `json:"by"`
	// Elements of the page's and of the panel's document.
	Elements      int `json:"elements"`
	PanelElements int `json:"panel_elements"`
	// Grown is Own and RSS since the first whole story in this window.
	Grown int64  `json:"grown"`
	Load  string `json:"load"`
}

// TestSoak repeats the story for the time in SOAK: an abort of any part of it ends
// it, and so does a tree that grows. SOAK_DATA is the file for its data.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("takes an hour: make soak-window runs it")
	}
	out := io.Writer(os.Stdout)
	if name := os.Getenv("SOAK_DATA"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		defer f.Close()
		out = f
	}
	d := desk.Start(t, desk.Options{Accessible: true})
	p := sit(t, d, true)
	folder := p.library("Documents", 12)
	began := time.Now()
	var grew []string
	for window := 1; time.Since(began) < long; window++ {
		g := p.studio()
		panel := (*page)(nil)
		opened, grown := time.Now(), []int64{}
		first := int64(-1)
		for story := 1; time.Since(began) < long && time.Since(opened) < soakWindow; story++ {
			panel = g.story(panel, folder)
			// What a story leaves is given back in its own time.
			<-time.After(2 * time.Second)
			now := p.uses()
			if first < 0 {
				first = now.Own + now.RSS
			}
			now.Window, now.Story, now.Seconds = window, story, int(time.Since(began).Seconds())
			now.Grown = now.Own + now.RSS - first
			const count = `return document.querySelectorAll("*").length`
			g.Do(&now.Elements, count)
			panel.Do(&now.PanelElements, count)
			must(t, json.NewEncoder(out).Encode(now))
			if grown = append(grown, now.Grown); now.Grown >= soakMost {
				t.Fatalf("the tree has grown by %d MB in %v: %+v", now.Grown>>20, time.Since(opened), now)
			}
		}
		last := slices.Sorted(slices.Values(grown[max(0, len(grown)-soakLast):]))
		if by := last[len(last)/2]; by >= soakGrowth {
			grew = append(grew, fmt.Sprintf("window %d: the tree has grown by %d MB in %v and %d stories", window, by>>20, time.Since(opened), len(grown)))
		}
		d.Raise(g.w)
		d.Close(g.w)
		until(t, "the command to end", g.proc.Ended)
		if !strings.Contains(g.proc.Words(), `"closed","why":"closed"`) {
			t.Fatalf("the window ended another way: %s", g.proc.Words())
		}
		until(t, "the processes to be gone", func() bool { return len(p.ours()) == 0 })
	}
	if len(grew) > 0 {
		t.Error(strings.Join(grew, "\n"))
	}
}

// story is one round: a folder, its overview, a question, a source, and the
// permission withdrawn in the panel, which stays open.
func (g *page) story(panel *page, folder string) *page {
	g.p.t.Helper()
	g.click("Choose a folder")
	g.p.pick(folder)
	g.p.answer(yesFromRight, "")
	g.AwaitText("hardware token")
	g.Await("the overview to be done", `!document.body.innerText.includes("Reading ")`)
	g.ask("How is a release signed?")
	g.AwaitText("How is a release signed?")
	g.Await("the answer to be there", `[...document.querySelectorAll("button")].every(b => b.innerText.trim() !== "Stop")`)
	g.click("Source 1:")
	g.Await("the source", `document.querySelector("aside") && document.querySelector("aside").innerText.includes("Paragraph")`)
	if panel == nil {
		panel = g.panel("Permissions")
	} else {
		g.p.d.Raise(panel.w)
	}
	panel.click("Revoke:")
	g.AwaitText("You withdrew the permission")
	g.p.d.Raise(g.w)
	g.click("Close")
	g.Await("the source to be closed", `!document.querySelector("aside")`)
	g.click("Close the folder")
	g.AwaitText("Ask your own files")
	return panel
}

// uses looks at the core and all below it.
func (p *person) uses() growth {
	p.t.Helper()
	core := p.core()
	below, err := proc.Descendants(core)
	must(p.t, err)
	u := growth{Time: time.Now().UTC().Format(time.RFC3339), By: map[string]int64{}, CoreFDs: -1}
	for _, pid := range append(below, core) {
		s, err := proc.ReadStatus(pid)
		if err != nil {
			continue // ended meanwhile
		}
		u.Processes++
		u.Threads += s.Threads
		maps := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
		n, err := kilobytes(maps, "Pss:")
		if err == nil {
			u.PSS += n
			files, _ := kilobytes(maps, "Pss_File:")
			u.Own += n - files
		} else if n, err = kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:"); err == nil {
			u.RSS += n
		}
		u.By[s.Name] += n
		if pid == core {
			u.CoreThreads = s.Threads
		}
	}
	u.CoreRSS, _ = kilobytes(fmt.Sprintf("/proc/%d/status", core), "VmRSS:")
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", core)); err == nil {
		u.CoreFDs = len(fds)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	u.Load = strings.TrimSpace(string(load))
	return u
}

// kilobytes reads a field of one of the kernel's tables, in bytes.
func kilobytes(path, field string) (int64, error) {
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, field); ok {
			var n int64
			_, err := fmt.Sscan(v, &n)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in %s", field, path)
}
