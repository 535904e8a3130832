// Command syspackages sees to the Debian packages that lists name: what is missing
// it installs as root, and names for anybody else. It ends with 0 when nothing is
// missing any more, with 3 when something is, and with 1 or 2 when it could not
// look.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(doMain(ctx, os.Args[1:], os.Stderr, machine{root: os.Geteuid() == 0, run: run}))
}

// machine is what the command does things with.
type machine struct {
	root bool
	// run runs a program and returns what it printed.
	run func(ctx context.Context, argv ...string) (string, error)
}

func run(ctx context.Context, argv ...string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}

const missingSome = 3

func doMain(ctx context.Context, args []string, say io.Writer, m machine) int {
	fs := flag.NewFlagSet("syspackages", flag.ContinueOnError)
	fs.SetOutput(say)
	what := fs.String("for", "", "what the packages are for, said where they are missing")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	var want []string
	for _, name := range fs.Args() {
		b, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(say, "syspackages:", err)
			return 1
		}
		want = append(want, parse(string(b))...)
	}
	missing, err := m.missing(ctx, want)
	if err != nil {
		fmt.Fprintf(say, "%s: this is no Debian; see %s for what is needed\n", *what, strings.Join(fs.Args(), ", "))
		return missingSome
	}
	if len(missing) == 0 {
		return 0
	}
	list := strings.Join(missing, " ")
	if !m.root {
		fmt.Fprintf(say, "%s: these Debian packages are missing, and it goes on without: %s\n  as root: apt install %s\n", *what, list, list)
		return missingSome
	}
	fmt.Fprintf(say, "%s: installing %s (some minutes)\n", *what, list)
	for _, argv := range [][]string{
		{"apt-get", "update", "-qq"},
		append([]string{"apt-get", "install", "-qq", "-y", "--no-install-recommends"}, missing...),
	} {
		if out, err := m.run(ctx, argv...); err != nil {
			fmt.Fprintf(say, "%s%s: apt-get %s failed (%v), and it goes on without\n", out, *what, argv[1], err)
			return missingSome
		}
	}
	return 0
}

// parse reads a list: a package a line, what follows a # is for people.
func parse(list string) []string {
	var out []string
	for line := range strings.Lines(list) {
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// missing returns those of the packages that are not installed; an error where
// there is no dpkg.
func (m machine) missing(ctx context.Context, want []string) ([]string, error) {
	// dpkg-query fails when one of the packages is unknown to it, and lists the
	// others all the same.
	out, err := m.run(ctx, append([]string{"dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n"}, want...)...)
	if err != nil && out == "" {
		if _, err := m.run(ctx, "dpkg-query", "--version"); err != nil {
			return nil, err
		}
	}
	var have []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), " installed"); ok {
			have = append(have, name)
		}
	}
	return slices.DeleteFunc(want, func(p string) bool { return slices.Contains(have, p) }), nil
}
