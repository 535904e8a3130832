package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

func pinFlags() []flag {
	return []flag{
		{name: "sha256", value: "HEX", help: "allow it if its digest is this one, without a question; anything else is refused"},
		{name: "allow-model", value: "NAME", repeat: true, help: "allow it if this is its name, without a question; the log says that the command line did"},
	}
}

func modelPullVerb() *verb {
	return &verb{
		name: "model pull", args: "FILE", minArgs: 1, maxArgs: 1, complete: "file", short: "bring a model in from a file",
		long: []string{
			"Copies a GGUF file into Bailey's home and hashes it; a sandboxed worker reads its header. Then it asks once, showing what the model is for, size, digest and licence: nobody has signed it. A yes is remembered for exactly these bytes, on the record.",
			"Without a terminal the answer is no, and nothing is kept, unless --sha256 or --allow-model gives it. A file that is no model is refused and never loaded.",
		},
		examples: []example{
			{"bailey model pull ./smollm2.gguf", "asks, then keeps it under the name smollm2"},
			{"bailey model pull ./m.gguf --name small --allow-model small", "for scripts"},
		},
		flags: append([]flag{{name: "name", value: "NAME", help: "call it NAME instead of the file's name without .gguf"}},
			append(pinFlags(), flagTimeout(), flagJSON("one JSON object"), flagHome())...),
		run: modelPull,
	}
}

func modelPinVerb() *verb {
	return &verb{
		name: "model pin", args: "NAME", minArgs: 1, maxArgs: 1, short: "ask again whether a model may be run",
		long: []string{
			"Allows a model of the store that nobody allows, or no longer: one whose permission was revoked, and one that was set aside because its engine crashed three times in a row. A yes is remembered for exactly these bytes.",
		},
		examples: []example{{"bailey model pin smollm2", "gives it another chance"}},
		flags:    append(pinFlags(), flagTimeout(), flagJSON("one JSON object"), flagHome()),
		run:      modelPin,
	}
}

// pullVerb is how a pull is called in the log.
const pullVerb = "model-pull"

// pinJob is a pull or a pin before it has begun.
type pinJob struct {
	verb, actor string
	sha256      []byte
	allowed     []string
	// was is the name that a model had before the pull gave it another one.
	was string
}

func newPinJob(call *call, verb string) (pinJob, error) {
	j := pinJob{verb: verb, actor: "bailey " + call.verb.name, allowed: call.flags["allow-model"]}
	for _, n := range j.allowed {
		if _, err := modelRef(n); err != nil {
			return j, err
		}
	}
	if s := call.value("sha256"); s != "" {
		digits := strings.ToLower(strings.TrimPrefix(s, "sha256:"))
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != limits.DigestBytes {
			return j, usage("--sha256 is not 64 hexadecimal digits", "`sha256sum FILE` prints them")
		}
		j.sha256 = b
	}
	return j, nil
}

// run does what a job does inside a task of its own.
func (c *cli) pinTask(ctx context.Context, call *call, j pinJob, do func(context.Context, *client.Client, string) error) error {
	if d, _ := call.timeout(); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errs.New(errs.Deadline, "cli.timeout").With("--timeout "+d.String()))
		defer cancel()
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return timedOut(ctx, err)
	}
	defer cl.Close()
	begun, err := cl.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: j.verb})
	if err != nil {
		return timedOut(ctx, err)
	}
	err = do(ctx, cl, begun.GetTask())
	endTask(ctx, cl, begun.GetTask(), err)
	return timedOut(ctx, err)
}

func modelPull(ctx context.Context, c *cli, call *call) error {
	j, err := newPinJob(call, pullVerb)
	if err != nil {
		return err
	}
	path, err := modelFile(call.args[0])
	if err != nil {
		return err
	}
	return c.pinTask(ctx, call, j, func(ctx context.Context, cl *client.Client, task string) error {
		before, err := c.called(ctx, cl, call.value("name"))
		if err != nil {
			return err
		}
		staged, err := c.pull(ctx, cl, &modelv1.PullRequest{Task: task, Path: []byte(path), Name: call.value("name"), Sha256: j.sha256})
		if err != nil {
			return err
		}
		m, did := staged.GetModel(), "Pulled"
		was := before[hex.EncodeToString(m.GetFacts().GetSha256())]
		if was == m.GetName() {
			was = ""
		}
		if was != "" {
			did = "It was here as " + visible.Name(was) + ", and has another name now"
		} else if staged.GetKnown() {
			did = "It was here already"
		}
		if staged.GetKnown() {
			return c.pinned(pulledJSON{modelJSON: modelOf(m), Known: true, DecidedBy: "remembered", Was: was}, m, did)
		}
		j.was = was
		return c.pin(ctx, cl, j, task, "staged:"+hex.EncodeToString(staged.GetId()), did)
	})
}

// called has the names of the models that are here, by digest, for a pull that
// may give one another name; nil where none is asked for.
func (c *cli) called(ctx context.Context, cl *client.Client, name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	all, err := listModels(ctx, cl, "")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range all {
		out[hex.EncodeToString(r.GetModel().GetFacts().GetSha256())] = r.GetModel().GetName()
	}
	return out, nil
}

// modelFile checks the file that was named, as far as that needs no core.
func modelFile(name string) (string, error) {
	if strings.Contains(name, "://") || strings.HasPrefix(name, "hf:") || strings.HasPrefix(name, "ollama:") {
		return "", usage("only files can be pulled in this release", "download it, then name the file")
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", errs.Wrap(errs.NotFound, "cli.file", err).With("the current directory is gone")
	}
	if len(path) > limits.PathBytes {
		return "", usage("the file's name is longer than 4096 bytes", "go there and name it")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && os.IsPermission(err):
		return "", errs.Wrap(errs.Denied, "cli.file", err).With(visible.Path(name) + " cannot be opened").WithHint("check who owns it and its mode")
	case err != nil:
		return "", errs.Wrap(errs.NotFound, "cli.file", err).With("no file is at " + visible.Path(name)).WithHint("check the spelling")
	case info.IsDir():
		return "", usage(visible.Path(name)+" is a folder", "name the model's file in it")
	}
	return path, nil
}

// pull runs the call and shows its progress.
func (c *cli) pull(ctx context.Context, cl *client.Client, q *modelv1.PullRequest) (*modelv1.Staged, error) {
	stream, err := cl.Model.Pull(ctx, q)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	bar := &progress{out: c.errOut, columns: c.screen.redraw}
	defer bar.erase()
	var staged *modelv1.Staged
	speed := speedometer{}
	for {
		e, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if p := e.GetProgress(); p != nil {
			bar.line(copyLine(p, speed.at(time.Now(), p)))
		}
		if e.GetStaged() != nil {
			staged = e.GetStaged()
		}
	}
	if staged == nil {
		return nil, errs.New(errs.Malformed, "cli.pull").With("the answer has no end")
	}
	return staged, nil
}

// line draws any text as the progress line.
func (p *progress) line(s string) {
	now := time.Now()
	if p.columns < limits.LineWidthMin || now.Sub(p.last) < limits.ProgressEvery {
		return
	}
	p.last, p.drawn = now, true
	fmt.Fprintf(p.out, "\r\x1b[K%s", visible.Chop(s, p.columns-1)[0])
}

// speedometer is the speed since the first bytes of a stage.
type speedometer struct {
	stage string
	began time.Time
	from  uint64
}

func (s *speedometer) at(now time.Time, p *modelv1.PullProgress) float64 {
	if p.GetStage() != s.stage || p.GetBytes() < s.from {
		s.stage, s.began, s.from = p.GetStage(), now, p.GetBytes()
	}
	took := now.Sub(s.began).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(p.GetBytes()-s.from) / took
}

func copyLine(p *modelv1.PullProgress, speed float64) string {
	s := visible.Text(p.GetStage())
	if p.GetStage() != "copying" {
		return s
	}
	s += fmt.Sprintf(" %s of %s", size(p.GetBytes()), size(p.GetTotal()))
	if speed >= 1 && p.GetTotal() > p.GetBytes() {
		s += fmt.Sprintf(", %s/s", size(uint64(speed)))
		if left := float64(p.GetTotal()-p.GetBytes()) / speed; left >= 1 {
			s += fmt.Sprintf(", %s left", leftText(left))
		}
	}
	return s
}

// leftText writes seconds as a person estimates them.
func leftText(seconds float64) string {
	n := int(seconds + 0.5)
	if n >= 120 {
		return fmt.Sprintf("%d minutes", (n+30)/60)
	}
	return fmt.Sprintf("%d s", n)
}

func modelPin(ctx context.Context, c *cli, call *call) error {
	j, err := newPinJob(call, "model-pin")
	if err != nil {
		return err
	}
	name, err := modelRef(call.args[0])
	if err != nil {
		return err
	}
	return c.pinTask(ctx, call, j, func(ctx context.Context, cl *client.Client, task string) error {
		return c.pin(ctx, cl, j, task, name, "Allowed")
	})
}

// pin asks for the permission to run a model, as the flags or the person decide,
// and says what came of it. A "no" is told to the core as well.
func (c *cli) pin(ctx context.Context, cl *client.Client, j pinJob, task, ref, did string) error {
	const op = "cli.pin"
	p, err := cl.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: task, Wants: []*grantv1.Want{{
		Kind: policyv1.Kind_KIND_MODEL_RUN, Model: ref, Remember: true,
	}}})
	if err != nil {
		return meant(ctx, cl, ref, err)
	}
	if len(p.GetRows()) != 1 || p.GetRows()[0].GetModel() == nil {
		return errs.New(errs.Malformed, op).With("the core proposed something else than was asked")
	}
	m := p.GetRows()[0].GetModel()
	decision := &grantv1.DecideRequest{Proposal: p.GetProposal(), ActionHash: p.GetActionHash()}
	if refusal := c.decidePin(ctx, j, p, decision); refusal != nil {
		// Also after Ctrl-C: a question that was not answered is on the record.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.TaskEnd)
		defer cancel()
		_, _ = cl.Grant.Decide(ctx, decision)
		return refusal
	}
	granted, err := cl.Grant.Decide(ctx, decision)
	if err != nil {
		return err
	}
	if len(granted.GetGrants()) != 1 {
		return errs.New(errs.Denied, op)
	}
	by := decidedByName(decision.GetDecidedBy())
	if !p.GetAsk() {
		by, did = "remembered", "It was allowed already"
	}
	now, err := listModels(ctx, cl, "sha256:"+hex.EncodeToString(m.GetFacts().GetSha256()))
	if err != nil {
		return err
	}
	if len(now) != 1 {
		return errs.New(errs.Malformed, op)
	}
	m = now[0].GetModel()
	return c.pinned(pulledJSON{modelJSON: modelOf(m), Known: !p.GetAsk(), DecidedBy: by, Was: j.was, Permission: granted.GetGrants()[0].GetRemembered()}, m, did)
}

// decidePin fills in the decision. The error is why the answer is no.
func (c *cli) decidePin(ctx context.Context, j pinJob, p *grantv1.ProposeResponse, d *grantv1.DecideRequest) error {
	const op = "cli.decide-pin"
	m := p.GetRows()[0].GetModel()
	digest := m.GetFacts().GetSha256()
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE
	named := false
	for _, n := range j.allowed {
		named = named || n == m.GetName()
	}
	switch {
	case len(j.sha256) > 0 && string(j.sha256) != string(digest):
		return errs.New(errs.DigestWrong, op).With("it is " + hex.EncodeToString(digest) + ", not " + hex.EncodeToString(j.sha256))
	case len(j.allowed) > 0 && !named:
		return errs.New(errs.Denied, op).With("the model is " + visible.Name(m.GetName()) + ", which --allow-model does not name")
	case len(j.sha256) > 0 || named || !p.GetAsk():
		d.Accepted = []uint32{0}
		return nil
	}
	t, ok := tty.Open(c.in, c.screen.errFile)
	if !ok {
		kept := ""
		if j.verb == pullVerb {
			kept = "; nothing was kept"
		}
		return errs.New(errs.Denied, op).
			With("running " + visible.Name(m.GetName()) + " was not allowed, and there is no terminal to ask at" + kept).
			WithHint("run the command on a terminal, or allow it with --sha256 " + hex.EncodeToString(digest) + " or --allow-model " + shellWord(m.GetName()))
	}
	d.DecidedBy = grantv1.DecidedBy_DECIDED_BY_TERMINAL
	q := prompt.Question{Actor: j.actor, Language: prompt.LanguageOf(c.env.Language), Rows: []prompt.Row{{
		Kind: policyv1.Kind_KIND_MODEL_RUN, Remember: p.GetRows()[0].GetRemember(), Ticked: true,
		Model: prompt.Model{
			Name: m.GetName(), SHA256: digest, Size: m.GetFacts().GetSize(), Licence: m.GetFacts().GetLicence(), Role: m.GetFacts().GetRole(),
		},
	}}}
	accepted, err := askAt(ctx, t, q, time.Duration(p.GetInertMs())*time.Millisecond)
	d.Accepted = accepted
	return err
}

// pinned prints the end of a pull or a pin.
func (c *cli) pinned(j pulledJSON, m *modelv1.Model, did string) error {
	if c.json {
		return c.printJSON(j)
	}
	f := m.GetFacts()
	c.print(fmt.Sprintf("%s: %s, a model for %s, %s weights, %s.", did, visible.Name(m.GetName()), roleName(f.GetRole()), countWeights(f.GetParameters()), size(f.GetSize())))
	fmt.Fprintf(c.out, "sha256 %s\n", hex.EncodeToString(f.GetSha256()))
	fmt.Fprintf(c.out, "Licence: %s.\n", licenceWords(f))
	by := map[string]string{"terminal": "at the terminal", "command-line": "on the command line", "remembered": "earlier"}[j.DecidedBy]
	end := "`bailey model rm " + visible.Name(m.GetName()) + "` removes it"
	if j.Permission != "" {
		end = "`bailey grant revoke " + visible.Name(j.Permission) + "` withdraws that, " + end
	}
	c.print("Allowed " + by + "; " + end + ".")
	return nil
}
