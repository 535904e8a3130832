package consent

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

// What a person answers in a real prompt becomes a grant, or none, and stands on
// the record; the page goes on all the while.
func TestAnswers(t *testing.T) {
	s := open(t, "answers")
	d := s.d
	folder := func(name string) string { return filepath.Join(desk.Dir(), "folders", name) }

	// Nothing of the task runs, and nothing is granted, before the answer (C18).
	at := s.asked()
	d.Shot("consent-folder")
	if live := s.grants("live"); len(live) != 0 || len(s.records(func(r record) bool { return r.Kind == "worker-start" && r.Task != "" })) != 0 {
		t.Errorf("before the answer there is %v", live)
	}
	d.Click(at.X, at.Y)
	d.Gone(title)
	// The next question, of two folders, one of which is left out.
	s.asked()
	d.Shot("consent-two")
	live := s.grants("live")
	if len(live) != 1 || live[0].Holder != "studio" || live[0].DecidedBy != "prompt" || live[0].Scope != folder("a") || live[0].Kind != "file.read" {
		t.Errorf("%+v", live)
	}
	if said := string(s.bailey("grant", "explain", live[0].ID)); !strings.Contains(said, "You said yes, in a prompt.") {
		t.Errorf("%s", said)
	}
	// The focus is on no; then yes, the first row, the second.
	d.Key("Tab")
	d.Key("Tab")
	d.Key("Tab")
	d.Key("space")
	at = s.asked()
	d.Click(at.X, at.Y)
	d.Gone(title)
	// No, twice, in tasks of their own; what is asked in between is quiet.
	for range 2 {
		s.asked()
		d.Key("Escape")
		d.Gone(title)
	}
	// The prompt is killed while it stands.
	s.asked()
	if n := len(s.grants("live")); n != 2 {
		t.Errorf("%d grants", n)
	}
	blocked := s.grants("denied")
	if len(blocked) != 1 || blocked[0].Scope != folder("d") || blocked[0].Holder != "studio" {
		t.Errorf("%+v", blocked)
	}
	pids := s.prompts()
	if len(pids) == 0 {
		t.Fatal("no process shows the prompt")
	}
	kill(t, pids[len(pids)-1])
	d.Gone(title)
	// The same is asked again, and granted.
	at = s.asked()
	d.Click(at.X, at.Y)
	d.Gone(title)
	// The window has nothing more to ask and closes itself, which it does only if
	// each answer was the one that it should be and no call stood still.
	desk.Until(t, "the window to close", s.studio.Ended)
	if s.studio.Cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("studio ended with %v:\n%s", s.studio.Cmd.ProcessState, s.studio.Words())
	}
	if live := s.grants("live"); len(live) != 0 {
		t.Errorf("grants outlive their window: %+v", live)
	}
	for what, c := range map[string]struct {
		match func(record) bool
		want  int
	}{
		"yes": {func(r record) bool {
			return r.Kind == "grant" && r.Decision == "allow" && r.By == "prompt" && r.Detail["action"] != ""
		}, 3},
		"no": {func(r record) bool { return r.Kind == "deny" && r.By == "prompt" && r.Code == "denied" }, 3},
		"quiet": {func(r record) bool {
			return r.Kind == "deny" && r.By == "policy" && r.Code == "denied" && r.Detail["path"] == folder("d")
		}, 1},
		"blocked": {func(r record) bool { return r.Kind == "deny" && r.Code == "blocked" && r.Detail["path"] == folder("d") }, 1},
		"crashed": {func(r record) bool {
			return r.Kind == "deny" && r.Code == "prompt-failed" && r.Detail["path"] == folder("e")
		}, 1},
	} {
		got := s.records(func(r record) bool { return r.App == "studio" && r.Surface == "window" && c.match(r) })
		if len(got) != c.want {
			t.Errorf("%s is on the record %d times, want %d: %+v", what, len(got), c.want, got)
		}
	}
	// The row that blocks goes by the same word as any other.
	s.bailey("grant", "revoke", blocked[0].ID)
	if rows := s.grants("denied"); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}

// R19: a question goes with the page that asked it, and with its window, and the
// answer is no.
func TestRequesterGone(t *testing.T) {
	s := open(t, "gone")
	s.asked()
	first := s.prompts()
	// The page is loaded anew, and the next document asks at once.
	desk.Until(t, "another prompt", func() bool {
		now := s.prompts()
		return len(now) > 0 && !slices.ContainsFunc(now, func(p int) bool { return slices.Contains(first, p) })
	})
	s.asked()
	kill(t, s.host)
	s.d.Gone(title)
	desk.Until(t, "the command to end", s.studio.Ended)
	desk.Until(t, "no prompt to be left", func() bool { return len(s.prompts()) == 0 })
	if live := s.grants("live"); len(live) != 0 {
		t.Errorf("%+v", live)
	}
	denied := s.records(func(r record) bool { return r.Kind == "deny" && r.App == "studio" && r.Decision == "deny" })
	if len(denied) != 2 {
		t.Errorf("on the record: %+v", denied)
	}
}

// A person whose desktop speaks German is asked in German, by the same model.
func TestGerman(t *testing.T) {
	const title = "Bailey bittet um Ihre Erlaubnis"
	s := open(t, "gone", "LC_ALL=de_DE.UTF-8")
	s.askedBy(title)
	s.d.Shot("consent-german")
	s.d.Key("Escape")
	s.d.Gone(title)
}
