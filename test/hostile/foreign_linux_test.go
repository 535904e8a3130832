package hostile

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

func mayLeaveOut(t *testing.T, what, when string) bool {
	t.Helper()
	why, ok := leftOut(t, what, when)
	if !ok {
		t.Fatalf("%s: skips.txt does not let it be left out", when)
	}
	t.Logf("%s: %s", what, why)
	return true
}

// TestForeign has programs of C, which know nothing of Bailey and do not seal
// themselves, make every attempt that is one call.
func TestForeign(t *testing.T) {
	bin := attacker(t)
	if !programs(t, bin) {
		return
	}
	const mode = "foreign:call"
	for _, u := range users(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range kinds(t) {
				getpid := run{"call 39", s.Kind, mode}
				// Of the call that started it there is no second.
				execve := run{`call 59 "/lib64/ld-linux-x86-64.so.2" 0 0`, s.Kind, mode}
				execveat := run{`call 322 6 "" 0 0 0x1000`, s.Kind, mode}
				first := run{"call 39", s.Kind, "foreign:first"}
				// The deny-list lets pass what first.c tries.
				lax := run{"call 39", s.Kind, "foreign:first:seccomp-allow-list"}
				runs := []run{getpid, execve, execveat, first, lax}
				var calls []row
				for _, r := range of(t, s) {
					if r.call != "" && !strings.Contains(r.call, "utimensat 20 ") {
						calls = append(calls, r)
						runs = append(runs, run{r.attack(t), s.Kind, mode})
					}
				}
				// A frame that sets all registers makes the same call, and no other.
				framed, sealed := run{"call 39", s.Kind, "foreign:frame"}, run{"call 321 0 0 0", s.Kind, "foreign:frame"}
				same := run{"call 321 0 0 0", s.Kind, mode}
				runs = append(runs, framed, sealed, same)
				goroutines, thread := run{"call 39", s.Kind, "foreign:goroutines"}, run{"call 39", s.Kind, "foreign:thread"}
				got := launch(t, u, bin, append(runs, goroutines, thread))
				// A kind lets threads be made in the way of its own worker's runtime; one
				// that runs any program, in every way.
				native := s.Program == workerspec.EngineProgram
				ofGo := got[goroutines].name() == "OK"
				if ofC := got[thread].name() == "OK"; ofGo == native || ofC != (native || s.Class == workerspec.Exec) {
					t.Errorf("%s: threads of Go %s, of C %s", s.Kind, got[goroutines].name(), got[thread].name())
				}
				if got[framed].name() != "OK" || got[sealed].name() != got[same].name() || got[same].name() == "OK" {
					t.Errorf("%s: by a forged frame %s and %s, want OK and %s", s.Kind, got[framed].name(), got[sealed].name(), got[same].name())
				}
				wants := map[run]string{getpid: "OK", execve: "EPERM", execveat: killed, first: "EPERM", lax: "OK"}
				if s.Class == workerspec.Exec {
					delete(wants, execve)
					delete(wants, execveat)
					wants[first] = "OK" // what it tries is what a tool may
				}
				for r, want := range wants {
					if g := got[r]; g.name() != want {
						t.Errorf("%s: %s, %s: %s, want %s", s.Kind, r.Mode, r.Attack, g.name(), want)
					}
				}
				for _, r := range calls {
					if g := got[run{r.attack(t), s.Kind, mode}]; !r.demands(s).takes(g.name()) {
						t.Errorf("%s: %s: %s, want %v", s.Kind, r.attempt, g.name(), r.demands(s))
					}
				}
				t.Logf("%s: %d attempts of a program of C refused", s.Kind, len(calls))
				for _, name := range []string{"linked", "writable"} {
					r := run{"call 39", s.Kind, "foreign:" + name}
					if s.Class == workerspec.Exec {
						continue // it takes any
					}
					if g := launch(t, u, bin, []run{r})[r]; g.Failed == "" {
						t.Errorf("%s: a program that is %s ran: %s", s.Kind, name, g.name())
					}
				}
			}
		})
	}
}

// TestReleaseHasNoSeam (R22): what leaves out layers is in the attacker and in
// nothing that is shipped.
func TestReleaseHasNoSeam(t *testing.T) {
	bin := attacker(t)
	has := func(path, what string) bool {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(what))
	}
	seams := []string{`json:"omit,omitempty"`}
	for _, s := range seams {
		if !has(bin, s) {
			t.Errorf("the attacker has no %s", s)
		}
	}
	for _, name := range []string{"bailey", "bailey-core", "bailey-worker", "bailey-engine"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"-release", "../../cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, s := range seams {
			if has(bin+"-release", s) {
				t.Errorf("%s has %s", name, s)
			}
		}
	}
}
