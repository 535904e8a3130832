package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Whichever process is killed, at whatever moment, nothing is left after
// a second (held at ten), the log verifies, and the next run works.
func TestKillAnyProcessAtAnyMoment(t *testing.T) {
	moments := 20
	if testing.Short() {
		moments = 8
	}
	rng := rand.New(rand.NewPCG(26, 1))
	for _, victim := range []string{"bailey", "bailey-core", "bailey-worker"} {
		t.Run(victim, func(t *testing.T) {
			p := newPlace(t)
			p.many(400)
			// How long a run takes here, to choose moments within one.
			begin := time.Now()
			if _, errs, code := p.bailey("summarize", p.folder, "--allow-read", p.folder); code != 0 {
				t.Fatalf("control: %d %s", code, errs)
			}
			whole := time.Since(begin)
			killed := 0
			for range moments {
				p.gone(wait)
				cmd := p.command("summarize", p.folder, "--allow-read", p.folder)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- cmd.Wait() }()
				moment := time.NewTimer(time.Duration(rng.Int64N(int64(whole))))
				select {
				case <-moment.C:
				case <-done:
					done <- nil
				}
				var workers []int
				for _, pid := range p.ours() {
					kids, err := proc.Children(pid)
					if err == nil && pid != cmd.Process.Pid {
						workers = append(workers, kids...)
					}
				}
				if p.kill(victim, cmd.Process.Pid, workers) {
					killed++
				}
				select {
				case <-done:
				case <-time.After(wait):
					t.Fatal("the command hangs")
				}
				p.gone(10 * time.Second)
				for _, w := range workers {
					p.until(10*time.Second, "worker "+itoa(w)+" to be gone", func() bool { return !proc.Alive(w) })
				}
				p.verified()
			}
			t.Logf("killed %d of %d times", killed, moments)
			if 4*killed < moments {
				t.Fatalf("only %d of %d moments met the process: the test shows little", killed, moments)
			}
			p.mustAnswer()
			p.verified()
		})
	}
}

func (p *place) kill(victim string, cli int, workers []int) bool {
	pids := workers
	switch victim {
	case "bailey":
		pids = []int{cli}
	case "bailey-core":
		pids = nil
		for _, pid := range p.ours() {
			if pid != cli {
				pids = append(pids, pid)
			}
		}
	}
	hit := false
	for _, pid := range pids {
		err := syscall.Kill(pid, syscall.SIGKILL)
		if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, os.ErrProcessDone) {
			p.t.Fatal(err)
		}
		hit = hit || err == nil
	}
	return hit
}
