// Command start measures how long a worker takes from its start to its first
// reply to a grant: package supervise as the core uses it (clone, sandbox,
// posture read from outside, probes inside, seal), beside the same code of the
// worker in a plain process and under bubblewrap, firejail and sandbox-runtime,
// and within the real core from a client's yes to its handle, with the durable
// records before and after. All take turns, each first in another round. What a
// worker then has of its own in memory is compared too, and starts without
// namespaces are measured in a user namespace whose limit of them is 0.
//
//	cd bench/start && CGO_ENABLED=0 go run . [-n 300] [-work /srv] [-o FILE]
//
// In bubblewrap's empty root there is no loader, hence the CGO_ENABLED. A peer that
// is missing (Debian: bubblewrap, firejail; bench/peers installs sandbox-runtime
// below -npm) is left out, and that stands in the notes. firejail hides /var/tmp,
// and wants the ordinary user, 12321, to have a name.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/serve"
	"github.com/bailey-run/bailey/internal/workerkit"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// plainName is the argument that makes this program the plain worker.
const plainName = "plain-worker"

func main() {
	if len(os.Args) > 1 {
		inner, ok := map[string]func([]string) error{plainName: plainWorker, reducedName: reducedStarts}[os.Args[1]]
		if ok {
			if err := inner(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
				os.Exit(1)
			}
			return
		}
	}
	// The ordinary user's copy gets the same arguments and works elsewhere.
	if npm, err := filepath.Abs("../../build/npm/sandbox-runtime"); err == nil && !slices.Contains(os.Args, "-npm") {
		os.Args = append(os.Args, "-npm", npm)
	}
	var n int
	var npm string
	os.Exit(live.Main("start", func(f *flag.FlagSet) {
		f.IntVar(&n, "n", 300, "starts of each")
		f.StringVar(&npm, "npm", "", "the absolute `path` where bench/peers installed sandbox-runtime")
	}, func(ctx context.Context, s live.Stage, dir string) (rows.Part, error) {
		return measure(ctx, s, dir, npm, n)
	}))
}

// connFD is the worker's connection: standard input, which every peer passes on.
const connFD = 0

// release is what the plain worker says it is.
const release = "bench"

// plainWorker is bailey-worker's code without its sandbox. Its arguments are the
// granted folder and the directory of its database.
func plainWorker(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%d arguments", len(args))
	}
	conn, err := ipc.FromFD(connFD)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	s := serve.New(index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open(args[0]) }, DB: args[1], Remembered: true, Clock: clock.System{}, Log: log,
	})
	defer s.Close()
	kit := workerkit.New(workerkit.Config{
		Kind: "index", Release: release, Clock: clock.System{}, Log: log,
		Seal: func() error { return nil }, Probe: func() []*workerv1.Attempt { return nil },
	})
	c := ipc.New(conn, ipc.Options{Mux: kit.Mux(indexv1.IndexServiceRoutes(s)), Peer: policyv1.Caller_CALLER_CORE, Even: true, Log: log})
	<-c.Done()
	return c.Close()
}

type system struct {
	name string
	// start starts one, waits for the reply to its first grant, and returns its
	// process and what ends it.
	start func(context.Context) (pid int, stop func(), err error)
}

func measure(ctx context.Context, s live.Stage, dir, npm string, n int) (p rows.Part, err error) {
	granted := filepath.Join(dir, "granted")
	if err := os.CopyFS(granted, os.DirFS(s.Collections())); err != nil {
		return p, err
	}
	h, err := s.NewHome(ctx, dir)
	if err != nil {
		return p, err
	}
	yes, core, err := inCore(ctx, h, granted, n)
	if err != nil {
		return p, err
	}
	weigh, mine, err := grow(core)
	if err != nil {
		return p, err
	}
	ours, closeAll, err := supervised(ctx, s, dir, granted)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	db := filepath.Join(dir, "plain-db")
	if err := os.Mkdir(db, 0o700); err != nil {
		return p, err
	}
	all := []system{
		{"bailey", ours},
		{"plain", func(ctx context.Context) (int, func(), error) {
			return plain(ctx, []string{s.Self(), plainName, granted, db})
		}},
	}
	p.Raw = map[string][]float64{"within the core, ms": yes}
	p.Notes = map[string]any{
		"starts of each": n, "core resident bytes": core, "resident bytes of the process that starts": mine, "ballast": len(weigh),
	}
	for _, peer := range peers(s.Self(), granted, db, npm) {
		name, argv := peer.name, peer.argv
		start := func(ctx context.Context) (int, func(), error) { return plain(ctx, argv) }
		_, stop, err := start(ctx)
		if err != nil {
			p.Notes[name] = "left out: " + err.Error()
			continue
		}
		stop()
		p.Notes[name] = peer.version(ctx)
		p.Notes[name+" command"] = strings.NewReplacer(s.Self(), "SELF", granted, "FOLDER", db, "DB", npm, "NPM").Replace(strings.Join(argv, " "))
		all = append(all, system{name, start})
	}
	for i := range n {
		for j := range all {
			sys := all[(i+j)%len(all)]
			begin := time.Now()
			pid, stop, err := sys.start(ctx)
			took := time.Since(begin)
			if err != nil {
				return p, fmt.Errorf("%s: %w", sys.name, err)
			}
			own, err := live.Memory(pid, "RssAnon")
			stop()
			if err != nil {
				return p, err
			}
			p.Raw[sys.name+", ms"] = append(p.Raw[sys.name+", ms"], rows.Milliseconds(took))
			if sys.name == "bailey" || sys.name == "plain" {
				p.Raw[sys.name+", own memory, MiB"] = append(p.Raw[sys.name+", own memory, MiB"], float64(own)/(1<<20))
			}
		}
	}
	if err := reduced(ctx, s, granted, n, &p); err != nil {
		return p, err
	}
	of := func(name string, q float64) float64 { return rows.Quantile(p.Raw[name+", ms"], q) }
	for _, q := range []struct {
		name   string
		q      float64
		target string
	}{{"p50", 0.5, "<= 15"}, {"p99", 0.99, ""}} {
		p.Rows = append(p.Rows, rows.New("start/worker to first reply, against no sandbox, "+q.name, of("bailey", q.q), "ms", q.target).Beside("the same worker in a plain process", of("plain", q.q)))
		for _, sys := range all[2:] {
			p.Rows = append(p.Rows, rows.New("start/worker to first reply, "+q.name, of("bailey", q.q), "ms", q.target).Beside("the same worker under "+sys.name, of(sys.name, q.q)))
		}
		if len(p.Raw["level 2, ms"]) > 0 {
			p.Rows = append(p.Rows, rows.New("start/worker at level 2 to first reply, "+q.name, of("level 2", q.q), "ms", "").Beside("a plain process in the same namespace", of("plain there", q.q)))
		}
		p.Rows = append(p.Rows, rows.New("start/within the core, from yes to handle, with its durable records, "+q.name, of("within the core", q.q), "ms", ""))
	}
	own := func(name string) float64 { return rows.Quantile(p.Raw[name+", own memory, MiB"], 0.5) }
	p.Rows = append(p.Rows, rows.New("start/worker's own memory, no file's, p50", own("bailey"), "MiB", "<= the plain one's + 1").Beside("the same worker in a plain process", own("plain")))
	return p, nil
}

// inCore starts workers in the real core, and returns what the core has
// resident after.
func inCore(ctx context.Context, h *live.Home, granted string, n int) (took []float64, resident int64, err error) {
	c, err := h.Dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	for range n {
		q, err := live.Propose(ctx, c, "ask", granted)
		if err != nil {
			return nil, 0, err
		}
		begin := time.Now()
		if _, err := q.Yes(ctx, c); err != nil {
			return nil, 0, err
		}
		took = append(took, rows.Milliseconds(time.Since(begin)))
		if err := q.End(ctx, c); err != nil {
			return nil, 0, err
		}
	}
	resident, err = live.Memory(c.PID, "VmRSS")
	return took, resident, err
}

// grow makes this process as heavy as the core is, with the core's own garbage
// collection, because a start copies the page tables of who makes it.
func grow(core int64) (ballast []byte, mine int64, err error) {
	debug.SetGCPercent(limits.CoreGCPercent)
	if mine, err = live.Memory(os.Getpid(), "VmRSS"); err != nil || mine >= core {
		return nil, mine, err
	}
	ballast = make([]byte, core-mine)
	for i := 0; i < len(ballast); i += os.Getpagesize() {
		ballast[i] = 1
	}
	mine, err = live.Memory(os.Getpid(), "VmRSS")
	return ballast, mine, err
}

// supervised starts workers as the core does, over directories that it opened
// as the core does.
func supervised(ctx context.Context, s live.Stage, dir, granted string) (func(context.Context) (int, func(), error), func() error, error) {
	version, err := s.Release(ctx)
	if err != nil {
		return nil, nil, err
	}
	worker, err := os.Open(s.Program("bailey-worker"))
	if err != nil {
		return nil, nil, err
	}
	f, err := folder.Open(granted)
	if err != nil {
		return nil, nil, errors.Join(err, worker.Close())
	}
	parent, err := datadir.Open(filepath.Join(dir, "data"))
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), worker.Close())
	}
	data, err := parent.Make(datadir.TaskPrefix + "bench")
	if err != nil {
		return nil, nil, errors.Join(err, parent.Close(), f.Close(), worker.Close())
	}
	sup := supervise.New(supervise.Config{Programs: map[string]*os.File{workerspec.WorkerProgram: worker}, Release: version, Log: slog.New(slog.DiscardHandler)})
	start := func(ctx context.Context) (int, func(), error) {
		w, err := sup.Start(ctx, "index", supervise.Options{Mounts: []sandbox.Mount{
			{Target: "/grant", Dir: f.Dir, Path: f.Path}, {Target: "/db", Dir: data.Dir, Path: data.Path, Write: true},
		}})
		if err != nil {
			return 0, nil, err
		}
		if _, err := w.Put(ctx, capability.Row{Kind: policyv1.Kind_KIND_FILE_READ}, "/grant", clock.System{}.Boot()); err != nil {
			w.Kill()
			return 0, nil, err
		}
		return w.PID(), w.Kill, nil
	}
	return start, func() error { return errors.Join(data.Remove(), parent.Close(), f.Close(), worker.Close()) }, nil
}

// plain starts a program that becomes a plain worker, and says to it what the
// core says to a worker.
func plain(ctx context.Context, argv []string) (int, func(), error) {
	conn, child, err := ipc.Pair()
	if err != nil {
		return 0, nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = child
	var said strings.Builder
	cmd.Stderr = &said
	err = cmd.Start()
	child.Close()
	if err != nil {
		conn.Close()
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := greet(ctx, conn)
	stop := func() {
		c.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}
	if err != nil {
		stop()
		return 0, nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return cmd.Process.Pid, stop, nil
}

// patience is how long a peer may take to start.
const patience = 20 * time.Second

func greet(ctx context.Context, conn *net.UnixConn) (*ipc.Conn, error) {
	c := ipc.New(conn, ipc.Options{})
	w := workerv1.NewWorkerServiceClient(c)
	random := make([]byte, 16)
	rand.Read(random)
	if _, err := w.Hello(ctx, &workerv1.HelloRequest{Release: release, Kind: "index", Nonce: random}); err != nil {
		return c, err
	}
	if _, err := w.Seal(ctx, &workerv1.SealRequest{}); err != nil {
		return c, err
	}
	_, err := w.PutGrant(ctx, &workerv1.PutGrantRequest{Handle: random, Kind: policyv1.Kind_KIND_FILE_READ, Mount: "/grant"})
	return c, err
}
