// Package badmodels brings every file of the table of bad models to the real
// binaries: each is pulled, what the reader of headers lets pass is allowed and
// loaded, and what loads is asked a question. The core, the store and the engine
// of another model have to be there afterwards, untouched.
//
// docs/bad-models.md is written by this test (go test ./test/badmodels -update)
// and held against what was seen. Without the engine's library only what the
// reader refuses is looked at, and the rest is named.
package badmodels

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/testkit/badmodels"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// update is a flag of the test binary.
var update = flag.Bool("update", false, "write docs/bad-models.md; read the difference before you commit it")

const page = "../../docs/bad-models.md"

// wait bounds one file: the slowest is killed three times for being silent.
const wait = 4 * limits.EngineSilence

// slow is worth a line.
const slow = 2 * time.Second

// place is a home with a core.
type place struct {
	t      *testing.T
	dir    string
	core   *client.Client
	engine bool
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "bailey-badmodels-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t: t, dir: dir}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/bin/")
	for _, name := range []string{"bailey", "bailey-core", "bailey-worker", "bailey-engine"} {
		cmd.Args = append(cmd.Args, "github.com/bailey-run/bailey/cmd/"+name)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	library := filepath.Join("..", "..", "build", "engine")
	if found, _ := filepath.Glob(filepath.Join(library, "*.so*")); len(found) > 0 {
		if err := os.CopyFS(filepath.Join(dir, "bin", "engine"), os.DirFS(library)); err != nil {
			t.Fatal(err)
		}
		p.engine = true
	}
	h, err := home.Open(home.Options{Dir: filepath.Join(dir, "home"), Env: env.Read()})
	if err != nil {
		t.Fatal(err)
	}
	p.core, err = client.Dial(t.Context(), h, client.Options{Release: release.Version(), Core: filepath.Join(dir, "bin", "bailey-core"), Env: env.Read().ForCore()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.core.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if _, err := client.Stop(ctx, h); err != nil {
			t.Error(err)
		}
	})
	return p
}

// session is one task.
type session struct {
	*place
	ctx  context.Context
	task string
}

func (p *place) begin(ctx context.Context) *session {
	p.t.Helper()
	b, err := p.core.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: "model-pull"})
	if err != nil {
		p.t.Fatalf("the core does not go on: %v", err)
	}
	return &session{p, ctx, b.Task}
}

func (s *session) end() {
	if _, err := s.core.Core.EndTask(s.ctx, &corev1.EndTaskRequest{Task: s.task, Outcome: corev1.Outcome_OUTCOME_OK}); err != nil {
		s.t.Errorf("the task does not end: %v", err)
	}
}

// pull brings a file in and returns how a want names it.
func (s *session) pull(path, name string) (string, error) {
	in, err := s.core.Model.Pull(s.ctx, &modelv1.PullRequest{Task: s.task, Path: []byte(path), Name: name})
	if err != nil {
		return "", err
	}
	defer in.Close()
	staged := ""
	for {
		e, err := in.Recv()
		if err == io.EOF {
			return staged, nil
		}
		if err != nil {
			return "", err
		}
		if e.GetStaged() != nil {
			staged = "staged:" + hex.EncodeToString(e.GetStaged().GetId())
		}
	}
}

// allow has the command line pin a model, and returns the grant's handle.
func (s *session) allow(ref string) ([]byte, error) {
	p, err := s.core.Grant.Propose(s.ctx, &grantv1.ProposeRequest{Task: s.task, Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: ref, Remember: true}}})
	if err != nil {
		return nil, err
	}
	d, err := s.core.Grant.Decide(s.ctx, &grantv1.DecideRequest{Proposal: p.Proposal, ActionHash: p.ActionHash, Accepted: []uint32{0}, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE})
	if err != nil {
		return nil, err
	}
	return d.Grants[0].Handle, nil
}

func (s *session) load(handle []byte) error {
	in, err := s.core.Model.Load(s.ctx, &modelv1.LoadRequest{Grant: handle})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		if _, err := in.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// ask is one way to ask a question.
type ask struct {
	drawn  bool
	schema string
}

// others are the ways beside the greedy one.
func others() []ask {
	const object = `{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"]}`
	return []ask{{drawn: true}, {schema: object}, {drawn: true, schema: object}}
}

// talk asks a question and returns what was said.
func (s *session) talk(handle []byte, a ask) (said string, ended bool, err error) {
	in, err := s.core.Engine.Generate(s.ctx, &enginev1.GenerateRequest{
		Grant: handle, MaxTokens: 8, Sampling: &enginev1.Sampling{Greedy: !a.drawn, Seed: 1}, JsonSchema: a.schema,
		Messages: []*enginev1.Message{{Speaker: enginev1.Speaker_SPEAKER_USER, Text: "What is a cat?"}},
	})
	if err != nil {
		return "", false, err
	}
	defer in.Close()
	for {
		e, err := in.Recv()
		if err == io.EOF {
			return said, ended, nil
		}
		if err != nil {
			return said, false, err
		}
		said += e.GetPiece().GetText()
		ended = ended || e.GetDone().GetFinish() == enginev1.Finish_FINISH_END
	}
}

// embed asks for the vector of a text.
func (s *session) embed(handle []byte) error {
	in, err := s.core.Engine.Embed(s.ctx, &enginev1.EmbedRequest{Grant: handle, Texts: []string{"What is a cat?"}})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		if _, err := in.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// seen is what came of a file.
type seen struct {
	verdict badmodels.Verdict
	words   string
	took    time.Duration
}

// bring takes one file as far as it gets.
func (p *place) bring(c badmodels.Case) seen {
	p.t.Helper()
	path := filepath.Join(p.dir, c.Name+".gguf")
	if err := os.WriteFile(path, c.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
	defer os.Remove(path)
	ctx, cancel := context.WithTimeout(p.t.Context(), wait)
	defer cancel()
	s := p.begin(ctx)
	defer s.end()
	ref, err := s.pull(path, c.Name)
	if errs.CodeOf(err) == errs.ModelRefused {
		return seen{badmodels.ByReader, words(err), 0}
	}
	if err != nil {
		p.t.Fatalf("%s: pull: %v", c.Name, err)
	}
	if !p.engine {
		return seen{}
	}
	handle, err := s.allow(ref)
	if err != nil {
		p.t.Fatalf("%s: allow: %v", c.Name, err)
	}
	defer func() {
		if _, err := p.core.Model.Remove(ctx, &modelv1.RemoveRequest{Name: c.Name, Force: true}); err != nil {
			p.t.Errorf("%s: remove: %v", c.Name, err)
		}
	}()
	return p.try(c, s, handle)
}

// try loads and asks, again while the engine ends on it.
func (p *place) try(c badmodels.Case, s *session, handle []byte) seen {
	for crashes := 0; ; crashes++ {
		said, step, vectors := "", "load", false
		err := s.load(handle)
		if err == nil {
			step = "ask"
			if said, _, err = s.talk(handle, ask{}); errs.CodeOf(err) == errs.ModelRole {
				vectors = true
				err = s.embed(handle)
			}
		}
		switch code := errs.CodeOf(err); {
		case err == nil:
			got := seen{badmodels.Answers, "", 0}
			if !vectors {
				p.otherwise(c, s, handle, &got)
			}
			return got
		case code == errs.TemplateRefused:
			if said != "" {
				p.t.Errorf("%s: it said %q by another template", c.Name, said)
			}
			return seen{badmodels.Template, words(err), 0}
		case code == errs.ModelQuarantine && crashes > 0:
			if crashes != limits.ModelCrashes {
				p.t.Errorf("%s: set aside after %d crashes", c.Name, crashes)
			}
			return seen{badmodels.Ends, "", 0}
		case code == errs.EngineCrashed || code == errs.EngineHung || code == errs.WorkerHung || code == errs.MemoryUsedUp:
			if crashes > 2*limits.ModelCrashes {
				p.t.Fatalf("%s: never set aside", c.Name)
			}
		case crashes == 0 && (step == "load" || code == errs.ModelRefused):
			got := seen{badmodels.ByEngine, words(err), 0}
			if step == "ask" {
				p.otherwise(c, s, handle, &got)
			}
			return got
		default:
			p.t.Errorf("%s: %s: %v", c.Name, step, err)
			return seen{badmodels.Verdict(code), words(err), 0}
		}
	}
}

// otherwise asks in the other ways: who gives an answer to one gives it to all,
// and what ends under a schema keeps to it.
func (p *place) otherwise(c badmodels.Case, s *session, handle []byte, got *seen) {
	p.t.Helper()
	for _, a := range others() {
		said, ended, err := s.talk(handle, a)
		switch code := errs.CodeOf(err); {
		case got.verdict == badmodels.ByEngine:
			if code != errs.ModelRefused || words(err) != got.words || said != "" {
				p.t.Errorf("%s: asked %+v it says %q, %v; greedy it was %s", c.Name, a, said, err, got.words)
			}
		case code == errs.SchemaStuck && a.schema != "":
			got.verdict = badmodels.Stuck
		case err != nil:
			p.t.Errorf("%s: asked %+v: %v", c.Name, a, err)
		case a.schema != "" && ended && !json.Valid([]byte(said)):
			p.t.Errorf("%s: asked %+v it ends with %q", c.Name, a, said)
		}
	}
}

// words are an error's own, without the sentence of its code.
func words(err error) string { return visible.Text(errs.From(err).Detail) }

func TestBadModels(t *testing.T) {
	p := newPlace(t)
	cases := badmodels.All()
	if len(cases) < 40 {
		t.Fatalf("only %d files", len(cases))
	}
	// Another model, loaded by the same core, has to go on through all of it.
	var other *session
	var handle []byte
	if p.engine {
		path := filepath.Join(p.dir, "greeter.gguf")
		f, err := os.Create(path)
		if err == nil {
			err = errors.Join(gguf.Script("Hello", "from", "beside.").Write(f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		other = p.begin(t.Context())
		ref, err := other.pull(path, "greeter")
		if err == nil {
			handle, err = other.allow(ref)
		}
		if err == nil {
			err = other.load(handle)
		}
		if err != nil {
			t.Fatalf("control: a good model does not load: %v", err)
		}
	}
	results := map[string]seen{}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two files are called %s", c.Name)
		}
		names[c.Name] = true
		began := time.Now()
		got := p.bring(c)
		got.took = time.Since(began)
		if got.took > slow {
			t.Logf("%s took %v", c.Name, got.took.Round(time.Millisecond))
		}
		if got.verdict == "" {
			continue
		}
		results[c.Name] = got
		if got.verdict != c.Want {
			t.Errorf("%s (%s): %s (%s), want %s", c.Name, c.What, got.verdict, got.words, c.Want)
		}
		if p.engine {
			if said, _, err := other.talk(handle, ask{}); err != nil || strings.TrimSpace(said) != "Hello from beside." {
				t.Errorf("after %s the other model says %q, %v", c.Name, said, err)
			}
		}
	}
	if p.engine {
		other.end()
	}
	// Nothing of them is left.
	l, err := p.core.Model.List(t.Context(), &modelv1.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for {
		m, err := l.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Model.Name != "greeter" {
			t.Errorf("%s is left", m.Model.Name)
		}
	}
	left, _ := filepath.Glob(filepath.Join(p.dir, "home", "state", "models", "partial", "*"))
	if len(left) > 0 {
		t.Errorf("partials are left: %v", left)
	}
	t.Run("page", func(t *testing.T) { checkPage(t, p.engine, cases, results) })
	t.Run("engine", func(t *testing.T) {
		if !p.engine {
			t.Skipf("the engine's library is not in build/engine (make engine): %d files that pass the reader were not loaded", len(cases)-len(results))
		}
	})
}

// checkPage holds docs/bad-models.md against what was seen.
func checkPage(t *testing.T, engine bool, cases []badmodels.Case, results map[string]seen) {
	if *update {
		if !engine {
			t.Fatal("-update needs the engine's library in build/engine (make engine)")
		}
		if err := os.WriteFile(page, []byte(render(cases, results)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		r, ok := results[c.Name]
		if !ok {
			continue
		}
		want := row(c, r)
		if r.verdict != badmodels.ByReader {
			// Which of a template's caps is met first depends on the machine, and what
			// the library says of a file may name its processor.
			want = want[:strings.Index(want, string(r.verdict))+len(r.verdict)]
		}
		if !strings.Contains(string(b), want) {
			t.Errorf("docs/bad-models.md does not say %q (go test ./test/badmodels -update)", want)
		}
	}
	if got := strings.Count(string(b), "\n| `"); got != len(cases) {
		t.Errorf("docs/bad-models.md has %d rows, there are %d files", got, len(cases))
	}
}

func row(c badmodels.Case, r seen) string {
	return fmt.Sprintf("| `%s` | %s | %s | %s |", c.Name, c.What, r.verdict, strings.ReplaceAll(r.words, "|", `\|`))
}

func render(cases []badmodels.Case, results map[string]seen) string {
	var b strings.Builder
	b.WriteString("# Bad models, and what became of them\n\n")
	b.WriteString("Written by `go test ./test/badmodels -update`; do not edit. Each file was made from a seed and brought to the real binaries: pulled, which has a sandboxed worker read its header; if that lets it pass, allowed, loaded into a sandboxed engine (llama.cpp v0.5.0) and asked a question: greedily, at the default temperature, and both under a JSON schema. Beside it the same core had another model loaded, which had to answer after each.\n\n")
	count := map[badmodels.Verdict]int{}
	for _, r := range results {
		count[r.verdict]++
	}
	b.WriteString("| verdict | files | |\n|---|---|---|\n")
	for _, v := range []struct {
		verdict badmodels.Verdict
		means   string
	}{
		{badmodels.ByReader, "before anybody was asked; nothing was kept"},
		{badmodels.ByEngine, "the engine said no and went on"},
		{badmodels.Ends, "three times, each in a process of its own; then the model is not loaded any more until a person allows it again"},
		{badmodels.Template, "the model loads; in a conversation it says nothing, and no other template is put in the place of its own"},
		{badmodels.Stuck, "it loads and answers; held to a JSON schema it has no token that goes on, and the answer ends with an error"},
		{badmodels.Answers, "it loads and answers, however badly: nothing in it is against the rules"},
	} {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", v.verdict, count[v.verdict], v.means)
	}
	fmt.Fprintf(&b, "\nOf %d files none took anything down but its own engine.\n\n", len(cases))
	b.WriteString("| file | what it is | verdict | in whose words |\n|---|---|---|---|\n")
	for _, c := range cases {
		b.WriteString(row(c, results[c.Name]) + "\n")
	}
	return b.String()
}
