// Command peers makes the attempts of test/hostile under the sandboxes that
// people put before a program today, beside Bailey's own, on one machine and with
// one attacker: bubblewrap, firejail and sandbox-runtime with ordinary settings and
// with the tightest that serve the same purpose, which is to let a program read
// one directory and write another.
//
//	cd bench/peers && go run . [-o FILE] [-md FILE]
//
// An attempt counts where it succeeds without any sandbox. It wants bwrap, firejail
// and npm (for sandbox-runtime), names what is not there, and runs as an ordinary
// user: as root it becomes the one of -user.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/bailey-run/bailey/bench/rows"
)

type options struct {
	out, md, user, bin, npm, only string
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// attempt is one of the table's.
type attempt struct {
	name, call, reach, got string
}

// attack is what the attacker calls it.
func (a attempt) attack() string {
	if a.call != "" {
		return "call " + a.call
	}
	return a.name
}

// attempts reads what one run of one process can make of the table of
// test/hostile, whose package comment says what the fields mean.
func attempts(dir string) ([]attempt, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no table: %w", dir, err)
	}
	var all []attempt
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, block := range strings.Split(string(b), "\n\n") {
			f := map[string]string{}
			for line := range strings.Lines(block) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
				f[k] = v
			}
			_, elsewhere := f["test"]
			_, untried := f["untried"]
			handed := f["only"] == "handed" || f["only"] == "native"
			if f["attempt"] == "" || elsewhere || untried || handed {
				continue
			}
			all = append(all, attempt{f["attempt"], f["call"], f["reach"], f["got"]})
		}
	}
	return all, nil
}

// made is an attempt and what came of it.
type made struct {
	Attack string `json:"attack"`
	Errno  int    `json:"errno"`
	Got    string `json:"got,omitempty"`
	Silent bool   `json:"silent,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// passed says that the attacker got what it wanted.
func (m made) passed(a attempt) bool {
	return m.Failed == "" && !m.Silent && m.Errno == 0 && strings.Contains(m.Got, a.got)
}

func run(ctx context.Context, args []string) (err error) {
	var o options
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.StringVar(&o.out, "o", "", "write every answer to this JSON `file`")
	f.StringVar(&o.md, "md", "", "write the page of docs to this `file`")
	f.StringVar(&o.user, "user", "nobody", "whom root becomes")
	f.StringVar(&o.bin, "bin", "../../bin", "where Bailey's programs are")
	f.StringVar(&o.npm, "npm", "../../build/npm/sandbox-runtime", "where npm puts sandbox-runtime")
	f.StringVar(&o.only, "only", "", "sandboxes with this in their names alone, and none")
	if err := f.Parse(args); err != nil {
		return err
	}
	who, err := become(o.user)
	if err != nil {
		return err
	}
	// Below the home: firejail hides the rest of it and of /tmp where it is told to.
	work, err := os.MkdirTemp(who.home, "peers")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := who.owns(work); err != nil {
		return err
	}
	attacker := filepath.Join(work, "attacker")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "bailey_hostile", "-o", attacker, "./test/hostile/attacker")
	build.Dir, build.Env, build.Stderr = "../..", append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("the attacker cannot be built: %w", err)
	}
	all, err := attempts("../../test/hostile/rows")
	if err != nil {
		return err
	}
	list, err := sandboxes(ctx, o, work, who)
	if err != nil {
		return err
	}
	var tried []column
	var counted []attempt
	for i, s := range list {
		if i > 0 && !strings.Contains(s.Name, o.only) {
			continue
		}
		if s.missing != "" {
			fmt.Fprintf(os.Stderr, "peers: %s is left out: %s\n", s.Name, s.missing)
			continue
		}
		which := all
		if len(tried) > 0 {
			which = counted
		}
		c, err := s.try(ctx, attacker, work, who, which)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if len(tried) == 0 {
			// What does not succeed without a sandbox says nothing about one.
			for i, a := range all {
				if c.Answers[i].passed(a) {
					counted = append(counted, a)
				}
			}
			c.Answers = slices.DeleteFunc(c.Answers, func(m made) bool {
				return !slices.ContainsFunc(counted, func(a attempt) bool { return a.attack() == m.Attack })
			})
		}
		tried = append(tried, c)
		in, out := c.blocked(counted)
		fmt.Printf("%-44s %3d of %d, outside %2d of %d\n", s.Name, in, len(counted), out, outside(counted))
	}
	// What is kept says nothing of where this machine has things.
	plain := strings.NewReplacer(work, "{work}", absolute(o.bin)+string(filepath.Separator), "", "node "+absolute(o.npm)+cli, "srt", absolute(o.npm)+cli, "cli.js", who.home, "{home}")
	if o.out != "" {
		b, err := json.MarshalIndent(map[string]any{"machine": rows.Machine(), "columns": tried}, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.out, []byte(plain.Replace(string(b))), 0o644); err != nil {
			return err
		}
	}
	if o.md != "" {
		return os.WriteFile(o.md, []byte(plain.Replace(page(tried, counted))), 0o644)
	}
	return nil
}

// absolute is a path as it is from the root, or as it was given.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// person is whom the attempts are made as.
type person struct {
	cred *syscall.Credential // nil: this process's own
	home string
	uid  int
	gid  int
}

func become(name string) (person, error) {
	if os.Geteuid() != 0 {
		home, err := os.UserHomeDir()
		return person{home: home, uid: -1}, err
	}
	u, err := user.Lookup(name)
	if err != nil {
		return person{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil || uid == 0 {
		return person{}, fmt.Errorf("-user must be an ordinary user with a home: %w", err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return person{}, err
	}
	return person{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, u.HomeDir, uid, gid}, nil
}

func (p person) owns(path string) error {
	if p.cred == nil {
		return nil
	}
	return os.Chown(path, p.uid, p.gid)
}

func (p person) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"HOME=" + p.home, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	return cmd
}

// column is what came of all attempts under one sandbox.
type column struct {
	Sandbox sandbox `json:"sandbox"`
	Answers []made  `json:"answers"`
}

func (c column) blocked(counted []attempt) (all, out int) {
	for i, a := range counted {
		if c.Answers[i].passed(a) {
			continue
		}
		all++
		if a.reach == "outside" {
			out++
		}
	}
	return all, out
}

func outside(as []attempt) (n int) {
	for _, a := range as {
		if a.reach == "outside" {
			n++
		}
	}
	return n
}

// try makes the attempts, after one that must succeed in every sandbox: else it
// would be its failure to start that blocks.
func (s sandbox) try(ctx context.Context, attacker, work string, who person, which []attempt) (column, error) {
	type peer struct {
		Attack string            `json:"attack"`
		Argv   []string          `json:"argv"`
		Env    []string          `json:"env,omitempty"`
		Files  map[string]string `json:"files,omitempty"`
		Grant  string            `json:"grant,omitempty"`
		Data   string            `json:"data,omitempty"`
	}
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, a := range append([]attempt{{name: honest}}, which...) {
		if err := lines.Encode(peer{a.attack(), s.Command, nil, s.Files, s.Grant, s.Data}); err != nil {
			return column{}, err
		}
	}
	cmd := who.command(ctx, attacker, "peers")
	cmd.Env = append(cmd.Env, "TMPDIR="+work, "HOSTILE_SECRET=1")
	cmd.Dir, cmd.Stdin, cmd.Stderr = work, &in, os.Stderr
	b, err := cmd.Output()
	if err != nil {
		return column{}, err
	}
	c := column{Sandbox: s}
	out := json.NewDecoder(bytes.NewReader(b))
	for {
		var m made
		if err := out.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			return column{}, err
		}
		c.Answers = append(c.Answers, m)
	}
	if len(c.Answers) != len(which)+1 {
		return column{}, fmt.Errorf("%d answers to %d attempts", len(c.Answers), len(which)+1)
	}
	if first := c.Answers[0]; !first.passed(attempt{name: honest}) {
		return column{}, fmt.Errorf("the program does not do its honest work there: %+v", first)
	}
	c.Answers = c.Answers[1:]
	return c, nil
}

// honest is an attempt to do nothing but what the program is for.
const honest = "read the grant"

// version is what a program says of itself, in one line.
func version(ctx context.Context, argv ...string) (string, error) {
	b, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return cmp.Or(line, "unknown"), err
}
