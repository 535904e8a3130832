package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

func modelListVerb() *verb {
	return &verb{
		name: "model list", short: "the models that are here",
		long:     []string{"Lists the models of this home, what each is for, and who allowed it. A model that nobody allowed is not loaded. A terminal that is too narrow is shown fewer columns; --json has all."},
		examples: []example{{"bailey model list --json", "for scripts"}},
		flags:    []flag{flagJSON("one JSON object"), flagHome()},
		run:      modelList,
	}
}

func modelShowVerb() *verb {
	return &verb{
		name: "model show", args: "NAME", minArgs: 1, maxArgs: 1, short: "what is known of a model",
		long: []string{
			"NAME is a model's name, or sha256: and digits, or the first six digits or more of its digest. What a model is for, its licence and its title are its file's own words; size and digest are what was found.",
		},
		examples: []example{{"bailey model show smollm2", "licence, size, digest, where it came from"}},
		flags:    []flag{flagJSON("one JSON object"), flagHome()},
		run:      modelShow,
	}
}

func modelFitVerb() *verb {
	return &verb{
		name: "model fit", args: "NAME", minArgs: 1, maxArgs: 1, short: "whether a model fits into memory, with the sums",
		long: []string{
			"Adds up the weights, the cache of the context and the scratch memory of the computation, beside what this machine can give without swapping. The scratch memory is an estimate. Ends with 0 if it fits, and with 5 if it does not.",
		},
		examples: []example{{"bailey model fit smollm2 --context 8192", "with a longer context"}},
		flags: []flag{
			{name: "context", value: "N", help: "tokens of one conversation"},
			{name: "parallel", value: "N", help: "conversations at once (1 to 64)"},
			flagJSON("one JSON object"), flagHome(),
		},
		run: modelFit,
	}
}

func modelVerifyVerb() *verb {
	return &verb{
		name: "model verify", args: "[NAME]", maxArgs: 1, short: "hash models again, and say which changed",
		long:     []string{"Reads every byte of the model, or of all models, and compares the digest with the one it came in with. Ends with 4 if one is not what it was."},
		examples: []example{{"bailey model verify", "all of them"}},
		flags:    []flag{flagJSON("one JSON object"), flagHome()},
		run:      modelVerify,
	}
}

func modelRemoveVerb() *verb {
	return &verb{
		name: "model rm", args: "NAME", minArgs: 1, maxArgs: 1, short: "remove a model, and forget that it was allowed",
		long:     []string{"Removes the copy in Bailey's home; the file that it was pulled from stays. A model that is in use is refused."},
		examples: []example{{"bailey model rm smollm2", "frees its size"}},
		flags:    []flag{{name: "force", help: "end what uses it first"}, flagJSON("one JSON object"), flagHome()},
		run:      modelRemove,
	}
}

func modelGcVerb() *verb {
	return &verb{
		name: "model gc", short: "remove models that nobody allowed",
		long:     []string{"Removes models without a permission, and files that no model refers to. Never what is in use."},
		examples: []example{{"bailey model gc --dry-run", "say what would go"}},
		flags:    []flag{{name: "dry-run", help: "remove nothing"}, flagJSON("one JSON object"), flagHome()},
		run:      modelGc,
	}
}

// modelRef is the name that was typed. What cannot be one is refused before the
// core is asked.
func modelRef(name string) (string, error) {
	if name == "" || len(name) > limits.ModelName || visible.Name(name) != name {
		return "", usage("that is not the name of a model", "`bailey model list` shows the names")
	}
	return name, nil
}

// dialModel returns the name that was typed, empty if none was, and a client.
func (c *cli) dialModel(ctx context.Context, call *call) (string, *client.Client, error) {
	name := ""
	if len(call.args) > 0 {
		var err error
		if name, err = modelRef(call.args[0]); err != nil {
			return "", nil, err
		}
	}
	cl, err := c.dial(ctx, call, true)
	return name, cl, err
}

// listModels returns the models of a name, or all.
func listModels(ctx context.Context, cl *client.Client, name string) ([]*modelv1.ListResponse, error) {
	out, err := modelsOf(ctx, cl, name)
	return out, meant(ctx, cl, name, err)
}

// meant adds to the error about a model that is not there the name that was perhaps
// meant.
func meant(ctx context.Context, cl *client.Client, name string, err error) error {
	if err == nil || errs.CodeOf(err) != errs.ModelMissing || name == "" {
		return err
	}
	all, lerr := modelsOf(ctx, cl, "")
	if lerr != nil {
		return err
	}
	var names, longer []string
	for _, r := range all {
		n := r.GetModel().GetName()
		if names = append(names, n); strings.Contains(strings.ToLower(n), strings.ToLower(name)) {
			longer = append(longer, n)
		}
	}
	near := nearest(name, names)
	if near == "" && len(longer) == 1 {
		near = longer[0]
	}
	if near == "" {
		return err
	}
	e := errs.From(err)
	return e.WithHint("did you mean " + visible.Name(near) + "? Else " + errs.New(errs.ModelMissing, "").HintText())
}

func modelsOf(ctx context.Context, cl *client.Client, name string) ([]*modelv1.ListResponse, error) {
	stream, err := cl.Model.List(ctx, &modelv1.ListRequest{Name: name})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var out []*modelv1.ListResponse
	for {
		m, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) == limits.Models {
			return nil, errs.New(errs.Malformed, "cli.models").With("the list of models has no end")
		}
		out = append(out, m)
	}
}

func modelList(ctx context.Context, c *cli, call *call) error {
	_, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	all, err := listModels(ctx, cl, "")
	if err != nil {
		return err
	}
	if c.json {
		rows := []modelJSON{}
		for _, m := range all {
			rows = append(rows, modelOf(m.GetModel()))
		}
		return c.printJSON(struct {
			Models []modelJSON `json:"models"`
		}{rows})
	}
	if len(all) == 0 {
		c.out.WriteString("There are no models. `bailey model pull FILE` brings one in.\n")
		return nil
	}
	t := table{head: []string{"NAME", "FOR", "SIZE", "FORM", "CONTEXT", "LICENCE", "ALLOWED", "LAST USED"}, spare: []string{"FORM", "CONTEXT", "LICENCE"}}
	for _, r := range all {
		m := r.GetModel()
		f := m.GetFacts()
		used := "never"
		if at := rfc3339(m.GetLastUsedMs()); at != nil {
			used = localTime(at)
		}
		if r.GetLoaded() {
			used = "now"
		}
		t.add(visible.Name(m.GetName()), roleName(f.GetRole()), size(f.GetSize()), orDash(visible.Name(f.GetQuantisation())),
			fmt.Sprint(f.GetContext()), claim(f.GetLicence()), allowedWord(m), used)
	}
	t.print(c.out, c.screen.wide)
	return nil
}

// allowedWord says in a word whether a model can be loaded.
func allowedWord(m *modelv1.Model) string {
	switch {
	case m.GetChanged():
		return "CHANGED"
	case m.GetQuarantined():
		return "set aside"
	case m.GetPinnedBy() == "":
		return "no"
	}
	return "by " + visible.Name(m.GetPinnedBy())
}

func modelShow(ctx context.Context, c *cli, call *call) error {
	name, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	found, err := listModels(ctx, cl, name)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return errs.New(errs.Malformed, "cli.model-show")
	}
	m := found[0].GetModel()
	if c.json {
		return c.printJSON(shownOf(found[0]))
	}
	f := m.GetFacts()
	rows := [][2]string{
		{"name", visible.Name(m.GetName())},
		{"sha256", hex.EncodeToString(f.GetSha256())},
		{"size", fmt.Sprintf("%s (%d bytes)", size(f.GetSize()), f.GetSize())},
		{"for", roleSentence(f.GetRole())},
		{"title", titleWords(f)},
		{"licence", licenceWords(f)},
		{"architecture", fmt.Sprintf("%s, %s weights as %s, %d layers of %d", visible.Name(f.GetArchitecture()), countWeights(f.GetParameters()), orDash(visible.Name(f.GetQuantisation())), f.GetLayers(), f.GetDimension())},
		{"context", fmt.Sprintf("%d tokens, of a vocabulary of %d", f.GetContext(), f.GetVocabulary())},
		{"from", orDash(visible.Path(string(m.GetSource())))},
		{"allowed", allowedSentence(m)},
		{"last used", lastUsed(found[0])},
	}
	if m.GetCrashes() > 0 {
		rows = append(rows, [2]string{"crashes", fmt.Sprintf("%d in a row", m.GetCrashes())})
	}
	for _, r := range rows {
		fmt.Fprintf(c.out, "%-13s %s\n", r[0], r[1])
	}
	return nil
}

func lastUsed(r *modelv1.ListResponse) string {
	if r.GetLoaded() {
		return "now: an engine holds it"
	}
	if at := rfc3339(r.GetModel().GetLastUsedMs()); at != nil {
		return localTime(at)
	}
	return "never"
}

func licenceWords(f *modelv1.Facts) string {
	if f.GetLicence() == "" {
		return "the file names none"
	}
	return claim(f.GetLicence()) + byFile
}

func titleWords(f *modelv1.Facts) string {
	if f.GetTitle() == "" {
		return "the file names none"
	}
	return claim(f.GetTitle()) + byFile
}

// byFile stands behind what nobody but the file says.
const byFile = ", by the file's own word"

// claim shows what a file says of itself, if it does.
func claim(s string) string {
	if s == "" {
		return "-"
	}
	return prompt.Claim(s)
}

func allowedSentence(m *modelv1.Model) string {
	s := "by nobody: it is not loaded; `bailey model pin " + visible.Name(m.GetName()) + "` asks"
	if m.GetPinnedBy() != "" {
		s = "by " + visible.Name(m.GetPinnedBy())
		if at := rfc3339(m.GetPinnedMs()); at != nil {
			s += ", " + localTime(at)
		}
	}
	if m.GetQuarantined() {
		s += "; set aside, because it ended its engine too often"
	}
	if m.GetChanged() {
		s += "; it is not the file that was pinned any more, so it is not loaded"
	}
	return s
}

func roleName(r modelv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

func roleSentence(r modelv1.Role) string {
	switch r {
	case modelv1.Role_ROLE_CHAT:
		return "chat"
	case modelv1.Role_ROLE_EMBEDDING:
		return "embedding: finding text by its meaning"
	case modelv1.Role_ROLE_COMPLETION:
		return "completion: continuing a text; it has no chat template"
	}
	return "unknown"
}

// countWeights writes a number of weights as model names do: 135M, 1.2B.
func countWeights(n uint64) string {
	if n == 0 {
		return "unknown"
	}
	f, unit := float64(n), ""
	for _, u := range []string{"k", "M", "B", "T"} {
		if f < 999.5 {
			break
		}
		f, unit = f/1000, u
	}
	if f < 9.95 && unit != "" {
		return fmt.Sprintf("%.1f%s", f, unit)
	}
	return fmt.Sprintf("%.0f%s", f, unit)
}

func modelFit(ctx context.Context, c *cli, call *call) error {
	name, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Model.Fit(ctx, &modelv1.FitRequest{Name: name, Context: call.number("context"), Parallel: call.number("parallel")})
	if err != nil {
		return meant(ctx, cl, name, err)
	}
	fit := r.GetFit()
	if c.json {
		err = c.printJSON(fitOf(r))
	} else {
		for _, row := range []struct {
			what, note string
			n          uint64
		}{
			{"weights", "", fit.GetWeights()},
			{"cache", fmt.Sprintf("%d tokens", fit.GetContext()), fit.GetCache()},
			{"scratch", "an estimate", fit.GetCompute()},
			{"together", "", fit.GetWeights() + fit.GetCache() + fit.GetCompute()},
			{"available", "without swapping", fit.GetAvailable()},
		} {
			fmt.Fprintf(c.out, "%s\n", strings.TrimRight(fmt.Sprintf("%-10s %10s  %s", row.what, size(row.n), row.note), " "))
		}
		c.out.WriteString(fitSentence(fit) + "\n")
		if asked := call.number("context"); asked > fit.GetContext() {
			c.out.WriteString(trainedFor(r.GetModel(), fit.GetContext(), asked) + ".\n")
		}
	}
	if err == nil && !fit.GetFits() {
		return reported{errs.ExitUnavailable}
	}
	return err
}

// trainedFor says why a context is shorter than was asked for.
func trainedFor(m *modelv1.Model, context, asked uint32) string {
	return fmt.Sprintf("%s was trained for %d tokens, so the context is that long, not %d", visible.Name(m.GetName()), context, asked)
}

func fitSentence(fit *modelv1.Fit) string {
	switch {
	case fit.GetFits() && fit.GetLongestContext() > fit.GetContext():
		return fmt.Sprintf("It fits; so would a context of %d tokens.", fit.GetLongestContext())
	case fit.GetFits():
		return "It fits."
	case fit.GetLongestContext() > 0:
		return fmt.Sprintf("It does not fit; a context of %d tokens would.", fit.GetLongestContext())
	}
	return "It does not fit, whatever the context."
}

func modelVerify(ctx context.Context, c *cli, call *call) error {
	name, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	stream, err := cl.Model.Verify(ctx, &modelv1.VerifyRequest{Name: name})
	if err != nil {
		return err
	}
	defer stream.Close()
	said := verifyModelsJSON{OK: true, Models: []verifiedJSON{}}
	for {
		v, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			break
		}
		if err != nil {
			return meant(ctx, cl, name, err)
		}
		said.OK = said.OK && v.GetOk()
		row := verifiedJSON{Name: v.GetName(), OK: v.GetOk(), SHA256: hex.EncodeToString(v.GetSha256()), Found: hex.EncodeToString(v.GetFound()), Why: v.GetWhy()}
		said.Models = append(said.Models, row)
		if c.json {
			continue
		}
		fmt.Fprintf(c.out, "%-8s %s  sha256 %s\n", okWord(row.OK), visible.Name(row.Name), row.SHA256)
		switch {
		case row.Found == "":
			fmt.Fprintf(c.out, "         %s\n", visible.Text(row.Why))
		case !row.OK:
			fmt.Fprintf(c.out, "         its bytes have %s now\n", row.Found)
		}
		if err := c.out.Flush(); err != nil {
			return outputError(err)
		}
	}
	if c.json {
		err = c.printJSON(said)
	} else if len(said.Models) == 0 {
		c.out.WriteString("There are no models.\n")
	}
	if err == nil && !said.OK {
		return reported{errs.ExitIntegrity}
	}
	return err
}

func okWord(ok bool) string {
	if ok {
		return "ok"
	}
	return "CHANGED"
}

func modelRemove(ctx context.Context, c *cli, call *call) error {
	name, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Model.Remove(ctx, &modelv1.RemoveRequest{Name: name, Force: call.has("force")})
	if err != nil {
		return meant(ctx, cl, name, err)
	}
	if c.json {
		return c.printJSON(removedJSON{Name: name, Freed: r.GetFreed()})
	}
	fmt.Fprintf(c.out, "Removed %s; %s are free again.\n", visible.Name(name), size(r.GetFreed()))
	return nil
}

func modelGc(ctx context.Context, c *cli, call *call) error {
	_, cl, err := c.dialModel(ctx, call)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Model.Gc(ctx, &modelv1.GcRequest{DryRun: call.has("dry-run")})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(gcJSON{Removed: r.GetRemoved(), Freed: r.GetFreed(), DryRun: call.has("dry-run"), Models: append([]string{}, r.GetNames()...)})
	}
	c.print(gcSentence(r, call.has("dry-run")))
	return nil
}

// gcSentence names the models that go, and counts the files that belong to none.
func gcSentence(r *modelv1.GcResponse, dry bool) string {
	var what []string
	for _, n := range r.GetNames() {
		what = append(what, visible.Name(n))
	}
	if n := int(r.GetRemoved()) - len(what); n > 0 {
		what = append(what, count(uint64(n), "file")+" of no model")
	}
	switch all := strings.Join(what, ", "); {
	case len(what) == 0:
		return "There is nothing to remove."
	case dry:
		return "It would remove " + all + ", and free " + size(r.GetFreed()) + "."
	default:
		return "Removed " + all + "; " + size(r.GetFreed()) + " are free again."
	}
}
