package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// call is a parsed command line: a verb, its flags and its arguments.
type call struct {
	verb  *verb
	help  bool
	flags map[string][]string
	args  []string
	// dashed says that there was a --, and ahead how many of args stood before it.
	dashed bool
	ahead  int
}

func (c *call) has(flag string) bool { return len(c.flags[flag]) > 0 }

func (c *call) value(flag string) string {
	if v := c.flags[flag]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// usage is an error in the words on the command line.
func usage(detail, hint string) error {
	return errs.New(errs.Usage, "cli.parse").With(detail).WithHint(hint)
}

// parse reads a command line. Flags may stand anywhere after the verb, as
// `--flag value` or `--flag=value`; `--` ends them. On an error it still returns
// what was read, so that the error can be printed as --json asks.
func parse(all []*verb, args []string) (*call, error) {
	c := &call{flags: map[string][]string{}}
	err := c.read(all, args)
	if err == nil {
		return c, nil
	}
	// A --json that stands behind the error counts too.
	for _, a := range args {
		if a == "--" {
			break
		}
		if a == "--json" {
			c.flags["json"] = []string{"true"}
		}
	}
	return c, err
}

func (c *call) read(all []*verb, args []string) error {
	v, rest, err := findVerb(all, args)
	if err != nil {
		return err
	}
	c.verb = v
	hint := "run `bailey " + v.name + " --help`"
	for len(rest) > 0 {
		a := rest[0]
		rest = rest[1:]
		if a == "--" {
			c.dashed, c.ahead = true, len(c.args)
			c.args = append(c.args, rest...)
			break
		}
		if a == "-h" {
			a = "--help"
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			c.args = append(c.args, a)
			continue
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if name == "help" && !joined {
			c.help = true
			continue
		}
		f := v.flag(name)
		switch {
		case !strings.HasPrefix(a, "--") || f == nil:
			hint = suggestFlag(v, name, hint)
			if v.program && len(c.args) > 0 {
				hint = "put -- before PROG: all that follows it is the program's own"
			}
			return usage("`bailey "+v.name+"` has no flag "+visible.Name(a), hint)
		case f.value == "" && joined:
			return usage("--"+name+" takes no value", hint)
		case f.value == "", f.fits != nil && !joined && (len(rest) == 0 || !f.fits(rest[0])):
			value = "true"
		case !joined && (len(rest) == 0 || strings.HasPrefix(rest[0], "--")):
			// A value that begins so is written --flag=value: a flag whose value was
			// forgotten never takes the next flag for it.
			return usage("--"+name+" needs a value: --"+name+" "+f.value, hint)
		case !joined:
			value, rest = rest[0], rest[1:]
		}
		if f.value != "" && value == "" {
			return usage("--"+name+" is empty", "give it a value: --"+name+" "+f.value)
		}
		if c.has(name) && !f.repeat {
			return usage("--"+name+" is given twice", "give it once")
		}
		c.flags[name] = append(c.flags[name], value)
	}
	if c.help {
		return nil
	}
	return c.check(hint)
}

// check refuses what makes no sense before anything is touched.
func (c *call) check(hint string) error {
	v := c.verb
	for _, a := range c.args {
		if strings.IndexByte(a, 0) >= 0 {
			return usage("an argument holds a zero byte", hint)
		}
	}
	switch {
	case len(c.args) < v.minArgs:
		return usage("`bailey "+v.name+"` needs "+v.args, hint)
	case len(c.args) > v.maxArgs && v.maxArgs >= limits.ProgramArgs:
		return usage(fmt.Sprintf("`bailey %s` takes at most %d words", v.name, v.maxArgs), "give them in a file")
	case len(c.args) > v.maxArgs:
		switch {
		case v.tooMany != "":
			hint = v.tooMany
		case v.maxArgs > 0:
			hint = "quote words that belong together; " + hint
		}
		return usage(fmt.Sprintf("`bailey %s` takes %s; %q is too much", v.name, orNothing(v.args), visible.Middle(visible.Name(c.args[v.maxArgs]), limits.PromptName)), hint)
	case c.has("json") && c.has("format"):
		return usage("--json and --format exclude each other", "leave one of them out")
	case c.has("format") && c.value("format") != "md" && c.value("format") != "text":
		return usage("--format is md or text", "use --format md or --format text")
	case len(c.flags["allow-read"]) > limits.AllowDirs:
		return usage(fmt.Sprintf("more than %d --allow-read", limits.AllowDirs), "allow a folder that holds them all")
	}
	if c.has("timeout") {
		if _, err := c.timeout(); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name    string
		most    uint64
		example string
	}{
		{"max-sentences", v.maxSentences, "10"}, {"last", 1<<32 - 1, "20"}, {"context", limits.ModelContext, "4096"}, {"parallel", limits.FitParallel, "4"},
		{"max-tokens", limits.TokensAsked, "256"}, {"seed", 1<<32 - 1, "10"}, {"threads", limits.ThreadsMost, "4"}, {"max-vram", limits.GraphicsAsked, "4000"},
	} {
		if c.has(f.name) {
			if n, err := strconv.ParseUint(c.value(f.name), 10, 64); err != nil || n == 0 || n > f.most {
				return usage(fmt.Sprintf("--%s is a number from 1 to %d", f.name, f.most), fmt.Sprintf("for example --%s %s", f.name, f.example))
			}
		}
	}
	return nil
}

func orNothing(args string) string {
	if args == "" {
		return "no arguments"
	}
	return args
}

// number returns the value of a flag that check has looked at; 0 if it is absent.
func (c *call) number(flag string) uint32 {
	n, err := strconv.ParseUint(c.value(flag), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// timeout returns --timeout; 0 = none. A bare number is seconds.
func (c *call) timeout() (time.Duration, error) {
	s := c.value("timeout")
	if s == "" {
		return 0, nil
	}
	if _, err := strconv.ParseUint(s, 10, 32); err == nil {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Millisecond || d > limits.TimeoutMax {
		return 0, usage("--timeout is a time from 1ms to 24h", "for example --timeout 30s or --timeout 5m")
	}
	return d, nil
}

// findVerb reads the verb, which may be two words, and returns what follows.
func findVerb(all []*verb, args []string) (*verb, []string, error) {
	if len(args) == 0 {
		return verbNamed(all, "help"), nil, nil
	}
	switch args[0] {
	case "-h", "--help":
		return verbNamed(all, "help"), args[1:], nil
	case "-V", "--version":
		return verbNamed(all, "version"), args[1:], nil
	}
	first := args[0]
	if strings.HasPrefix(first, "-") {
		return nil, nil, usage("the command comes first, before "+visible.Name(first), "for example `bailey ask DIR \"question\" --json`")
	}
	if v := verbNamed(all, first); v != nil {
		return v, args[1:], nil
	}
	if subs := groupOf(all, first); len(subs) > 0 {
		hint := "use one of: " + strings.Join(subs, ", ")
		switch {
		case len(args) > 1 && verbNamed(all, first+" "+args[1]) != nil:
			return verbNamed(all, first+" "+args[1]), args[2:], nil
		case len(args) > 1 && (args[1] == "--help" || args[1] == "-h"):
			return verbNamed(all, "help"), []string{first}, nil
		case len(args) == 1 || strings.HasPrefix(args[1], "-"):
			return nil, nil, usage("`bailey "+first+"` needs one word more", hint)
		}
		return nil, nil, usage("there is no `bailey "+first+" "+visible.Middle(visible.Name(args[1]), limits.PromptName)+"`", hint)
	}
	for _, later := range laterVerbs() {
		if later == first {
			return nil, nil, usage("`bailey "+first+"` is not in this release", "what there is: "+strings.Join(topVerbs(all), ", "))
		}
	}
	hint := "run `bailey help`"
	var meant []string
	if first == "log" || first == "logs" {
		meant = append(meant, "`bailey audit show`")
	}
	for _, g := range topVerbs(all) {
		if v := verbNamed(all, g+" "+first); v != nil {
			meant = append(meant, "`bailey "+v.name+"`")
		}
	}
	if len(meant) > 0 {
		return nil, nil, usage("there is no command "+first, "did you mean "+strings.Join(meant, " or ")+"?")
	}
	if near := nearest(first, topVerbs(all)); near != "" {
		hint = "did you mean `bailey " + near + "`? Else " + hint
	}
	return nil, nil, usage("there is no command "+visible.Name(visible.Middle(first, limits.PromptName)), hint)
}

func suggestFlag(v *verb, name, hint string) string {
	var names []string
	for _, f := range v.flags {
		names = append(names, f.name)
	}
	if near := nearest(strings.TrimLeft(name, "-"), names); near != "" {
		return "did you mean --" + near + "? Else " + hint
	}
	return hint
}

// nearest returns the one of names that is at most two edits away from word,
// the closest first; empty if none is.
func nearest(word string, names []string) string {
	best, found := 3, ""
	for _, n := range names {
		if d := distance(word, n, best); d < best {
			best, found = d, n
		}
	}
	return found
}

// distance is the Levenshtein distance of a and b; anything from most up is not
// told apart.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
