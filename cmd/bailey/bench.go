package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
)

func benchTokensVerb() *verb {
	return &verb{
		name: "bench tokens", short: "tokens a second of a model, in its sandbox",
		long:     []string{"Reads a prompt and writes an answer a few times, through the core, and prints the medians. Keeps nothing."},
		examples: []example{{"bailey bench tokens --model smollm2", "without --model the one chat model"}},
		flags: []flag{
			{name: "model", value: "NAME", help: "the model to measure"}, {name: "threads", value: "N", help: "processor threads; the default leaves one core free"},
			flagAllowModel(), flagJSON("one JSON object"), flagHome(),
		},
		run: benchTokens,
	}
}

// machineJSON is the machine that was measured.
type machineJSON struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Engine    string `json:"engine"`
	Variant   string `json:"variant"`
	Model     string `json:"model"`
	Context   uint32 `json:"context"`
}

// benchRow is a row of `bench --json`. Peers are measured by `make bench` alone,
// in one run with Bailey; here they are null.
type benchRow struct {
	Name      string   `json:"name"`
	Value     float64  `json:"value"`
	Unit      string   `json:"unit"`
	Peer      *string  `json:"peer"`
	PeerValue *float64 `json:"peer_value"`
	Ratio     *float64 `json:"ratio"`
}

type benchJSON struct {
	Machine machineJSON `json:"machine"`
	Rows    []benchRow  `json:"rows"`
}

// benchTokens measures what a person gets: tokens a second through the core and
// out of the engine's sandbox. It is a chat that keeps nothing.
func benchTokens(ctx context.Context, c *cli, call *call) error {
	t := &talk{c: c, o: chatOptions{model: call.value("model"), allowed: call.flags["allow-model"], private: true, once: true,
		threads: call.number("threads"), sampling: &enginev1.Sampling{Greedy: true}}}
	t.connect = c.connector(call)
	var err error
	defer func() { t.leave(ctx, err) }()
	if err = t.open(ctx); err != nil {
		return err
	}
	bar := &progress{out: c.errOut, columns: c.screen.redraw}
	defer bar.erase()
	var out benchJSON
	// The default first, or what was asked for; then one thread, if that is not it.
	for _, threads := range []uint32{t.o.threads, 1} {
		if l := t.loaded; l != nil && (l.GetThreads() == threads || t.o.threads != 0) {
			continue
		}
		t.o.threads, t.loaded = threads, nil
		if err = t.load(ctx, func(n uint32) { bar.show(loadingLine(n)) }); err != nil && t.loaded == nil {
			return err
		}
		rows, e := t.measure(ctx, bar)
		if err = e; err != nil {
			return err
		}
		out.Rows = append(out.Rows, rows...)
	}
	bar.erase()
	l := t.loaded
	out.Machine = machineJSON{Processor: processor(), Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Engine: l.GetEngine(), Variant: l.GetVariant(), Model: t.model.GetName(), Context: l.GetContext()}
	if c.json {
		return c.printJSON(out)
	}
	m := out.Machine
	fmt.Fprintf(c.out, "%s by %s %s, sandboxed, through the core\n%s, %s\n\n", visible.Name(m.Model), visible.Text(m.Engine), visible.Text(m.Variant),
		visible.Text(m.Processor), count(uint64(m.Cores), "processor"))
	table := table{head: []string{"WHAT", "SANDBOXED", ""}}
	for _, r := range out.Rows {
		table.add(r.Name, fmt.Sprintf("%.*f", max(0, 3-len(strconv.Itoa(int(r.Value)))), r.Value), r.Unit)
	}
	table.print(c.out, c.screen.wide)
	c.out.WriteString("\nThe same library in-process, and a peer beside it: `make bench` in Bailey's source measures all in one run, because figures of two runs do not compare.\n")
	return nil
}

// measure reads and writes a few times with what is loaded.
func (t *talk) measure(ctx context.Context, bar *progress) ([]benchRow, error) {
	words := benchWords(int(t.loaded.GetContext()))
	threads := count(uint64(t.loaded.GetThreads()), "thread")
	var read, wrote, first []float64
	for run := range limits.BenchRuns {
		bar.show(fmt.Sprintf("Measuring with %s, run %d of %d", threads, run+1, limits.BenchRuns))
		// Another beginning each time, so that nothing is there from the run before.
		q := &enginev1.GenerateRequest{Grant: t.handle, Text: fmt.Sprintf("%d times %s", run+1, words), MaxTokens: limits.BenchTokens,
			Sampling: &enginev1.Sampling{Greedy: true}}
		a := &outcome{}
		if err := t.generate(ctx, q, a, &nowhere{}, func() {}); err != nil {
			return nil, err
		}
		d := a.done
		if us := int64(d.GetPromptUs()) - int64(d.GetQueueUs()); us > 0 {
			read = append(read, float64(d.GetPromptTokens()-d.GetReusedTokens())*1e6/float64(us))
		}
		if r := a.rate(); r > 0 {
			wrote = append(wrote, r)
		}
		first = append(first, a.first.Seconds()*1e3)
	}
	var rows []benchRow
	for _, row := range []struct {
		name, unit string
		values     []float64
	}{{"reading a prompt", "tok/s", read}, {"writing", "tok/s", wrote}, {"to the first token", "ms", first}} {
		if len(row.values) > 0 {
			rows = append(rows, benchRow{Name: row.name + ", " + threads, Value: median(row.values), Unit: row.unit})
		}
	}
	return rows, nil
}

// nowhere drops an answer.
type nowhere struct{}

func (nowhere) loading(uint32)         {}
func (nowhere) reading(uint32, uint32) {}
func (nowhere) piece(string) error     { return nil }

// benchWords is a text of a bit more than half the context, at most so many
// words that it is a usual prompt.
func benchWords(context int) string {
	const words = "The valve opens when the pressure rises and shuts when it falls; nobody has to watch it, and the boiler stays as warm as it was set. "
	n := min(limits.BenchPrompt, context/2) / len(strings.Fields(words)) * 3 / 4
	return strings.Repeat(words, max(n, 1))
}

func median(v []float64) float64 {
	sorted := append([]float64{}, v...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// processor is the name that Linux has for it; empty elsewhere.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limits.BenchCPUInfo))
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(b), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
