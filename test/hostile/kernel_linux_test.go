package hostile

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onFile reads what package sandbox has on file of a kind's two filters, for
// calls with no arguments: by number, the sterner of the two verdicts.
func onFile(t *testing.T, kind string) map[int]string {
	t.Helper()
	b, err := os.ReadFile("../../internal/plat/sandbox/testdata/filters/" + runtime.GOARCH + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	deny, allow := -1, -1
	named, ranged := regexp.MustCompile(`^(\d+) [a-z0-9_]+ +(.*)$`), regexp.MustCompile(`^(0x[0-9a-f]+)(?: to (0x[0-9a-f]+))? +(.*)$`)
	verdicts := map[int]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if head, ok := strings.CutPrefix(line, "# "); ok {
			letter, names, ok := strings.Cut(head, ": ")
			if !ok || len(letter) != 1 {
				continue
			}
			for whose := range strings.SplitSeq(names, ", ") {
				whose, _, _ = strings.Cut(whose, " (")
				switch {
				case whose == "deny-list of "+kind || strings.HasSuffix(whose, " deny-list of "+kind):
					deny = int(head[0] - 'A')
				case whose == "allow-list of "+kind:
					allow = int(head[0] - 'A')
				}
			}
			continue
		}
		var first, last int64
		var columns []string
		if m := named.FindStringSubmatch(line); m != nil {
			first, _ = strconv.ParseInt(m[1], 10, 64)
			last, columns = first, strings.Fields(m[2])
		} else if m := ranged.FindStringSubmatch(line); m != nil {
			first, _ = strconv.ParseInt(m[1], 0, 64)
			if last = first; m[2] != "" {
				last, _ = strconv.ParseInt(m[2], 0, 64)
			}
			columns = strings.Fields(m[3])
		}
		if columns == nil || last > 600 {
			continue
		}
		for n := first; n <= last; n++ {
			d, a := columns[deny], columns[allow]
			switch {
			case d == "kill" || a == "kill":
				verdicts[int(n)] = killed
			case a != "allow":
				// Of two errnos the kernel gives that of the later filter.
				verdicts[int(n)] = a
			default:
				verdicts[int(n)] = d
			}
		}
	}
	if len(verdicts) != 601 {
		t.Fatalf("%d numbers of %s are on file", len(verdicts), kind)
	}
	return verdicts
}

// TestKernelAgrees makes every call from 0 to 600 that is not allowed, in the
// sandbox of each kind: the kernel answers what is on file, which an
// interpreter of our own found.
func TestKernelAgrees(t *testing.T) {
	bin := attacker(t)
	if !programs(t, bin) {
		return
	}
	// What a foreign program may besides a worker, and the exec that kills it.
	differs := []int{unix.SYS_SET_TID_ADDRESS, unix.SYS_SET_ROBUST_LIST, unix.SYS_EXECVEAT}
	// uretprobe and uprobe are the kernel's own way back from a probe. Since Linux
	// 6.14 no filter sees them; whoever makes them otherwise dies of the one, and
	// gets ENXIO from the other.
	probes := []int{335, 336}
	for _, u := range users(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range kinds(t) {
				verdicts := onFile(t, s.Kind)
				sweep := run{"call", s.Kind, "foreign:sweep"}
				var runs []run
				killing, refused := 0, 0
				for _, n := range slices.Sorted(maps.Keys(verdicts)) {
					switch v := verdicts[n]; {
					case slices.Contains(differs, n) || v == "allow":
					case slices.Contains(probes, n):
						runs = append(runs, run{fmt.Sprintf("call %d", n), s.Kind, "foreign:call"})
					case v == killed:
						killing++
						runs = append(runs, run{fmt.Sprintf("call %d", n), s.Kind, "foreign:call"})
					default:
						sweep.Attack += fmt.Sprintf(" %d", n)
					}
				}
				got := launch(t, u, bin, append(runs, sweep))
				for _, r := range runs {
					if n, _ := strconv.Atoi(strings.TrimPrefix(r.Attack, "call ")); slices.Contains(probes, n) {
						if g := got[r].name(); g != verdicts[n] && g != "SIGILL" && g != "ENXIO" {
							t.Errorf("%s: %s: %s", s.Kind, r.Attack, g)
						}
						continue
					}
					if got[r].name() != killed {
						t.Errorf("%s: %s: %s, on file %s", s.Kind, r.Attack, got[r].name(), killed)
					}
				}
				if got[sweep].name() != "OK" {
					t.Errorf("%s: %s", s.Kind, got[sweep].name())
				}
				for line := range strings.Lines(got[sweep].Got) {
					var n, errno int
					if _, err := fmt.Sscan(line, &n, &errno); err != nil {
						t.Fatal(err)
					}
					refused++
					if name := unix.ErrnoName(unix.Errno(errno)); name != verdicts[n] {
						t.Errorf("%s: call %d: %q, on file %s", s.Kind, n, name, verdicts[n])
					}
				}
				if want := len(strings.Fields(sweep.Attack)) - 1; refused != want {
					t.Errorf("%s: %d calls were answered, of %d", s.Kind, refused, want)
				}
				t.Logf("%s: %d calls kill, %d are refused", s.Kind, killing, refused)
			}
		})
	}
}
