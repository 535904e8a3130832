// Command wire measures one call of 200 bytes from a process to its child and
// back, over package ipc and over what else could have carried it, all in one
// run and taking turns, so that a busy machine is busy for all of them:
//
//	echo     200 bytes written to a socketpair and read back: the floor
//	ipc      package ipc
//	ttrpc    github.com/containerd/ttrpc
//	connect  connectrpc.com/connect, HTTP/2 without TLS
//
// All but the floor encode and decode a protobuf message on both sides. Calls
// are made back to back, and paced at one a millisecond, which lets processors
// and the Go scheduler fall asleep, as they do under a person's clicks.
//
// Usage: go run ./wire [-out FILE], in bench/. The table goes to standard
// output, the rows (DESIGN 16, `bench`) with all turns to FILE.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/ipc"
)

const (
	payload = 200
	turns   = 40
	// A turn is short, so that what else runs on the machine hits all alike.
	backToBack = 1000
	warmUp     = 100
	paced      = 100
	pace       = time.Millisecond
	childFD    = 3
)

// sample is one turn of one transport, in microseconds.
type sample struct {
	Transport string  `json:"transport"`
	Mode      string  `json:"mode"`
	Turn      int     `json:"turn"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
}

type row struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer"`
	PeerValue float64 `json:"peer_value"`
	Ratio     float64 `json:"ratio"`
}

type report struct {
	Machine map[string]string `json:"machine"`
	Rows    []row             `json:"rows"`
	Turns   []sample          `json:"turns"`
}

func main() { os.Exit(run()) }

func run() int {
	child := flag.String("child", "", "serve this transport on descriptor 3 (used by the program itself)")
	only := flag.String("only", "", "measure only these, for example echo,ipc (ipc and another)")
	out := flag.String("out", "", "write the rows and all turns to this file")
	flag.Parse()
	err := error(nil)
	if *child != "" {
		err = serve(*child)
	} else {
		err = measure(*out, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		return 1
	}
	return 0
}

// peer is a transport with its child process.
type peer struct {
	name string
	call func() error
	stop func()
}

func start(t transport) (peer, error) {
	conn, file, err := ipc.Pair()
	if err != nil {
		return peer{}, err
	}
	cmd := exec.Command("/proc/self/exe", "-child", t.name)
	cmd.ExtraFiles = []*os.File{file} // becomes childFD
	cmd.Stderr = os.Stderr
	err = cmd.Start()
	file.Close()
	if err != nil {
		conn.Close()
		return peer{}, err
	}
	call, stop, err := t.client(conn)
	if err != nil {
		return peer{}, err
	}
	return peer{t.name, call, func() { stop(); conn.Close(); cmd.Wait() }}, nil
}

func measure(out, only string) error {
	var peers []peer
	for _, t := range transports() {
		if only != "" && !slices.Contains(strings.Split(only, ","), t.name) {
			continue
		}
		p, err := start(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		defer p.stop()
		peers = append(peers, p)
	}
	rep := report{Machine: machine()}
	for turn := range turns {
		// Another goes first each time.
		for i := range peers {
			p := peers[(i+turn)%len(peers)]
			for _, mode := range []string{"back to back", "paced 1 ms"} {
				d, err := p.run(mode)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				rep.Turns = append(rep.Turns, sample{p.name, mode, turn, quantile(d, 0.50), quantile(d, 0.99)})
			}
		}
	}
	rep.Rows = rows(rep.Turns)
	print(rep.Rows)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// run returns how long each call of a turn took, sorted.
func (p peer) run(mode string) ([]time.Duration, error) {
	n, wait := backToBack, time.Duration(0)
	if mode != "back to back" {
		n, wait = paced, pace
	} else {
		for range warmUp {
			if err := p.call(); err != nil {
				return nil, err
			}
		}
	}
	d := make([]time.Duration, n)
	for i := range d {
		if wait > 0 {
			time.Sleep(wait)
		}
		t := time.Now()
		if err := p.call(); err != nil {
			return nil, err
		}
		d[i] = time.Since(t)
	}
	slices.Sort(d)
	return d, nil
}

func quantile(sorted []time.Duration, q float64) float64 {
	return float64(sorted[int(q*float64(len(sorted)-1))].Nanoseconds()) / 1000
}

// rows compares ipc with each of the others: the median turn of each.
func rows(all []sample) []row {
	median := func(transport, mode string, of func(sample) float64) float64 {
		var v []float64
		for _, s := range all {
			if s.Transport == transport && s.Mode == mode {
				v = append(v, of(s))
			}
		}
		if len(v) == 0 {
			return 0
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	var out []row
	for _, mode := range []string{"back to back", "paced 1 ms"} {
		for _, q := range []struct {
			name string
			of   func(sample) float64
		}{{"p50", func(s sample) float64 { return s.P50 }}, {"p99", func(s sample) float64 { return s.P99 }}} {
			mine := median("ipc", mode, q.of)
			for _, t := range transports() {
				if t.name == "ipc" {
					continue
				}
				theirs := median(t.name, mode, q.of)
				if theirs == 0 {
					continue
				}
				out = append(out, row{
					Name:  fmt.Sprintf("call of %d bytes, %s, %s", payload, mode, q.name),
					Value: mine, Unit: "µs", Peer: t.title, PeerValue: theirs, Ratio: round3(mine / theirs),
				})
			}
		}
	}
	return out
}

func round3(f float64) float64 { return float64(int(f*1000+0.5)) / 1000 }

func print(rows []row) {
	fmt.Println("| what | ipc µs | peer | peer µs | ratio |\n|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Printf("| %s | %.1f | %s | %.1f | %.2f |\n", r.Name, r.Value, r.Peer, r.PeerValue, r.Ratio)
	}
}

func machine() map[string]string {
	m := map[string]string{"go": runtime.Version(), "arch": runtime.GOARCH, "cpus": strconv.Itoa(runtime.NumCPU()), "date": time.Now().UTC().Format(time.RFC3339)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				m["cpu"] = strings.TrimSpace(v)
			}
		}
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m["load"] = strings.TrimSpace(string(b))
	}
	return m
}
