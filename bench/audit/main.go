// Command audit measures the audit log: durable records a second from 16
// writers, beside a bare group-commit loop of 16 writers that does nothing but
// write and fdatasync, in turns in the same run; and records verified a second.
//
//	go run ./audit -dir DIR -out data/audit.json
//
// DIR must be on the disk that is to be measured, not on a tmpfs.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

const (
	writers    = 16
	recordSize = 300
)

type row struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer,omitempty"`
	PeerValue float64 `json:"peer_value,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
}

type round struct {
	Bare        float64 `json:"bare_records_per_second"`
	Bailey      float64 `json:"bailey_records_per_second"`
	BareP50     float64 `json:"bare_p50_us"`
	BaileyP50   float64 `json:"bailey_p50_us"`
	BareP99     float64 `json:"bare_p99_us"`
	BaileyP99   float64 `json:"bailey_p99_us"`
	BaileyAlone float64 `json:"bailey_one_writer_p50_us"`
	BareAlone   float64 `json:"bare_one_writer_p50_us"`
}

type output struct {
	Machine map[string]any `json:"machine"`
	Rows    []row          `json:"rows"`
	Rounds  []round        `json:"rounds"`
	Verify  map[string]any `json:"verify"`
}

func main() {
	dir := flag.String("dir", "", "directory on the disk to measure")
	out := flag.String("out", "", "file for the raw data; empty: standard output")
	rounds := flag.Int("rounds", 31, "rounds, each of both")
	each := flag.Duration("time", 400*time.Millisecond, "time of one measurement")
	records := flag.Int("records", 300_000, "records of the log that is verified")
	flag.Parse()
	if err := run(*dir, *out, *rounds, *each, *records); err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

// measure lets n writers call do until the time is over.
func measure(n int, d time.Duration, do func(writer int) error) (perSecond, p50, p99 float64, err error) {
	var wg sync.WaitGroup
	var failed atomic.Value
	all := make([][]time.Duration, n)
	begin := time.Now()
	for w := range n {
		wg.Go(func() {
			for time.Since(begin) < d {
				t := time.Now()
				if err := do(w); err != nil {
					failed.Store(err)
					return
				}
				all[w] = append(all[w], time.Since(t))
			}
		})
	}
	wg.Wait()
	total := time.Since(begin)
	if e := failed.Load(); e != nil {
		return 0, 0, 0, e.(error)
	}
	lat := slices.Concat(all...)
	slices.Sort(lat)
	us := func(q float64) float64 { return float64(lat[int(q*float64(len(lat)-1))].Nanoseconds()) / 1e3 }
	return float64(len(lat)) / total.Seconds(), us(0.5), us(0.99), nil
}

// bare is the floor: one goroutine takes what waits, writes it in one call and
// syncs.
type bare struct {
	f    *os.File
	mu   sync.Mutex
	wait []chan error
	wake chan struct{}
	done chan struct{}
}

func newBare(path string) (*bare, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	b := &bare{f: f, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.loop()
	return b, nil
}

func (b *bare) loop() {
	defer close(b.done)
	record := []byte(strings.Repeat("x", recordSize-1) + "\n")
	var buf []byte
	for range b.wake {
		b.mu.Lock()
		batch := b.wait
		b.wait = nil
		b.mu.Unlock()
		buf = buf[:0]
		for range batch {
			buf = append(buf, record...)
		}
		_, err := b.f.Write(buf)
		if err == nil {
			err = unix.Fdatasync(int(b.f.Fd()))
		}
		for _, c := range batch {
			c <- err
		}
	}
}

func (b *bare) append() error {
	c := make(chan error, 1)
	b.mu.Lock()
	b.wait = append(b.wait, c)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return <-c
}

func (b *bare) close() error {
	close(b.wake)
	<-b.done
	return b.f.Close()
}

type noAnchor struct{}

func (noAnchor) Put(string, uint64, string) error { return nil }

func openLog(path string) (*audit.Log, func() error, error) {
	home, err := safefile.MakeDir(path)
	if err != nil {
		return nil, nil, err
	}
	l, err := audit.Open(context.Background(), audit.Config{
		Home: home, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Anchor: noAnchor{},
	})
	if err != nil {
		return nil, nil, err
	}
	return l, func() error {
		if err := l.Close(); err != nil {
			return err
		}
		return home.Close()
	}, nil
}

// event is a typical one: 300 bytes without its detail's ciphertext.
func event(w int) audit.Event {
	return audit.Event{
		Kind: auditlog.Call, Actor: audit.Actor{App: "bailey", Surface: "cli", Task: fmt.Sprintf("task-%02d", w), Verb: "ask"},
		Method: "bailey.index.v1.IndexService/Ask", Decision: "allow", DecidedBy: "command-line", Grant: "0123456789abcdef",
		Code: "ok", RequestBytes: 120, ResponseBytes: 4096, Messages: 7, Milliseconds: 12,
		Detail: map[string]string{"path": "/home/ada/project/docs"}, Tagged: "/home/ada/project/docs",
	}
}

func run(dir, out string, rounds int, each time.Duration, records int) error {
	if dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	work, err := os.MkdirTemp(dir, "bailey-bench-audit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	res := output{Machine: machine(work)}
	ctx := context.Background()
	for i := range rounds {
		var r round
		b, err := newBare(filepath.Join(work, fmt.Sprintf("bare%d", i)))
		if err != nil {
			return err
		}
		l, closeLog, err := openLog(filepath.Join(work, fmt.Sprintf("home%d", i)))
		if err != nil {
			return err
		}
		bareOne := func(int) error { return b.append() }
		logOne := func(w int) error { _, err := l.Append(ctx, event(w)); return err }
		// In turns, each first in every other round.
		both := []func() error{
			func() (err error) { r.Bare, r.BareP50, r.BareP99, err = measure(writers, each, bareOne); return },
			func() (err error) { r.Bailey, r.BaileyP50, r.BaileyP99, err = measure(writers, each, logOne); return },
			func() (err error) { _, r.BareAlone, _, err = measure(1, each/2, bareOne); return },
			func() (err error) { _, r.BaileyAlone, _, err = measure(1, each/2, logOne); return },
		}
		if i%2 == 1 {
			both[0], both[1] = both[1], both[0]
			both[2], both[3] = both[3], both[2]
		}
		for _, f := range both {
			if err := f(); err != nil {
				return err
			}
		}
		if err := closeLog(); err != nil {
			return err
		}
		if err := b.close(); err != nil {
			return err
		}
		res.Rounds = append(res.Rounds, r)
	}
	med := func(f func(round) float64) float64 {
		var v []float64
		for _, r := range res.Rounds {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	ours, floor := med(func(r round) float64 { return r.Bailey }), med(func(r round) float64 { return r.Bare })
	ratio := med(func(r round) float64 { return r.Bailey / r.Bare })
	res.Rows = append(res.Rows,
		row{"audit durable records, 16 writers", ours, "records/s", "bare 16-writer group-commit fdatasync loop", floor, ratio},
		row{"audit append p50, 16 writers", med(func(r round) float64 { return r.BaileyP50 }), "us", "bare loop", med(func(r round) float64 { return r.BareP50 }), 0},
		row{"audit append p99, 16 writers", med(func(r round) float64 { return r.BaileyP99 }), "us", "bare loop", med(func(r round) float64 { return r.BareP99 }), 0},
		row{"audit append p50, one writer", med(func(r round) float64 { return r.BaileyAlone }), "us", "bare loop", med(func(r round) float64 { return r.BareAlone }), 0},
	)
	if err := verify(ctx, &res, filepath.Join(work, "home0", audit.DirName), "records verified, as 16 writers left them"); err != nil {
		return err
	}
	big := filepath.Join(work, "big")
	l, closeLog, err := openLog(big)
	if err != nil {
		return err
	}
	begin := time.Now()
	for i := range records {
		if err := l.Note(event(i % 100)); err != nil {
			return err
		}
	}
	if err := closeLog(); err != nil {
		return err
	}
	res.Rows = append(res.Rows, row{Name: "audit buffered records, one caller", Value: float64(records) / time.Since(begin).Seconds(), Unit: "records/s"})
	if err := verify(ctx, &res, filepath.Join(big, audit.DirName), "records verified, buffered batches"); err != nil {
		return err
	}
	begin = time.Now()
	if l, closeLog, err = openLog(big); err != nil {
		return err
	}
	res.Rows = append(res.Rows, row{Name: fmt.Sprintf("audit open of a log of %d records", l.Status().Size), Value: float64(time.Since(begin).Microseconds()) / 1e3, Unit: "ms"})
	if err := closeLog(); err != nil {
		return err
	}
	return write(res, out)
}

func verify(ctx context.Context, res *output, dir, name string) error {
	var rates []float64
	var size uint64
	for range 5 {
		begin := time.Now()
		rep, err := audit.Verify(ctx, dir)
		if err != nil {
			return err
		}
		if err := rep.Err(); err != nil {
			return err
		}
		size = rep.Size
		rates = append(rates, float64(rep.Size)/time.Since(begin).Seconds())
	}
	st, err := os.Stat(filepath.Join(dir, auditlog.LogFile))
	if err != nil {
		return err
	}
	if res.Verify == nil {
		res.Verify = map[string]any{}
	}
	res.Verify[name] = map[string]any{"records": size, "bytes": st.Size(), "records_per_second": rates}
	slices.Sort(rates)
	res.Rows = append(res.Rows, row{Name: "audit " + name, Value: rates[len(rates)/2], Unit: "records/s"})
	return nil
}

func machine(dir string) map[string]any {
	m := map[string]any{"cpus": runtime.NumCPU(), "arch": runtime.GOARCH, "go": runtime.Version(), "time": time.Now().UTC().Format(time.RFC3339)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil {
		m["file_system_type"] = fmt.Sprintf("%#x", st.Type)
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m["loadavg_at_start"] = strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				m["cpu"] = strings.TrimSpace(v)
				break
			}
		}
	}
	return m
}

func write(res output, out string) error {
	b, err := json.MarshalIndent(res, "", "\t")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if out == "" {
		_, err = os.Stdout.Write(b)
		return err
	}
	return os.WriteFile(out, b, 0o644)
}
