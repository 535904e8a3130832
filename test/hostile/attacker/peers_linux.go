//go:build bailey_hostile

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Peer is one attempt under somebody else's sandbox, or under none. The
// attacker is the last of its arguments, and says what came of it on its standard
// output: no sandbox needs to know of it.
type Peer struct {
	Attack string `json:"attack"`
	// Argv is the sandbox's command, with what stands in for the scene's places:
	// {base} {grant} {data} {host}, and {attacker}, the words that start it. In one
	// that takes a line for a shell {attacker} is part of a word.
	Argv []string `json:"argv"`
	// Env is added to the launcher's environment.
	Env []string `json:"env,omitempty"`
	// Files are written before, by their names; places are named in both.
	Files map[string]string `json:"files,omitempty"`
	// Grant and Data are where the two directories stand inside, if not where they
	// stand outside.
	Grant string `json:"grant,omitempty"`
	Data  string `json:"data,omitempty"`
}

// PeerResult is what came of it. Silent says that the attacker gave no answer:
// it did not start, or was killed.
type PeerResult struct {
	Attack string `json:"attack"`
	answer
	Silent bool   `json:"silent,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// peerTime bounds one attempt; a sandbox that is still there then is killed.
const peerTime = 20 * time.Second

// honestPeer is no attack: it shows that a sandbox lets a program do what it is
// for.
const honestPeer = "read the grant"

// inheritedFD is where a careless caller left a descriptor of /.
const inheritedFD = 10

// peers reads Peers and writes a PeerResult for each.
func peers() error {
	root, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	if err := unix.Dup3(root, inheritedFD, 0); err != nil {
		return err
	}
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var p Peer
		if err := in.Decode(&p); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		res, err := p.do()
		if err != nil {
			res.Failed = err.Error()
		}
		if err := out.Encode(res); err != nil {
			return err
		}
	}
}

func (p Peer) do() (res PeerResult, err error) {
	res.Attack = p.Attack
	s, err := newScene(p.Attack)
	if s != nil {
		defer s.Close()
	}
	if err != nil {
		return res, err
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return res, err
	}
	o := s.order
	if p.Grant != "" {
		o.Grant = p.Grant
	}
	if p.Data != "" {
		o.Data = p.Data
	}
	text, err := json.Marshal(o)
	if err != nil {
		return res, err
	}
	attacker := []string{self, "peer", base64.RawURLEncoding.EncodeToString(text)}
	places := strings.NewReplacer("{base}", s.base, "{grant}", s.Grant, "{data}", s.Data, "{host}", s.Host, "{attacker}", strings.Join(attacker, " "))
	var argv []string
	for _, a := range p.Argv {
		if a == "{attacker}" {
			argv = append(argv, attacker...)
			continue
		}
		argv = append(argv, places.Replace(a))
	}
	for name, content := range p.Files {
		if err := os.WriteFile(places.Replace(name), []byte(places.Replace(content)), 0o644); err != nil {
			return res, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), peerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Dir = s.Grant
	stderr, w, err := stderrFor(p.Attack)
	if err != nil {
		return res, err
	}
	defer stderr.Close()
	defer w.Close()
	cmd.Stderr = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: p.Attack == terminalAttack, Ctty: 2}
	out, answers, err := os.Pipe()
	if err != nil {
		return res, err
	}
	defer out.Close()
	cmd.Stdout = answers
	err = cmd.Start()
	answers.Close()
	if err != nil {
		return res, err
	}
	w.Close()
	// What the attacker leaves behind, or its sandbox, holds the pipe open.
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		out.SetReadDeadline(time.Now().Add(time.Second))
		close(ended)
	}()
	said, _ := io.ReadAll(io.LimitReader(out, 64<<10))
	<-ended
	stderr.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	b, _ := io.ReadAll(io.LimitReader(stderr, 4<<10))
	res.Stderr = string(b)
	if err := endLeftovers(); err != nil {
		return res, err
	}
	// What a sandbox itself says there is not ours; the answer is the last object.
	res.Silent = true
	for line := range strings.Lines(string(said)) {
		var a answer
		if json.Unmarshal([]byte(line), &a) == nil && strings.Contains(line, `"errno"`) {
			res.answer, res.Silent = a, false
		}
	}
	return res, nil
}

// peer is the attacker under somebody else's sandbox.
func peer(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: attacker peer ORDER")
	}
	text, err := base64.RawURLEncoding.DecodeString(args[0])
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	act := func() answer { return read(o.Grant + "/note") }
	if o.Attack != honestPeer {
		if act, err = prepare(o); err != nil {
			return err
		}
	}
	b, err := json.Marshal(act())
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}
