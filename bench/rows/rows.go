// Package rows is what the benchmarks of Bailey report: rows in the shape of
// `bailey bench --json` (name, value, unit, and where there is a peer its
// value and the ratio), and the raw measurements that they come from, in one
// JSON file.
package rows

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Row is one result.
type Row struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer,omitempty"`
	PeerValue float64 `json:"peer_value,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
	// Target is what the value has to reach: "<= 15", ">= 0.9 of the peer".
	Target string `json:"target,omitempty"`
	// Met says whether it is reached, where the program that measured knows.
	Met *bool `json:"met,omitempty"`
}

// Judged notes whether the row reaches its target.
func (r Row) Judged(met bool) Row {
	r.Met = &met
	return r
}

// Beside gives the row a peer.
func (r Row) Beside(peer string, value float64) Row {
	r.Peer, r.PeerValue = peer, round(value)
	if value != 0 {
		r.Ratio = round(r.Value / value)
	}
	return r
}

// Paired makes the ratio the median of those of measurements that were taken one
// after the other.
func (r Row) Paired(mine, other []float64) Row {
	ratios := make([]float64, 0, len(mine))
	for i, v := range mine {
		if other[i] != 0 {
			ratios = append(ratios, v/other[i])
		}
	}
	r.Ratio = round(Median(ratios))
	return r
}

// New returns a row with four significant digits.
func New(name string, value float64, unit, target string) Row {
	return Row{Name: name, Value: round(value), Unit: unit, Target: target}
}

func round(f float64) float64 {
	if f == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(f))))
	return math.Round(f*scale) / scale
}

func (r Row) String() string {
	s := fmt.Sprintf("%-64s %9.4g %s", r.Name, r.Value, r.Unit)
	if r.Target != "" {
		s += " (" + r.Target + ")"
	}
	if r.Met != nil && !*r.Met {
		s += " NOT MET"
	}
	if r.Peer != "" {
		s += fmt.Sprintf("   %s %.4g, ratio %.3g", r.Peer, r.PeerValue, r.Ratio)
	}
	return s
}

// Part is what one run gives: rows, and the raw measurements by name.
type Part struct {
	Rows []Row                `json:"rows"`
	Raw  map[string][]float64 `json:"raw,omitempty"`
	// Notes are facts of the run: counts, sizes, versions of peers.
	Notes map[string]any `json:"notes,omitempty"`
}

// Add appends another part, its raw data and notes under a prefix.
func (p *Part) Add(prefix string, q Part) {
	p.Rows = append(p.Rows, q.Rows...)
	for k, v := range q.Raw {
		if p.Raw == nil {
			p.Raw = map[string][]float64{}
		}
		p.Raw[prefix+k] = v
	}
	for k, v := range q.Notes {
		if p.Notes == nil {
			p.Notes = map[string]any{}
		}
		p.Notes[prefix+k] = v
	}
}

// Quantile is the q-quantile by the nearest rank, of a copy; 0 of nothing.
func Quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

// Median is the middle, or the mean of the two in the middle.
func Median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Milliseconds of a duration.
func Milliseconds(d time.Duration) float64 { return round(float64(d.Nanoseconds()) / 1e6) }

// Machine is where the run was, and how busy it was.
func Machine() map[string]any {
	m := map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU(), "time": time.Now().UTC().Format(time.RFC3339)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				m["cpu"] = strings.TrimSpace(v)
				break
			}
		}
	}
	m["load_at_start"] = Load()
	// A busy machine is measured on with more priority than the rest.
	if a, err := unix.SchedGetAttr(0, 0); err == nil {
		m["scheduling"] = fmt.Sprintf("policy %d, nice %d, priority %d", a.Policy, a.Nice, a.Priority)
	}
	return m
}

// Load is the load average, as the kernel writes it.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Write prints the rows and, when path is not empty, writes all to that file.
func Write(stdout io.Writer, path string, machine map[string]any, p Part) error {
	for _, r := range p.Rows {
		fmt.Fprintln(stdout, r)
	}
	if path == "" {
		return nil
	}
	machine["load_at_end"] = Load()
	b, err := json.Marshal(struct {
		Machine map[string]any `json:"machine"`
		Part
	}{machine, p})
	if err != nil {
		return err
	}
	return os.WriteFile(path, lines(b), 0o644)
}

// lines puts each row and each list on a line of its own: a change of a figure
// then shows in a diff, without a line for each of thousands of numbers.
func lines(b []byte) []byte {
	s := strings.NewReplacer(`},{"name"`, "},\n{\"name\"", `"rows":[`, "\n\"rows\":[\n", `],"`, "],\n\"", `"raw":{`, "\n\"raw\":{\n", `"notes":{`, "\n\"notes\":{\n").Replace(string(b))
	return []byte(s + "\n")
}
