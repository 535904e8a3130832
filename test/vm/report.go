package vm

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Report is what a guest said.
type Report struct {
	Kernel   string
	Landlock int
	Results  []Result
	// Done says that the guest came to its end.
	Done bool
	// Panic is the line with which the guest's kernel gave up.
	Panic string
}

// Result is what came of one run.
type Result struct {
	Suite, User string
	// Exit is the program's exit status; -1 when it did not come to its end.
	Exit int
	// Cases are the tests that have no tests inside, in the order of their ends.
	Cases []Case
	// Output is everything that it wrote.
	Output []string
}

// Case is one test.
type Case struct {
	Name  string
	State State
}

// State is how a test ended.
type State string

const (
	Passed  State = "PASS"
	Failed  State = "FAIL"
	LeftOut State = "SKIP"
)

// Count says how many cases of a user ended in a state. A test that runs its
// cases as several users names the user second: TestEscapes/ordinary/...
func (r Result) Count(user string, s State) int {
	n := 0
	for _, c := range r.Cases {
		if c.State == s && c.User(r.User) == user {
			n++
		}
	}
	return n
}

// User is the user that the case was about, in a run of another.
func (c Case) User(of string) string {
	parts := strings.Split(c.Name, "/")
	if len(parts) > 1 && (parts[1] == Root || parts[1] == Ordinary) {
		return parts[1]
	}
	return of
}

const panicked = "Kernel panic - not syncing"

// Read reads what came on a guest's serial line. Words of the kernel's that
// stand before one of the guest's lines are passed over.
func Read(r io.Reader) (Report, error) {
	var rep Report
	var now *Result
	ended := regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+) \([0-9.]+s\)$`)
	in := bufio.NewScanner(r)
	in.Buffer(nil, longestLine)
	for in.Scan() {
		raw := strings.TrimRight(in.Text(), "\r")
		if strings.Contains(raw, panicked) && rep.Panic == "" {
			rep.Panic = strings.TrimSpace(raw[strings.Index(raw, panicked):])
		}
		_, line, ok := strings.Cut(raw, Mark)
		if !ok {
			continue
		}
		what, rest, _ := strings.Cut(line, " ")
		switch what {
		case "kernel":
			rep.Kernel = rest
		case "landlock":
			n, err := strconv.Atoi(rest)
			if err != nil {
				return rep, fmt.Errorf("%q: %w", raw, err)
			}
			rep.Landlock = n
		case "begin":
			suite, user, _ := strings.Cut(rest, " ")
			rep.Results = append(rep.Results, Result{Suite: suite, User: user, Exit: -1})
			now = &rep.Results[len(rep.Results)-1]
		case "out":
			if now == nil {
				return rep, fmt.Errorf("%q belongs to no run", raw)
			}
			now.Output = append(now.Output, rest)
			if m := ended.FindStringSubmatch(rest); m != nil {
				now.Cases = append(now.Cases, Case{m[2], State(m[1])})
			}
		case "end":
			if now == nil {
				return rep, fmt.Errorf("%q ends no run", raw)
			}
			n, err := strconv.Atoi(rest[strings.LastIndexByte(rest, ' ')+1:])
			if err != nil {
				return rep, fmt.Errorf("%q: %w", raw, err)
			}
			now.Exit, now = n, nil
		case "done":
			rep.Done = true
		}
	}
	for i := range rep.Results {
		rep.Results[i].Cases = leaves(rep.Results[i].Cases)
	}
	return rep, in.Err()
}

// longestLine is what one line of a test may be.
const longestLine = 1 << 20

// leaves leaves out the tests that others are inside of: they count once. A
// failure of such a test itself stays.
func leaves(cases []Case) []Case {
	inside := map[string]bool{}
	failed := map[string]bool{}
	for _, c := range cases {
		for at := range c.Name {
			if c.Name[at] != '/' {
				continue
			}
			inside[c.Name[:at]] = true
			failed[c.Name[:at]] = failed[c.Name[:at]] || c.State == Failed
		}
	}
	var out []Case
	for _, c := range cases {
		if !inside[c.Name] || c.State == Failed && !failed[c.Name] {
			out = append(out, c)
		}
	}
	return out
}
