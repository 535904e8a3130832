package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// printer prints an answer while it comes in.
type printer interface {
	sentence(*indexv1.Sentence)
	// written is called once, when a model has written all.
	written(*result)
	finish(*result)
}

// silent prints nothing while the answer comes in, for --json.
type silent struct{}

func (silent) sentence(*indexv1.Sentence) {}
func (silent) written(*result)            {}
func (silent) finish(*result)             {}

// textPrinter is the default form: a sentence a paragraph, its places below it.
type textPrinter struct {
	out     *output
	at      places
	columns int
	bold    bool
	section indexv1.Section
	started bool
	listed  bool // the list of files has begun
	folded  bool // show what a model wrote without support
}

func (p *textPrinter) sentence(s *indexv1.Sentence) {
	if s.GetSection() != p.section {
		p.section = s.GetSection()
		if title := sectionTitle(p.section); title != "" {
			p.gap()
			p.heading(title)
		}
	}
	lines, cited := shownLines(s), s.GetCitations()
	if p.section == indexv1.Section_SECTION_FILE {
		p.fileLine(lines[0], cited)
		return
	}
	p.gap()
	indent := ""
	if len(lines) > 1 {
		indent = "    " // so that no line of a document looks like one of Bailey's
	}
	for _, l := range lines {
		p.wrapped(indent, l)
	}
	for _, c := range cited {
		p.line("  " + p.at.at(c))
	}
}

// shownLines are what a terminal can show of a sentence: one line, but of code and
// tables in an answer each line that they have.
func shownLines(s *indexv1.Sentence) []string {
	if s.GetSection() != indexv1.Section_SECTION_ANSWER {
		return []string{visible.Text(s.GetText())}
	}
	lines := strings.Split(strings.TrimSpace(s.GetText()), "\n")
	for i, l := range lines {
		lines[i] = visible.Text(l)
	}
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" && len(lines) > 1 })
}

// fileLine is a line of the list of files, in the form of grep and compilers,
// which editors step through.
func (p *textPrinter) fileLine(text string, cited []*indexv1.Citation) {
	if !p.listed {
		p.gap()
		p.listed = true
	}
	for i, l := range visible.Wrap(p.at.at(cited[0])+": "+text, p.columns-2) {
		if i > 0 {
			l = "  " + l
		}
		p.line(l)
	}
	for _, c := range cited[1:] {
		p.line("  " + p.at.at(c))
	}
}

func sectionTitle(s indexv1.Section) string {
	switch s {
	case indexv1.Section_SECTION_OVERVIEW:
		return "Overview"
	case indexv1.Section_SECTION_FILE:
		return "Files"
	}
	return ""
}

func (p *textPrinter) finish(r *result) {
	p.gap()
	if len(r.sentences) == 0 {
		p.wrapped("", nothingLine(r))
		p.gap()
	}
	for _, l := range lastLines(r, p.at) {
		p.wrapped("", l)
	}
}

// nothingLine says why there is no sentence.
func nothingLine(r *result) string {
	switch {
	case r.done.GetUsage().GetFiles() == 0:
		return "Nothing found: the folder holds no document that can be read."
	case r.verb == "summarize":
		return "Nothing found that could stand in a summary."
	}
	more := "Nothing found. Other words may find more"
	if r.wordsOnly {
		more += "; so may a model that finds by meaning, which `bailey model pull FILE` brings in"
	}
	return more + "."
}

// lastLines say what the answer was made from, by what and with what right.
func lastLines(r *result, at places) []string {
	var lines []string
	for _, l := range []string{licenceLine(r, at), engineLine(r), skippedLine(r, at)} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	for _, g := range r.grants {
		lines = append(lines, grantLine(g, r.unused(g)))
	}
	return lines
}

// gap puts an empty line between two blocks.
func (p *textPrinter) gap() {
	if p.started {
		p.out.WriteByte('\n')
	}
	p.started = true
}

func (p *textPrinter) heading(s string) {
	if p.bold {
		s = "\x1b[1m" + s + "\x1b[0m"
	}
	p.out.WriteString(s + "\n")
}

func (p *textPrinter) wrapped(indent, s string) {
	for _, l := range wrap(s, p.columns-len(indent)) {
		p.line(indent + l)
	}
}

func (p *textPrinter) line(s string) { p.out.WriteString(s + "\n") }

// licenceLine names the licence texts together, each licence once with the
// first file that holds it, and counts those that do not fit on a line or two;
// they are not summarised.
func licenceLine(r *result, at places) string {
	all := r.done.GetLicences()
	if len(all) == 0 {
		return ""
	}
	var names []string
	files := map[string][]string{}
	for _, l := range all {
		name := visible.Text(l.GetName())
		if name == "" {
			name = "not recognised"
		}
		if files[name] == nil {
			names = append(names, name)
		}
		files[name] = append(files[name], visible.Path(at.open(l.GetPath())))
	}
	more := uint64(r.done.GetLicencesMore())
	for len(names) > limits.LicencesShown {
		more += uint64(len(files[names[len(names)-1]]))
		names = names[:len(names)-1]
	}
	for i, name := range names {
		in := files[name]
		names[i] = name + " (" + in[0]
		if len(in) > 1 {
			names[i] += fmt.Sprintf(" and %d more", len(in)-1)
		}
		names[i] += ")"
	}
	s := "Licences: " + strings.Join(names, ", ")
	if more > 0 {
		s += ", and " + count(more, "file") + " more"
	}
	return s + "."
}

// engineLine names what wrote the answer and what it read, and the time of all.
func engineLine(r *result) string {
	d, u := r.done, r.done.GetUsage()
	by := "By"
	if r.writtenDone != nil {
		by = "Passages by"
	}
	s := fmt.Sprintf("%s %s, in the documents' own words%s: %s, %s", by, visible.Text(d.GetEngine()), foundBy(d), count(u.GetFiles(), "file"), size(u.GetBytes()))
	if n := u.GetUnchanged(); n > 0 {
		s += fmt.Sprintf(" (%d unchanged since last time)", n)
	}
	return s + ", " + seconds(r.whole()) + "."
}

// skippedLine counts what was not read by reason and names the first few.
func skippedLine(r *result, at places) string {
	total := max(r.counted, r.done.GetUsage().GetSkipped())
	if total == 0 {
		return ""
	}
	var reasons []string
	for reason := range r.reasons {
		reasons = append(reasons, reason)
	}
	sort.Slice(reasons, func(i, j int) bool {
		if a, b := r.reasons[reasons[i]], r.reasons[reasons[j]]; a != b {
			return a > b
		}
		return reasons[i] < reasons[j]
	})
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", r.reasons[reason], visible.Text(reason))
	}
	// Files and directories; a directory counts once, with all that is in it.
	s := fmt.Sprintf("Skipped %d", total)
	if len(reasons) > 0 {
		s += ": " + strings.Join(reasons, ", ")
	}
	var names []string
	for i, k := range r.skipped {
		if i == limits.SkippedShown {
			names = append(names, "…")
			break
		}
		names = append(names, visible.Middle(visible.Path(at.open(k.GetPath())), limits.PromptName))
	}
	if len(names) > 0 {
		s += " (" + strings.Join(names, ", ") + ")"
	}
	if r.skippedMore() > 0 {
		return s + fmt.Sprintf(". --json lists the first %d, with hints.", len(r.skipped))
	}
	return s + ". --json lists all, with hints."
}

// grantLine says what the task was allowed, by whom and until when.
func grantLine(g grantRow, unused bool) string {
	by := map[string]string{
		string(capability.ByTerminal):    "at the terminal",
		string(capability.ByCommandLine): "on the command line",
		string(capability.ByRemembered):  "earlier",
	}[g.decidedBy]
	until := "it ended with this task"
	if g.remembered != "" {
		// What is remembered has an id of its own: this grant ended with its task too.
		by += " and remembered"
		until = "`bailey grant revoke " + visible.Text(g.remembered) + "` forgets it"
	}
	if unused {
		by += ", and not used"
	}
	return fmt.Sprintf("Grant %s: %s %s, given %s; %s.", visible.Text(g.id), capability.Name(g.kind), visible.Path(string(g.scope)), by, until)
}

func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size writes bytes in powers of 1000, as disks are sold and `ls --si` prints.
func size(n uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	f, i := float64(n), 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 || f >= 99.95 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
