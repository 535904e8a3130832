//go:build bailey_hostile

package main

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// Race is what came of swapping the granted directories while workers start.
type Race struct {
	Swaps int64 `json:"swaps"`
	// Starts are workers that started, Refused those that did not because a
	// directory was not the one that was opened any more.
	Starts  int `json:"starts"`
	Refused int `json:"refused"`
	// Escapes are workers that saw another directory than the core had opened.
	Escapes int      `json:"escapes"`
	Seen    []string `json:"seen"`
	// Control are escapes of a program that checks a name, then opens it.
	Control int `json:"control"`
}

// minStarts is how many starts a race makes at least: with a worker that took
// whatever it finds at the path, one in three would see another directory.
const minStarts = 100

// controlTries is how often the control checks and opens beside each start; it
// takes a few microseconds.
const controlTries = 50

// race grants directories whose names an attacker swaps, as fast as it can,
// for other directories and for links to them.
func race(arg, mode string) error {
	want, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return err
	}
	s, err := newScene("who")
	if err != nil {
		return err
	}
	defer s.Close()
	s.opened = map[string]*os.File{}
	for target, path := range map[string]string{"/grant": s.Grant, "/db": s.Data} {
		if s.opened[target], err = openPath(path); err != nil {
			return err
		}
		s.closers = append(s.closers, s.opened[target])
	}
	if err := os.Mkdir(s.base+"/evil", 0o700); err != nil {
		return err
	}
	for dir, text := range map[string]string{s.Grant: "granted", s.Data: "own data", s.base + "/evil": "evil"} {
		// Readable by all: in the worker's own directory only what the worker
		// made is the worker's, when the core is root.
		if err := os.WriteFile(dir+"/who", []byte(text), 0o644); err != nil {
			return err
		}
	}
	var swaps atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for i, victim := range []string{s.Grant, s.Data} {
		link, dir := s.base+"/link"+strconv.Itoa(i), s.base+"/dir"+strconv.Itoa(i)
		if err := errors.Join(os.Symlink(s.base+"/evil", link), os.Mkdir(dir, 0o700), os.WriteFile(dir+"/who", []byte("evil"), 0o644)); err != nil {
			return err
		}
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				other := link
				if n/2%2 == 1 {
					other = dir
				}
				// Each swap there is followed by one back.
				if unix.Renameat2(unix.AT_FDCWD, victim, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE) == nil {
					swaps.Add(1)
				}
			}
		})
	}
	var res Race
	for swaps.Load() < want || res.Starts+res.Refused < minStarts || res.Control == 0 {
		if err := res.try(s, mode); err != nil {
			return err
		}
	}
	res.Swaps = swaps.Load()
	return json.NewEncoder(os.Stdout).Encode(res)
}

// try starts one worker on what the names are at that moment, and makes one
// attempt of the control.
func (res *Race) try(s *scene, mode string) error {
	for range controlTries {
		var st unix.Stat_t
		if unix.Lstat(s.Grant, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR ||
			unix.Lstat(s.Grant+"/who", &st) != nil || st.Size != int64(len("granted")) {
			continue
		}
		if b, err := os.ReadFile(s.Grant + "/who"); err == nil && string(b) == "evil" {
			res.Control++
		}
	}
	h, err := Run{Attack: "who", Kind: "index", Mode: mode}.start(s)
	if h == nil {
		switch errs.CodeOf(err) {
		case errs.FolderChanged, errs.FolderClosed, errs.FolderNotDir:
			res.Refused++
			return nil
		}
		// What bubblewrap refuses is tried at level 2.
		if errors.Is(err, errLevel) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			res.Refused++
			return nil
		}
		return err
	}
	defer h.conn.Close()
	defer h.stderr.Close()
	if err != nil {
		return err
	}
	if err := h.begin(); err != nil {
		return err
	}
	a, err := h.receive()
	if err != nil {
		return err
	}
	res.Starts++
	if a.Got != "granted,own data" {
		res.Escapes++
		res.Seen = append(res.Seen, a.Got)
	}
	h.kill()
	<-h.proc.Done()
	return nil
}
