package live

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/bailey-run/bailey/bench/rows"
)

// ordinary is the user that root runs benchmarks as, besides root.
const ordinary = 12321

// Main is the main of a benchmark: it reads the flags that all have and those
// that define adds, measures as every user there is, and reports. It returns
// the exit code.
func Main(name string, define func(*flag.FlagSet), m Measure) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, name, define, m, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		}
		return 1
	}
	return 0
}

func run(ctx context.Context, name string, define func(*flag.FlagSet), m Measure, args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	bin := f.String("bin", "../../bin", "where bailey, bailey-core and bailey-worker are")
	collections := f.String("collections", "../answers/collections", "the text to make folders of")
	work := f.String("work", "/var/tmp", "where folders and state are made, and removed after")
	out := f.String("o", "", "write the rows and all measurements to this JSON `file`")
	stage := f.String("stage", "", "used by the command itself: the programs it made ready")
	dir := f.String("dir", "", "used by the command itself: where to measure")
	model := f.String("model", "", "copy this model to where every user can read it, for benchmarks that use one")
	define(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected %q", f.Arg(0))
	}
	if *stage != "" {
		p, err := m(ctx, Stage{*stage}, *dir)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(p)
	}
	machine := rows.Machine()
	s, err := NewStage(*work, *bin, *collections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Remove()) }()
	if *model != "" {
		if err := copyFile(s.Model(), *model); err != nil {
			return err
		}
	}
	p, err := users(ctx, s, m, stderr, args)
	if err != nil {
		return err
	}
	return rows.Write(stdout, *out, machine, p)
}

// Measure is a benchmark, run as one user in a directory of that user's own,
// on the disk where the stage is.
type Measure func(ctx context.Context, s Stage, dir string) (rows.Part, error)

// users runs m as who runs this, and when that is root as an ordinary user
// too: the benchmark's own copy is started again with the same arguments.
func users(ctx context.Context, s Stage, m Measure, stderr io.Writer, args []string) (rows.Part, error) {
	var all rows.Part
	as := "as an ordinary user"
	if os.Geteuid() == 0 {
		as = "as root"
	}
	p, err := under(s, as, os.Geteuid(), func(dir string) (rows.Part, error) { return m(ctx, s, dir) })
	if err != nil {
		return all, err
	}
	all.Add(as+": ", p)
	if os.Geteuid() != 0 {
		return all, nil
	}
	p, err = under(s, "as an ordinary user", ordinary, func(dir string) (p rows.Part, err error) {
		cmd := exec.CommandContext(ctx, s.Self(), args...)
		cmd.Args = append(cmd.Args, "-stage", s.Dir, "-dir", dir)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
		cmd.Dir = dir
		cmd.Stderr = stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
		out, err := cmd.Output()
		if err != nil {
			return p, fmt.Errorf("as an ordinary user: %w", err)
		}
		return p, json.Unmarshal(out, &p)
	})
	if err != nil {
		return all, err
	}
	all.Add("as an ordinary user: ", p)
	return all, nil
}

// under runs f in a new directory of uid's, and names its rows.
func under(s Stage, as string, uid int, f func(dir string) (rows.Part, error)) (rows.Part, error) {
	dir, err := os.MkdirTemp(s.Dir, "run-")
	if err != nil {
		return rows.Part{}, err
	}
	if err := os.Chown(dir, uid, uid); os.Geteuid() == 0 && err != nil {
		return rows.Part{}, err
	}
	p, err := f(dir)
	for i := range p.Rows {
		p.Rows[i].Name += ", " + as
	}
	return p, errors.Join(err, os.RemoveAll(dir))
}
