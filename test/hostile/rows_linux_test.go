package hostile

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// A row is one escape attempt, with what the whole sandbox must answer and the
// control run that shows that the attack works where the sandbox does not stop
// it. doc.go says what the fields mean.
type row struct {
	attempt, id, does, call string
	needs                   []string
	outside                 bool
	must                    verdict
	handed                  verdict
	classes                 map[workerspec.Class]verdict
	kinds                   map[string]verdict
	level2                  verdict
	only                    string
	alone                   workerspec.Layer
	aloneWhy                string
	without                 []workerspec.Layer
	noControl               string
	reaches, rootReaches    []string
	got                     string
	oddDescriptors          bool
	test, untried           string
}

// verdict is what a worker may be answered.
type verdict struct {
	// answers are errno names and signals; anyRefusal takes all but OK.
	answers    []string
	anyRefusal bool
	// lets is the reason why the attempt may pass.
	lets string
	// words is what a test of its own sees.
	words string
}

func (v verdict) String() string {
	switch {
	case v.lets != "":
		return "lets it: " + v.lets
	case v.anyRefusal:
		return "refused"
	case v.words != "":
		return v.words
	}
	return strings.Join(v.answers, ", ")
}

func (v verdict) said() bool { return v.String() != "" }

func (v verdict) takes(answer string) bool {
	if v.lets != "" {
		return answer == "OK"
	}
	if v.anyRefusal {
		return answer != "OK" && !strings.HasPrefix(answer, "failed")
	}
	return slices.Contains(v.answers, answer)
}

const killed = "SIGSYS"

// rows reads every file of the directory rows.
func rows(t testing.TB) []row {
	t.Helper()
	files, err := filepath.Glob("rows/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := parseRows(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, rs...)
	}
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.attempt] {
			t.Fatalf("two attempts are called %q", r.attempt)
		}
		seen[r.attempt] = true
	}
	return all
}

// tried are the rows that TestEscapes runs.
func tried(t testing.TB) []row {
	return slices.DeleteFunc(rows(t), func(r row) bool { return r.test != "" || r.untried != "" })
}

func parseRows(b []byte) ([]row, error) {
	var all []row
	var fields [][2]string
	end := func() error {
		if len(fields) == 0 {
			return nil
		}
		r, err := newRow(fields)
		if err != nil {
			return fmt.Errorf("%s %s: %w", fields[0][0], fields[0][1], err)
		}
		all, fields = append(all, r), nil
		return nil
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			if err := end(); err != nil {
				return nil, err
			}
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		// Two fields have names of two words.
		if name == "root" || name == "descriptors" {
			second, rest, _ := strings.Cut(value, " ")
			name, value = name+" "+second, rest
		}
		for _, f := range fields {
			if f[0] == name {
				return nil, fmt.Errorf("%s twice in %s", name, fields[0][1])
			}
		}
		fields = append(fields, [2]string{name, strings.TrimSpace(value)})
	}
	return all, end()
}

func newRow(fields [][2]string) (row, error) {
	r := row{classes: map[workerspec.Class]verdict{}, kinds: map[string]verdict{}}
	reach := ""
	for _, f := range fields {
		v := f[1]
		if v == "" && f[0] != "descriptors odd" {
			return r, fmt.Errorf("%s says nothing", f[0])
		}
		var err error
		switch f[0] {
		case "attempt":
			r.attempt = v
		case "row":
			r.id = v
		case "needs":
			for _, n := range strings.Split(v, ",") {
				r.needs = append(r.needs, strings.TrimSpace(n))
			}
		case "does":
			r.does = v
		case "reach":
			reach = v
		case "call":
			r.call = v
		case "must", "handed", "level2", "jit", "exec", "engine", "graphics":
			// Without a test of its own an answer is an errno or a signal.
			words := slices.ContainsFunc(fields, func(f [2]string) bool { return f[0] == "test" || f[0] == "untried" })
			var d verdict
			if d, err = newVerdict(v, words); err != nil {
				return r, fmt.Errorf("%s: %w", f[0], err)
			}
			switch f[0] {
			case "must":
				r.must = d
			case "handed":
				r.handed = d
			case "level2":
				r.level2 = d
			case "jit":
				r.classes[workerspec.JIT] = d
			case "exec":
				r.classes[workerspec.Exec] = d
			case "engine":
				r.classes[workerspec.Engine] = d
			case "graphics":
				r.classes[workerspec.Graphics] = d
			}
		case "only":
			r.only = v
		case "alone":
			layer, why, _ := strings.Cut(v, ": ")
			r.alone, r.aloneWhy = workerspec.Layer(layer), why
		case "control":
			if why, ok := strings.CutPrefix(v, "none: "); ok {
				r.noControl = why
				break
			}
			layers, ok := strings.CutPrefix(v, "without ")
			if !ok {
				return r, fmt.Errorf("control %q", v)
			}
			for _, l := range strings.Fields(layers) {
				r.without = append(r.without, workerspec.Layer(l))
			}
		case "reaches":
			r.reaches = strings.Fields(v)
		case "root reaches":
			r.rootReaches = strings.Fields(v)
		case "got":
			r.got = v
		case "descriptors odd":
			r.oddDescriptors = true
		case "test":
			r.test = v
		case "untried":
			r.untried = v
		default:
			if _, ok := workerspec.For(f[0]); ok {
				if r.kinds[f[0]], err = newVerdict(v, false); err != nil {
					return r, fmt.Errorf("%s: %w", f[0], err)
				}
				break
			}
			return r, fmt.Errorf("no field is called %q", f[0])
		}
	}
	if reach != "outside" && reach != "inside" {
		return r, fmt.Errorf("reach %q", reach)
	}
	r.outside = reach == "outside"
	if r.reaches == nil {
		r.reaches = []string{"OK"}
	}
	if r.rootReaches == nil {
		r.rootReaches = r.reaches
	}
	return r, r.check()
}

func newVerdict(v string, words bool) (verdict, error) {
	if why, ok := strings.CutPrefix(v, "lets: "); ok {
		return verdict{lets: why}, nil
	}
	if v == "refused" {
		return verdict{anyRefusal: true}, nil
	}
	if words {
		return verdict{words: v}, nil
	}
	d := verdict{answers: strings.Fields(v)}
	for _, a := range d.answers {
		if !isAnswer(a) {
			return d, fmt.Errorf("%q is neither an errno nor a signal", a)
		}
	}
	return d, nil
}

func isAnswer(s string) bool {
	if strings.HasPrefix(s, "SIG") {
		return unix.SignalNum(s) != 0
	}
	for e := unix.Errno(1); e < 200; e++ {
		if unix.ErrnoName(e) == s {
			return true
		}
	}
	return false
}

// check refuses a row that promises too little, or could not fail.
func (r row) check() error {
	if r.attempt == "" || r.does == "" || r.id == "" || !r.must.said() {
		return fmt.Errorf("attempt, row, does, reach and must have to be said")
	}
	if r.id == "own" && len(r.needs) == 0 {
		return fmt.Errorf("a row of its own needs a requirement")
	}
	if r.must.lets != "" {
		return fmt.Errorf("it must be refused somewhere")
	}
	for _, v := range r.verdicts() {
		if v.lets != "" && r.outside {
			return fmt.Errorf("it reaches something outside, and may pass")
		}
	}
	if r.classes[workerspec.Engine].lets != "" || r.handed.lets != "" {
		return fmt.Errorf("only jit, exec and graphics kinds may let an attempt pass")
	}
	for _, l := range append(slices.Clone(r.without), r.alone) {
		if l != "" && !slices.Contains(workerspec.Layers(), l) {
			return fmt.Errorf("no layer is called %q", l)
		}
	}
	if (r.alone != "") != (r.aloneWhy != "") || r.alone != "" && !r.outside {
		return fmt.Errorf("alone is for attempts that reach outside, and says why")
	}
	switch r.only {
	case "", "granted", "handed", "opens", "native", "engine", "offline", "writes":
	default:
		return fmt.Errorf("only %q", r.only)
	}
	if r.test != "" || r.untried != "" {
		return nil
	}
	for _, a := range append(slices.Clone(r.reaches), r.rootReaches...) {
		if a != "OK" && !isAnswer(a) {
			return fmt.Errorf("the control run cannot reach %q", a)
		}
		for _, v := range append(r.verdicts(), r.must) {
			if r.noControl == "" && v.lets == "" && v.takes(a) {
				return fmt.Errorf("%s is right with and without the sandbox", a)
			}
		}
	}
	return nil
}

// verdicts are all but must.
func (r row) verdicts() []verdict {
	all := []verdict{r.handed, r.level2}
	for _, v := range r.classes {
		all = append(all, v)
	}
	for _, v := range r.kinds {
		all = append(all, v)
	}
	return all
}

// speaksOf says whether a row is about a kind of worker.
func (r row) speaksOf(s workerspec.Spec) bool {
	switch r.only {
	case "granted":
		return s.Grant() >= 0
	case "native":
		return s.Program == workerspec.EngineProgram
	case "engine":
		return s.Class == workerspec.Engine
	case "offline":
		return s.Requires(workerspec.NetNamespace)
	case "writes":
		return opens(s) && slices.ContainsFunc(s.Mounts, func(m workerspec.Mount) bool { return m.Write })
	case "opens":
		return opens(s)
	case "handed":
		return handed(s)
	}
	return true
}

func opens(s workerspec.Spec) bool {
	return slices.ContainsFunc(s.Syscalls, func(c workerspec.Syscall) bool { return c.Name == "openat" })
}

// handed workers open nothing: what they read comes as a descriptor.
func handed(s workerspec.Spec) bool { return !opens(s) }

// demandsAtLevel2 is what a kind may answer without namespaces. Who opens nothing
// there is refused before anything is looked for.
func (r row) demandsAtLevel2(s workerspec.Spec) verdict {
	if r.level2.said() && opens(s) {
		return r.level2
	}
	return r.demands(s)
}

// demands is what the whole sandbox of a kind may answer.
func (r row) demands(s workerspec.Spec) verdict {
	if v := r.kinds[s.Kind]; v.said() {
		return v
	}
	if v := r.classes[s.Class]; v.said() {
		return v
	}
	if handed(s) && r.handed.said() {
		return r.handed
	}
	return r.must
}

// of are the rows of TestEscapes that speak of a kind.
func of(t testing.TB, s workerspec.Spec) []row {
	return slices.DeleteFunc(tried(t), func(r row) bool { return !r.speaksOf(s) })
}

// attack is what the attacker is told.
func (r row) attack(t testing.TB) string {
	t.Helper()
	if r.call == "" {
		return r.attempt
	}
	name, args, _ := strings.Cut(r.call, " ")
	return fmt.Sprintf("call %d %s", syscallNumber(t, name), args)
}

// syscallNumber looks a call up in the list that package sandbox keeps.
func syscallNumber(t testing.TB, name string) int {
	t.Helper()
	b, err := os.ReadFile("../../internal/plat/sandbox/testdata/syscalls/" + runtime.GOARCH + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var n int
		var called string
		if _, err := fmt.Sscan(line, &n, &called); err == nil && called == name {
			return n
		}
	}
	t.Fatalf("no call is named %q", name)
	return 0
}

// controlMode is the mode of a row's control run.
func (r row) controlMode() string {
	if len(r.without) == 0 {
		return "bare"
	}
	mode := "without:"
	for i, l := range r.without {
		if i > 0 {
			mode += ","
		}
		mode += string(l)
	}
	return mode
}

// TestRows: a row that promises too little is refused, whoever writes it.
func TestRows(t *testing.T) {
	const good = "attempt x\nrow own\nneeds R25\ndoes y\nreach outside\nmust EPERM\n"
	if rs, err := parseRows([]byte("# one\n" + good + "\n\n" + strings.Replace(good, "x", "z", 1))); err != nil || len(rs) != 2 {
		t.Fatalf("%d rows, %v", len(rs), err)
	}
	for what, text := range map[string]string{
		"lets outside":      good + "exec lets: why not\n",
		"must let":          strings.Replace(good, "must EPERM", "must lets: all", 1),
		"an engine lets":    strings.Replace(good, "outside", "inside", 1) + "engine lets: why not\n",
		"no errno":          strings.Replace(good, "EPERM", "EWHAT", 1),
		"no signal":         strings.Replace(good, "EPERM", "SIGWHAT", 1),
		"no requirement":    strings.Replace(good, "needs R25\n", "", 1),
		"no must":           strings.Replace(good, "must EPERM\n", "", 1),
		"no reach":          strings.Replace(good, "reach outside\n", "", 1),
		"no sentence":       strings.Replace(good, "does y\n", "", 1),
		"an unknown field":  good + "except mondays\n",
		"a field twice":     good + "must EPERM\n",
		"an unknown layer":  good + "control without hope\n",
		"an unknown kind":   good + "only mondays\n",
		"an empty field":    good + "got\n",
		"cannot fail":       good + "reaches EPERM\n",
		"cannot fail, root": good + "root reaches EPERM\n",
		"alone, no reason":  good + "alone landlock\n",
	} {
		if rs, err := parseRows([]byte(text)); err == nil {
			t.Errorf("%s: taken as %+v", what, rs)
		}
	}
}

// TestThrough: with a layer left out, the error by which a control run tells that it
// got where it wanted counts as much as none.
func TestThrough(t *testing.T) {
	rs, err := parseRows([]byte("attempt x\nrow own\nneeds R25\ndoes y\nreach outside\nmust EPERM\nexec EROFS\nreaches EINVAL\nroot reaches OK\n"))
	if err != nil {
		t.Fatal(err)
	}
	index, _ := workerspec.For("index")
	for _, c := range []struct {
		root    bool
		answer  string
		through bool
	}{
		{false, "OK", true}, {false, "EINVAL", true}, {false, "EPERM", false}, {false, "ENOENT", false}, {false, "SIGSYS", false},
		{true, "OK", true}, {true, "EINVAL", false}, {true, "EPERM", false},
	} {
		if got := rs[0].through(index, user{root: c.root}, c.answer); got != c.through {
			t.Errorf("root %t, %s: %t", c.root, c.answer, got)
		}
	}
}
