// bailey-core is the one process that acts for the user. The command line
// starts it on demand, and it ends when nobody needs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/core"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/keystore"
	"github.com/bailey-run/bailey/internal/plat/peer"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() {
	if is, err := desktop.Line(os.Args); is {
		if err != nil {
			os.Exit(errs.ExitFailed)
		}
		os.Exit(errs.ExitOK)
	}
	os.Exit(doMain(os.Args[1:], os.Stderr))
}

func doMain(args []string, stderr io.Writer) int {
	fs := flag.NewFlagSet("bailey-core", flag.ContinueOnError)
	fs.SetOutput(stderr)
	homeDir := fs.String("home", "", "put all state under this folder")
	readyFD := fs.Int("ready-fd", -1, "write a line to this descriptor when ready")
	if err := fs.Parse(args); err != nil {
		return errs.ExitUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintln(stderr, "bailey-core takes no arguments; run `bailey help`")
		return errs.ExitUsage
	}
	var ready io.WriteCloser = nopCloser{io.Discard}
	if *readyFD >= 0 {
		ready = os.NewFile(uintptr(*readyFD), "ready")
	}
	sandbox.OwnStart()
	// The starter closes its end of standard error once it has read that we
	// are ready; nothing that is said later may end the core.
	signal.Ignore(syscall.SIGPIPE)
	// A system without this file has the limit of dumps alone.
	_ = sandbox.EmptyDumps()
	// Before anything is read: what this process holds, keys and descriptors above
	// all, is closed to the user's other programs, and it leaves no core dump.
	err := sandbox.MakeUndumpable()
	if err == nil {
		err = untilEnded(*homeDir, ready)
	}
	if err == nil {
		return errs.ExitOK
	}
	e := errs.From(err)
	said := map[string]any{"error": map[string]string{"code": string(e.Code), "message": e.Message(), "hint": e.HintText()}}
	_ = json.NewEncoder(stderr).Encode(said)
	return e.Exit()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// policyName is the file of remembered permissions.
const policyName = "policies.json"

// untilEnded runs the core until it ends, or is told to while it waits for the system
// at its start, where it hears nothing and has begun nothing.
func untilEnded(homeDir string, ready io.WriteCloser) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	ended, started := make(chan error, 1), make(chan struct{})
	go func() { ended <- run(ctx, homeDir, ready, started) }()
	select {
	case err := <-ended:
		return err
	case <-started:
		return <-ended
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-started:
		return <-ended
	case <-time.After(limits.CoreStartGone):
		return errs.Wrap(errs.Cancelled, "core.start", ctx.Err())
	}
}

// run closes started once nothing is waited for any more that does not hear ctx.
func run(ctx context.Context, homeDir string, ready io.WriteCloser, started chan<- struct{}) (err error) {
	defer ready.Close()
	// The core's heap is small; every worker start pays for its page tables.
	debug.SetGCPercent(limits.CoreGCPercent)
	environment := env.Read()
	h, err := home.Open(home.Options{Dir: homeDir, Env: environment})
	if err != nil {
		return err
	}
	state, err := safefile.OpenDir(h.State)
	if err != nil {
		return err
	}
	defer state.Close()
	lock, err := state.Lock(home.LockName)
	if errors.Is(err, errs.New(errs.CoreBusy, "")) {
		_, err = fmt.Fprintln(ready, "taken")
		return err
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	logFile, err := openLog(state)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))
	inst, err := openInstallation()
	if err != nil {
		return err
	}
	defer closeAll(inst.programs)
	alog, err := audit.Open(ctx, audit.Config{Home: state, Clock: clock.System{}, Log: log, Release: release.Version()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alog.Close()) }()
	policies, err := grant.OpenPolicies(policyFile{state})
	if err != nil {
		return err
	}
	if err := core.CheckPolicies(ctx, policies, alog, log); err != nil {
		return err
	}
	data, err := datadir.Open(filepath.Join(h.Cache, "index"))
	if err != nil {
		return err
	}
	defer data.Close()
	kept := map[string]bool{}
	for _, r := range policies.List() {
		kept[datadir.KeptPrefix+string(r.ID)] = true
	}
	if err := data.Sweep(func(name string) bool { return kept[name] }); err != nil {
		// A worker wrote what is in there: it must not decide whether Bailey
		// starts.
		log.Warn("what an earlier core left could not be removed", "error", err)
	}
	// What apps keep is no cache.
	stores, err := datadir.Open(filepath.Join(h.State, "store"))
	if err != nil {
		return err
	}
	defer stores.Close()
	code, err := codecache.Open(filepath.Join(h.Cache, "code"))
	if err != nil {
		// It is made anew at each start.
		log.Warn("no machine code is kept", "error", err)
		code = nil
	} else {
		defer code.Close()
	}
	modelDir, err := state.Sub("models")
	if err != nil {
		return err
	}
	defer modelDir.Close()
	keyDir, err := state.Sub(audit.KeysName)
	if err != nil {
		return err
	}
	keys := keystore.Open(keyDir)
	defer keys.Close()
	modelKey, _, err := keys.Ensure(models.KeyName, models.KeySize)
	if err != nil {
		// Each model is hashed at its first use then.
		log.Warn("the key of the models cannot be used", "error", err)
		modelKey = nil
	}
	modelStore, err := models.Open(models.Config{Dir: modelDir, Clock: clock.System{}, Log: log, Key: modelKey})
	if err != nil {
		return err
	}
	defer modelStore.Close()
	l, err := peer.Listen(h.Socket)
	if err != nil {
		return err
	}
	defer l.Close()
	groups := cgroup.Begin(cgroup.Options{RuntimeDir: environment.RuntimeDir})
	defer groups.Close()
	c := core.New(core.Config{
		Release: release.Version(), Clock: clock.System{}, Log: log, Audit: alog, Policies: policies, Listener: l,
		Programs: inst.programs, EngineDir: inst.dir(engineDir), ProgramDirs: inst.dirs(), OpenApp: inst.openApp, Groups: groups, UserDir: environment.Home, RuntimeDir: h.Runtime,
		Models: modelStore, Data: data, Stores: stores, Code: code, StateDir: h.State, Own: own(h, environment),
	})
	close(started)
	return c.Run(ctx, func() {
		_, _ = fmt.Fprintln(ready, "ready")
		_ = ready.Close()
	})
}

// logName is the core's own log, for reports; nothing is proved by it.
const logName = "core.log"

// logWriter stops writing at a bound.
type logWriter struct {
	*safefile.File
	left int
}

// openLog opens the log, emptied when the last cores have filled it.
func openLog(state *safefile.Dir) (*logWriter, error) {
	f, _, err := state.OpenAppend(logName)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size >= limits.CoreLog {
		size, err = 0, f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &logWriter{f, limits.CoreLog - int(size)}, nil
}

// Write implements io.Writer; slog calls it under its own lock.
func (w *logWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return len(b), nil
	}
	w.left -= len(b)
	return w.File.Write(b)
}

// own lists Bailey's directories by their real names, and where another home was
// named those of the person's usual one too: its keys are no documents either.
// None is below another.
func own(h *home.Home, e env.Env) []string {
	dirs := []string{h.State, h.Cache, h.Config, h.Runtime}
	if usual, err := home.Locate(home.Options{Env: e}); err == nil && h.Dir != "" {
		dirs = append(dirs, usual.State, usual.Cache, usual.Config)
	}
	var out []string
	for _, d := range dirs {
		real, err := realName(d)
		if err != nil || slices.ContainsFunc(out, func(o string) bool { return within(real, o) }) {
			continue
		}
		out = append(slices.DeleteFunc(out, func(o string) bool { return within(o, real) }), real)
	}
	return out
}

// realName is the real name of a directory, or the one that it will have once it is
// made: the usual home may be used for the first time while this core runs.
func realName(dir string) (string, error) {
	rest := ""
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return filepath.Join(real, rest), err
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}

// within reports whether a directory is another or lies below it.
func within(dir, other string) bool { return dir == other || strings.HasPrefix(dir, other+"/") }

// Beside the programs: the directories of inference libraries and of what they need
// for a graphics card, and that of the apps' files.
const (
	engineDir   = "engine"
	graphicsDir = "graphics"
	appsDir     = "apps"
)

// installation is what belongs to this core.
type installation struct {
	base     string
	programs map[string]*os.File
}

func (i *installation) dir(name string) string { return filepath.Join(i.base, name) }

// dirs are the directories of all that is executed or loaded.
func (i *installation) dirs() []string {
	dirs := []string{i.base}
	for _, name := range []string{engineDir, graphicsDir, appsDir} {
		if real, err := filepath.EvalSymlinks(i.dir(name)); err == nil {
			dirs = append(dirs, real)
		}
	}
	return dirs
}

// openApp opens the archive of an app's files.
func (i *installation) openApp(id string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(i.dir(appsDir), id+".tar"))
}

// openInstallation opens the programs that this core starts. Without the engine,
// and without those that draw, everything else works.
func openInstallation() (*installation, error) {
	const op = "core.open-programs"
	self, err := os.Executable()
	if err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	i := &installation{base: filepath.Dir(self), programs: map[string]*os.File{}}
	for _, name := range []string{workerspec.WorkerProgram, workerspec.EngineProgram, workerspec.WindowProgram, workerspec.PromptProgram} {
		f, err := os.Open(i.dir(name))
		switch {
		case err == nil:
			i.programs[name] = f
		case name == workerspec.WorkerProgram || !errors.Is(err, os.ErrNotExist):
			closeAll(i.programs)
			return nil, errs.Wrap(errs.CoreUnavailable, op, err).With(name + " is not beside bailey-core, or cannot be read").
				WithHint("install Bailey again: bailey, bailey-core and bailey-worker belong together")
		}
	}
	return i, nil
}

func closeAll(files map[string]*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// policyFile is the store of remembered permissions in the state directory.
type policyFile struct{ dir *safefile.Dir }

// Load implements grant.File.
func (p policyFile) Load(max int) ([]byte, error) {
	b, err := p.dir.Read(policyName, int64(max))
	if errors.Is(err, errs.New(errs.NotFound, "")) {
		return nil, nil
	}
	return b, err
}

// Save implements grant.File.
func (p policyFile) Save(b []byte) error { return p.dir.Publish(policyName, b) }

// Remove implements grant.File.
func (p policyFile) Remove() error { return p.dir.Remove(policyName) }
