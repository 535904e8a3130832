package e2e

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A conversation survives the death of everything that took part in it, in the
// middle of an answer: the engine, the core, the chat. What was asked is there,
// and it goes on.
func TestConversationSurvives(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(greeter, talker)
	if out, errb, code := p.bailey("chat", greeter, "--prompt", "Good morning, pumpernickel."); code != 0 || !strings.Contains(out, "Hello from a generated model.") {
		t.Fatalf("chat gave %d: %s%s", code, out, errb)
	}
	cmd, said := p.answering("chat", talker, "--continue", "--prompt", "Tell me about zeppelins.")
	c := p.connect()
	for _, pid := range []int{p.newest(c.PID), c.PID, cmd.Process.Pid} {
		p.signal(pid, syscall.SIGKILL)
	}
	_ = cmd.Wait()
	p.gone(10 * time.Second)
	if said.Len() == 0 {
		t.Fatal("control: nothing was said before")
	}
	for _, word := range []string{"pumpernickel", "zeppelins"} {
		out, errb, code := p.bailey("chat", "--search", word, "--json")
		if code != 0 || !strings.Contains(out, word) {
			t.Errorf("%q is lost: %d: %s%s", word, code, out, errb)
		}
	}
	if out, errb, code := p.bailey("chat", greeter, "--continue", "--prompt", "Again."); code != 0 || !strings.Contains(out, "Hello from a generated model.") {
		t.Fatalf("it does not go on: %d: %s%s", code, out, errb)
	}
	p.verified()
}

// What a person sees whose engine dies in the middle of an answer: what was said,
// one sentence with what to do, exit code 1; the same chat works again.
func TestChatSeesTheEngineDie(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	cmd, said := p.answering("chat", talker, "--prompt", "Tell me about zeppelins.")
	c := p.connect()
	p.signal(p.engine(c.PID), syscall.SIGKILL)
	_ = cmd.Wait()
	errb := cmd.Stderr.(*bytes.Buffer).String()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errb, "Hint: ") || said.Len() == 0 {
		t.Errorf("it ended with %d: %q, %q", code, said, errb)
	}
	t.Logf("seen: %s", errb)
	if out, errb, code := p.bailey("chat", talker, "--continue", "--prompt", "And?", "--max-tokens", "8"); code != 0 {
		t.Errorf("the same chat gave %d: %s%s", code, out, errb)
	}
	p.verified()
}

// answering starts a command that answers, and returns when something of the
// answer is there; said has that much.
func (p *place) answering(args ...string) (*exec.Cmd, *bytes.Buffer) {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Stderr = &bytes.Buffer{}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	hangs := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
	defer hangs.Stop()
	said := &bytes.Buffer{}
	if _, err := io.CopyN(said, out, 8); err != nil {
		p.t.Fatalf("nothing was said: %v; %s", err, cmd.Stderr)
	}
	return cmd, said
}

// newest is the engine that was started last.
func (p *place) newest(core int) int {
	p.t.Helper()
	es := p.engines(core)
	if len(es) == 0 {
		p.t.Fatal("the core has no engine")
	}
	last := es[0]
	for _, e := range es {
		last = max(last, e)
	}
	return last
}
