//go:build bailey_hostile

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// foreignMode is the mode of a run in which a program that knows nothing of
// Bailey makes the call: its name in the attacker's directory, and as the last
// part the layer that is left out, if any.
const foreignMode = "foreign:"

// foreignArgs are the words of a row's call as programs/call.c takes them.
func foreignArgs(text string, o order) ([]string, error) {
	var args []string
	dirs := strings.NewReplacer("$grant", o.Grant, "$data", o.Data, "$host", o.Host)
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if q, err := strconv.QuotedPrefix(text); err == nil {
			s, err := strconv.Unquote(q)
			if err != nil {
				return nil, err
			}
			args, text = append(args, "s:"+s), text[len(q):]
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		text = rest
		switch {
		case word == "$core":
			args = append(args, strconv.Itoa(o.Core))
		case word == "$zeros":
			args = append(args, "z")
		case strings.HasPrefix(word, "$"):
			args = append(args, "s:"+dirs.Replace(word))
		default:
			args = append(args, word)
		}
	}
	return args, nil
}

// foreign runs a program in the sandbox of a kind.
func (r Run) foreign() (res Result, err error) {
	res.Run = r
	spec, ok := workerspec.For(r.Kind)
	if !ok {
		return res, fmt.Errorf("no kind %q", r.Kind)
	}
	s, err := newScene(r.Attack)
	if s != nil {
		defer s.Close()
	}
	if err != nil {
		return res, err
	}
	name, without, _ := strings.Cut(strings.TrimPrefix(r.Mode, foreignMode), ":")
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return res, err
	}
	program, err := os.Open(own + "-" + name)
	if err != nil {
		return res, err
	}
	defer program.Close()
	taken, err := sandbox.TakeProgram(context.Background(), program, spec)
	if err != nil {
		return res, err
	}
	defer taken.Close()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return res, err
	}
	defer self.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return res, err
	}
	conn, theirs := os.NewFile(uintptr(pair[0]), "core"), os.NewFile(uintptr(pair[1]), "worker")
	defer conn.Close()
	defer theirs.Close()
	stderr, w, err := os.Pipe()
	if err != nil {
		return res, err
	}
	defer stderr.Close()
	defer w.Close()
	spec = spec.Foreign()
	mounts, free, err := s.mounts(spec)
	if err != nil {
		return res, err
	}
	defer free()
	spec = sandbox.Narrow(spec, mounts)
	o := s.order
	o.Grant, o.Data = inside(spec, false), inside(spec, true)
	args, err := foreignArgs(strings.TrimPrefix(r.Attack, "call "), o)
	if err != nil {
		return res, err
	}
	c := sandbox.Config{Spec: spec, Worker: taken.File, Stub: self, Conn: theirs, Stderr: w, Mounts: mounts,
		Foreign: &sandbox.Foreign{Argv: append([]string{name, spec.Kind}, args...)}}
	if without != "" {
		c = c.Without(workerspec.Layer(without))
	}
	p, err := sandbox.Start(context.Background(), c)
	if err != nil {
		return res, err
	}
	theirs.Close()
	w.Close()
	timer := time.AfterFunc(10*time.Second, func() { p.Kill() })
	defer timer.Stop()
	text, err := io.ReadAll(io.LimitReader(stderr, 64<<10))
	if err != nil {
		return res, err
	}
	e, err := p.Wait(context.Background())
	if err != nil {
		return res, err
	}
	res.Killed, res.Forbidden = e.Signal, e.Forbidden
	if res.Killed != 0 {
		return res, nil
	}
	if name == "sweep" && e.Code == 7 {
		res.Got = string(text)
		return res, nil
	}
	if _, err := fmt.Sscanf(string(text), "errno %d", &res.Errno); err != nil || e.Code != 7 {
		return res, fmt.Errorf("exit code %d: %q", e.Code, text)
	}
	return res, nil
}
