package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// The models of these tests, generated. talker says random words at a few
// hundred a second, so that an answer lasts long enough to be met in its middle;
// finder makes vectors, greeter always says one sentence.
const (
	talker  = "talker"
	finder  = "finder"
	greeter = "greeter"
)

func generated() map[string]*gguf.File {
	return map[string]*gguf.File{
		talker: gguf.Llama(gguf.Shape{Name: talker, Context: 4096, Embed: 512, Layers: 8, FF: 1536, Heads: 8, KVHeads: 8, Vocabulary: 8000,
			Type: gguf.Q4_0, Tied: true, Seed: 5}),
		finder:  gguf.Embedding(7),
		greeter: gguf.Script("Hello", "from", "a", "generated", "model."),
	}
}

// engineFiles puts the library and the models beside the binaries, where an
// ordinary user can read them too. Without a library there are no models, and
// the tests that want one say so.
func engineFiles(dir string) error {
	library := filepath.Join("..", "..", "build", "engine")
	found, err := filepath.Glob(filepath.Join(library, "*.so*"))
	if err != nil || len(found) == 0 {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, "engine"), os.DirFS(library)); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "models"), 0o755); err != nil {
		return err
	}
	for name, g := range generated() {
		f, err := os.Create(filepath.Join(dir, "models", name+".gguf"))
		if err != nil {
			return err
		}
		if err := errors.Join(g.Write(f), f.Chmod(0o644), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// needsEngine leaves a test out where the library is not.
func needsEngine(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(bins.path("models")); err != nil {
		t.Skip("the engine's library is not in build/engine (make engine)")
	}
}

func modelFile(name string) string { return bins.path(filepath.Join("models", name+".gguf")) }

func sumOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// pull brings models in, pinned by the command line. An engine would keep the
// core for minutes after the test.
func (p *place) pull(names ...string) {
	p.t.Helper()
	p.t.Cleanup(func() {
		if out, errs, code := p.bailey("stop"); code != 0 {
			p.t.Errorf("stop gave %d: %s%s", code, out, errs)
		}
	})
	for _, name := range names {
		if out, errs, code := p.bailey("model", "pull", modelFile(name), "--sha256", sumOf(p.t, modelFile(name))); code != 0 {
			p.t.Fatalf("model pull gave %d: %s%s", code, out, errs)
		}
	}
}

func (p *place) wantModel(name string) *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: name}
}

// answer is a generation that has begun: something of it was said.
type answer struct {
	t      *testing.T
	in     *enginev1.EngineServiceGenerateStream
	pieces int
}

// talk begins a long answer and returns when the first piece of it is there.
func (p *place) talk(c *client.Client, g *grantv1.Granted) *answer {
	p.t.Helper()
	in, err := c.Engine.Generate(p.t.Context(), &enginev1.GenerateRequest{Grant: g.Handle, Text: "Once upon a time", MaxTokens: 4000, Sampling: &enginev1.Sampling{Seed: 1}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { in.Close() })
	a := &answer{t: p.t, in: in}
	for a.pieces == 0 {
		if err := a.next(); err != nil {
			p.t.Fatalf("nothing was said: %v", err)
		}
	}
	return a
}

func (a *answer) next() error {
	m, err := a.in.Recv()
	if err == nil && m.GetPiece() != nil {
		a.pieces++
	}
	return err
}

// end reads on and returns how the answer ended; nil is in order.
func (a *answer) end() error {
	for {
		if err := a.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// says makes one whole short call.
func says(ctx context.Context, c *client.Client, handle []byte) (string, error) {
	in, err := c.Engine.Generate(ctx, &enginev1.GenerateRequest{Grant: handle, Messages: []*enginev1.Message{{Speaker: enginev1.Speaker_SPEAKER_USER, Text: "Hi."}}, MaxTokens: 16, Sampling: &enginev1.Sampling{Seed: 1}})
	if err != nil {
		return "", err
	}
	defer in.Close()
	var b strings.Builder
	for {
		m, err := in.Recv()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		b.WriteString(m.GetPiece().GetText())
	}
}

// engines are the processes of a core that run the engine.
func (p *place) engines(core int) []int {
	p.t.Helper()
	var out []int
	for _, pid := range p.workers(core) {
		s, err := proc.ReadStatus(pid)
		if err == nil && strings.HasPrefix(s.Name, "bailey-engine") {
			out = append(out, pid)
		}
	}
	return out
}

// engine is the only one.
func (p *place) engine(core int) int {
	p.t.Helper()
	es := p.engines(core)
	if len(es) != 1 {
		p.t.Fatalf("the core has %d engines", len(es))
	}
	return es[0]
}

// What a stranger sees of an engine that has loaded its model and is at work:
// the walls of every worker, no descriptor of a file but the model's, sockets
// only to the core, and nothing that could open more.
func TestEnginePostureFromOutside(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	e := p.engine(c.PID)
	s, err := proc.ReadStatus(e)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seccomp != 2 || s.Filters != 2 || !s.NoNewPrivs {
		t.Errorf("seccomp %d with %d filters, no_new_privs %v", s.Seccomp, s.Filters, s.NoNewPrivs)
	}
	if s.Inheritable|s.Permitted|s.Effective|s.Bounding|s.Ambient != 0 {
		t.Errorf("capabilities: %+v", s)
	}
	for _, id := range append(s.UID[:], s.GID[:]...) {
		if id == 0 {
			t.Error("the engine is host root")
		}
	}
	if os.Geteuid() == 0 {
		p.engineSeenByRoot(e)
	} else if _, err := os.ReadDir("/proc/" + itoa(e) + "/fd"); err == nil {
		t.Error("the engine's descriptors can be read from outside: it is dumpable")
	}
	// Looking at it did not stop it.
	if err := a.next(); err != nil {
		t.Errorf("the answer ended: %v", err)
	}
}

func (p *place) engineSeenByRoot(e int) {
	p.t.Helper()
	mine, err := proc.Namespaces(os.Getpid())
	if err != nil {
		p.t.Fatal(err)
	}
	its, err := proc.Namespaces(e)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		if its[n] == "" || its[n] == mine[n] {
			p.t.Errorf("the %s namespace is %q, ours %q", n, its[n], mine[n])
		}
	}
	fds, err := proc.Descriptors(e)
	if err != nil {
		p.t.Fatal(err)
	}
	sockets := 0
	for _, d := range fds {
		switch {
		case strings.HasPrefix(d.Target, "socket:"):
			sockets++
		case strings.HasPrefix(d.Target, "pipe:"), strings.HasPrefix(d.Target, "anon_inode:"), d.Target == "/dev/null":
		case strings.Contains(d.Target, "sha256-"), strings.Contains(d.Target, "/blobs/"):
			// The model, which stays open as long as its pages are mapped.
		default:
			p.t.Errorf("descriptor %d is %s", d.Number, d.Target)
		}
	}
	if sockets != 1 {
		p.t.Errorf("the engine has %d sockets: %v", sockets, fds)
	}
	p.t.Logf("descriptors: %v", fds)
	// After it sealed itself nothing of its address space can be written and run.
	maps, err := os.ReadFile("/proc/" + itoa(e) + "/maps")
	if err != nil {
		p.t.Fatal(err)
	}
	library := false
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		if len(f) > 1 && strings.Contains(f[1], "w") && strings.Contains(f[1], "x") {
			p.t.Errorf("memory that can be written and run: %s", line)
		}
		library = library || strings.Contains(line, "libllama")
	}
	if !library {
		p.t.Error("control: the library is not mapped, so this is not an engine at work")
	}
}

// Nothing listens on TCP or UDP while a model talks.
func TestNoListenersWhileChatting(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	unix := 0
	for _, pid := range append(p.workers(c.PID), c.PID) {
		ls, err := proc.Listeners(pid)
		if err != nil && os.Geteuid() != 0 {
			continue // non-dumpable: root looks into the core, and an engine's empty net namespace is in TestEnginePosture
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ls {
			if l.Network != "unix" || pid != c.PID {
				t.Errorf("process %d listens: %+v", pid, l)
				continue
			}
			unix++
		}
	}
	if unix != 1 && os.Geteuid() == 0 {
		t.Errorf("the core listens on %d unix sockets", unix)
	}
	if err := a.next(); err != nil {
		t.Errorf("the answer ended: %v", err)
	}
}

// Two grants of one model meet in one engine, and two models in
// two.
func TestOneEngineForAModel(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(greeter, talker)
	c := p.connect()
	_, one := p.grant(c, p.wantModel(greeter))
	_, two := p.grant(c, p.wantModel(greeter))
	for _, g := range []*grantv1.Granted{one, two} {
		text, err := says(t.Context(), c, g.Handle)
		if err != nil || strings.TrimSpace(text) != "Hello from a generated model." {
			t.Fatalf("%q, %v", text, err)
		}
	}
	p.engine(c.PID)
	_, other := p.grant(c, p.wantModel(talker))
	if _, err := says(t.Context(), c, other.Handle); err != nil {
		t.Fatal(err)
	}
	if n := len(p.engines(c.PID)); n != 2 {
		t.Errorf("%d engines for two models", n)
	}
}
