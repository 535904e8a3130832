package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/workerspec"
	"github.com/bailey-run/bailey/test/vm"
)

const (
	hostileDir   = "test/hostile"
	sandboxDir   = "internal/plat/sandbox"
	cgroupDir    = "internal/plat/cgroup"
	superviseDir = "internal/supervise"
	doctor       = "doctor"
)

// suite is a test binary that the guests run.
type suite struct {
	name string
	// pkg is its directory, where it is built by itself; dir where it runs.
	pkg, dir string
	// skip is a pattern of tests, why the reason that they are not for a guest.
	skip, why string
	// notOldest is a pattern of tests that want more of Landlock than 6.1 has; what
	// is then refused is seen by the doctor without namespaces.
	notOldest string
	args      []string
	// turns says that its cases are divided among the classes of workers, in
	// another way on each kernel.
	turns bool
	// users are who runs it, least how many cases each of them must have passed:
	// a suite that shrinks to nothing would not fail otherwise.
	users []string
	least map[string]int
}

// suites are what each kernel has to pass, the quick ones first.
func suites() []suite {
	return []suite{
		{
			name: "cgroup", pkg: cgroupDir, dir: cgroupDir, args: []string{"-test.run=^TestKernel"},
			skip:  "^TestKernelOrdinaryUser$",
			why:   "the ordinary user runs it by itself here",
			users: []string{vm.Root, vm.Ordinary}, least: map[string]int{vm.Root: 7, vm.Ordinary: 7},
		},
		{
			name: "supervise", pkg: superviseDir, dir: superviseDir, args: []string{"-prebuilt=" + programsAt, "-test.run=^TestGroup$"},
			skip:  "^TestAsOrdinaryUser$",
			why:   "the ordinary user runs it by itself here; starts and refusals are the suite sandbox's",
			users: []string{vm.Root, vm.Ordinary}, least: map[string]int{vm.Root: 3, vm.Ordinary: 3},
		},
		{
			name: "hostile", dir: hostileDir, args: []string{"-built", attackAt}, turns: true,
			skip:      "^Test(Rows|Skips|Document|OrderOfEachLength|ReleaseHasNoSeam|ForeignFilter|EveryLayerShows|InseparableLayers|AnyOneLayerMayFail|SwapRace|BubblewrapLayers|BubblewrapSwapRace|Foreign|KernelAgrees)$",
			why:       "they look at the source tree, or take a quarter of an hour under an emulator",
			notOldest: "^TestLevel2",
			// As root it attacks as both.
			users: []string{vm.Root}, least: map[string]int{vm.Root: 150, vm.Ordinary: 150},
		},
		{
			name: "sandbox", pkg: sandboxDir, dir: sandboxDir,
			skip:  "^Test(AsOrdinaryUser|SyscallLists|ArchOf|Golden.*|EveryNumber|RootCore)$",
			why:   "the ordinary user runs it by itself here; filters are data; overlayfs is a module",
			users: []string{vm.Root, vm.Ordinary}, least: map[string]int{vm.Root: 120, vm.Ordinary: 120},
		},
	}
}

// limit is how many seconds one suite may take: many times what it takes on a
// machine that has nothing else to do.
const limit = 3000

// plans are what the two guests of a kernel do: the longest suite has one of its own.
func plans(k kernel) []vm.Plan {
	var long, p vm.Plan
	for _, s := range suites() {
		for _, u := range s.users {
			skip := s.skip
			if k.Series == "6.1" && s.notOldest != "" {
				skip += "|" + s.notOldest
			}
			argv := append([]string{testsAt + "/" + s.name + ".test", "-test.v", "-test.short", "-test.skip", skip, fmt.Sprintf("-test.timeout=%ds", limit)}, s.args...)
			if s.turns {
				argv = append(argv, "-turn", fmt.Sprint(max(0, slices.Index(allSeries(), k.Series))))
			}
			r := vm.Run{Suite: s.name, User: u, Argv: argv, Dir: sourceAt + "/" + s.dir, Seconds: limit}
			if s.turns {
				long.Runs = append(long.Runs, r)
			} else {
				p.Runs = append(p.Runs, r)
			}
		}
	}
	for _, u := range []string{vm.Root, vm.Ordinary, vm.Without} {
		p.Runs = append(p.Runs, doctorRuns(u)...)
	}
	if k.Series == profiled {
		p.Runs = append(p.Runs, profileRuns()...)
	}
	return []vm.Plan{long, p}
}

// doctorRuns have a user's doctor look, and end what it started.
func doctorRuns(user string) []vm.Run {
	// All but root are one person, with what was made before.
	home := "/tmp/bailey-" + vm.Ordinary
	if user == vm.Root {
		home = "/tmp/bailey-" + user
	}
	var runs []vm.Run
	for _, name := range []string{doctor, "stop"} {
		runs = append(runs, vm.Run{Suite: name, User: user, Argv: []string{programsAt + "/bailey", name, "--home", home}, Dir: "/", Seconds: limit})
	}
	return runs
}

// judge says what is wrong with what a guest said.
func judge(k kernel, rep vm.Report) []string {
	var faults []string
	fault := func(format string, a ...any) { faults = append(faults, fmt.Sprintf(format, a...)) }
	if !rep.Done {
		fault("the guest did not come to its end")
	}
	for _, s := range known() {
		if s.name == k.Series && (rep.Landlock < s.oldest || s.newest != 0 && rep.Landlock > s.newest) {
			fault("Landlock has ABI %d there", rep.Landlock)
		}
	}
	for _, r := range rep.Results {
		if r.Suite != doctor && r.Exit != 0 {
			fault("%s as %s ended with %d:\n%s", r.Suite, r.User, r.Exit, complaint(r))
		}
		for _, c := range r.Cases {
			if c.State == vm.Failed {
				fault("%s as %s: %s failed", r.Suite, c.User(r.User), c.Name)
			}
		}
	}
	for _, s := range suites() {
		for u, least := range s.least {
			n := 0
			for _, r := range rep.Results {
				if r.Suite == s.name {
					n += r.Count(u, vm.Passed)
				}
			}
			if n < least {
				fault("%s as %s: %d cases passed, and there are at least %d", s.name, u, n, least)
			}
		}
	}
	doctors := map[string]string{vm.Root: workerspec.FullLevel, vm.Ordinary: workerspec.FullLevel, vm.Without: ""}
	if k.Series == profiled {
		doctors[vm.Unprofiled], doctors[vm.Wrapped], doctors[vm.Profiled] = "", workerspec.WrappedLevel, workerspec.FullLevel
	}
	for u, level := range doctors {
		i := slices.IndexFunc(rep.Results, func(r vm.Result) bool { return r.Suite == doctor && r.User == u })
		if i < 0 {
			fault("no doctor as %s", u)
			continue
		}
		for _, f := range diagnose(rep.Results[i], level) {
			fault("doctor as %s: %s", u, f)
		}
	}
	return faults
}

// slow is the kind that compiles a large module when it first starts: under an
// emulator on a busy machine it may not be ready in time, which the doctor says.
const slow = "pdf"

// diagnose looks at what a doctor said of the kinds whose worker is there: where
// the whole sandbox can be had each has every layer, at that level, and elsewhere,
// where level is empty, none says so.
func diagnose(r vm.Result, level string) []string {
	whole := level != ""
	started := regexp.MustCompile(`^ok +([a-z]+) +([a-z0-9 ]+?) +([0-9]+) of ([0-9]+) `)
	full := map[string]bool{}
	var faults []string
	for _, line := range r.Output {
		if m := started.FindStringSubmatch(line); m != nil {
			full[m[1]] = m[3] == m[4] && (!whole || m[2] == level)
		}
		if kind, why, ok := strings.Cut(strings.TrimPrefix(line, "missing  worker-"), ": "); whole && ok && strings.HasPrefix(line, "missing") && kind != slow {
			faults = append(faults, kind+": "+why)
		}
	}
	for _, kind := range []string{"index", "store", "inspect", "engine"} {
		if full[kind] != whole {
			faults = append(faults, fmt.Sprintf("%s has the whole sandbox (%s): %v", kind, level, full[kind]))
		}
	}
	if len(faults) > 0 {
		faults = append(faults, strings.Join(r.Output, "\n"))
	}
	return faults
}

// shown is how many lines of a failed suite are shown; all stand in the console's
// file.
const shown = 60

// complaint is what a failed suite wrote besides what passed.
func complaint(r vm.Result) string {
	lines := slices.DeleteFunc(slices.Clone(r.Output), func(l string) bool {
		l = strings.TrimSpace(l)
		return strings.HasPrefix(l, "=== ") || strings.HasPrefix(l, "--- PASS") || strings.HasPrefix(l, "--- SKIP")
	})
	if len(lines) > shown {
		lines = append(lines[:shown], fmt.Sprintf("and %d more lines", len(lines)-shown))
	}
	return strings.Join(lines, "\n")
}

// row is a line of the table.
type row struct {
	kernel, landlock, suite, user string
	counts                        [3]int
}

func table(rep vm.Report) []row {
	var rows []row
	for _, s := range suites() {
		for _, u := range []string{vm.Root, vm.Ordinary} {
			line := row{rep.Kernel, fmt.Sprint(rep.Landlock), s.name, u, [3]int{}}
			for _, r := range rep.Results {
				if r.Suite != s.name {
					continue
				}
				for i, state := range []vm.State{vm.Passed, vm.Failed, vm.LeftOut} {
					line.counts[i] += r.Count(u, state)
				}
			}
			rows = append(rows, line)
		}
	}
	return rows
}

// format writes the table as docs/testing.md has it.
func format(rows []row) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| kernel | Landlock | suite | as | passed | failed | left out |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %d | %d |\n", r.kernel, r.landlock, r.suite, r.user, r.counts[0], r.counts[1], r.counts[2])
	}
	return b.String()
}
