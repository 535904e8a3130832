package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
)

// chat models that are measured: all but the tiny one.
func (b *bench) chats() []model {
	out := append([]model(nil), b.generated[:len(b.generated)-1]...)
	if b.smol.path != "" {
		out = append(out, b.smol)
	}
	return out
}

func (b *bench) tiny() model { return b.generated[len(b.generated)-1] }

// large is the largest generated model of this run.
func (b *bench) large() model { return b.generated[max(0, len(b.generated)-2)] }

// with loads a model in each arm, runs f, and unloads it.
func with(ctx context.Context, arms []arm, o order, f func() error) error {
	o.Do = "load"
	for _, a := range arms {
		got, err := a.do(ctx, o)
		if err != nil {
			return err
		}
		if o.Threads > 0 && got.Threads > 0 && got.Threads != o.Threads {
			return fmt.Errorf("%s has %d threads, not %d", a.name(), got.Threads, o.Threads)
		}
	}
	err := f()
	for _, a := range arms {
		_, e := a.do(ctx, order{Do: "unload"})
		err = errors.Join(err, e)
	}
	return err
}

// turns lets each arm do the order, in another sequence each time.
func turns(ctx context.Context, arms []arm, n int, make func() order, take func(arm, answer)) error {
	for i := range n {
		for j := range arms {
			a := arms[(i+j)%len(arms)]
			got, err := a.do(ctx, make())
			if err != nil {
				return err
			}
			take(a, got)
		}
	}
	return nil
}

// speed: tokens a second at equal threads. Each arm loads the model anew several
// times: where its pages come to lie makes one load a tenth faster than the next.
func (b *bench) speed(ctx context.Context) error {
	for _, m := range b.chats() {
		for _, threads := range []int{1, 2}[:b.n(2, 1)] {
			var peers []string
			for range b.n(3, 1) {
				var err error
				if peers, err = b.speedOnce(ctx, m, threads); err != nil {
					return err
				}
			}
			for _, peer := range peers {
				target := map[string]string{"in-process": ">= 0.98 of it", "node-llama-cpp": ">= 1 of it"}[peer]
				b.beside(fmt.Sprintf("%s: reading a prompt, %d threads", m.name, threads), speedRaw(m, "read", threads), "tok/s", target, peer)
				b.beside(fmt.Sprintf("%s: writing, %d threads", m.name, threads), speedRaw(m, "write", threads), "tok/s", target, peer)
			}
		}
	}
	return nil
}

func speedRaw(m model, what string, threads int) string {
	return fmt.Sprintf("%s %s %d", m.name, what, threads)
}

// speedOnce measures one load of each arm, and names the peers.
func (b *bench) speedOnce(ctx context.Context, m model, threads int) (peers []string, err error) {
	arms, stop, err := b.arms(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	for _, a := range arms[1:] {
		peers = append(peers, a.name())
	}
	read, write := b.n(512, 96), b.n(96, 12)
	return peers, with(ctx, arms, order{Path: m.path, Threads: threads, Context: 2048}, func() error {
		// One turn of each is not counted: pages and caches.
		if err := turns(ctx, arms, 1, func() order { return order{Do: "generate", Prompt: b.prompt(b.n(64, 16)), Most: b.n(8, 2)} }, func(arm, answer) {}); err != nil {
			return err
		}
		return turns(ctx, arms, b.n(3, 1), func() order { return order{Do: "generate", Prompt: b.prompt(read), Most: write} }, func(a arm, got answer) {
			b.add(speedRaw(m, "read", threads)+" "+a.name(), got.read())
			b.add(speedRaw(m, "write", threads)+" "+a.name(), got.wrote())
		})
	})
}

// busy: the default number of threads, on a quiet machine and with every core
// busy with something else.
func (b *bench) busy(ctx context.Context) error {
	m := b.large()
	for _, busy := range []bool{false, true} {
		what := map[bool]string{false: "default threads", true: "default threads, all cores busy"}[busy]
		arms, stop, err := b.arms(ctx)
		if err != nil {
			return err
		}
		quiet := func() {}
		if busy {
			if quiet, err = b.spinning(ctx); err != nil {
				return err
			}
		}
		for _, a := range arms {
			// One after the other: two that compute at once would be busy for each
			// other. A peer that collapses is not waited for.
			slow, cancel := context.WithTimeout(ctx, 4*time.Minute)
			err := with(slow, []arm{a}, order{Path: m.path, Context: 2048}, func() error {
				return turns(slow, []arm{a}, b.n(3, 1), func() order { return order{Do: "generate", Prompt: b.prompt(b.n(128, 32)), Most: b.n(48, 6)} }, func(a arm, got answer) {
					b.add("read "+what+" "+a.name(), got.read())
					b.add("write "+what+" "+a.name(), got.wrote())
				})
			})
			cancel()
			if err != nil && a.name() == "bailey" {
				quiet()
				return errors.Join(err, stop())
			}
			if err != nil {
				b.note(a.name()+", "+what, err.Error())
			}
		}
		quiet()
		if err := stop(); err != nil {
			b.note("ended", err.Error())
		}
		for _, peer := range arms[1:] {
			b.beside(m.name+": reading, "+what, "read "+what, "tok/s", ">= 1 of node-llama-cpp", peer.name())
			b.beside(m.name+": writing, "+what, "write "+what, "tok/s", ">= 1 of node-llama-cpp", peer.name())
		}
	}
	return nil
}

// cold: from nothing (the core runs) to the first token.
func (b *bench) cold(ctx context.Context) error {
	for _, m := range b.chats() {
		o := order{Path: m.path, Context: 2048}
		for range b.n(15, 2) {
			began := time.Now()
			p, err := b.inProcess(ctx)
			if err != nil {
				return err
			}
			o.Do = "load"
			if _, err := p.do(ctx, o); err != nil {
				return err
			}
			if _, err := p.do(ctx, order{Do: "generate", Prompt: b.prompt(16), Most: 1}); err != nil {
				return err
			}
			b.add(m.name+" cold in-process", since(began))
			if err := p.close(); err != nil {
				return err
			}
			if err := b.bailey.use(ctx, m.path); err != nil {
				return err
			}
			began = time.Now()
			o.Do = "start"
			if _, err := b.bailey.do(ctx, o); err != nil {
				return err
			}
			if _, err := b.bailey.do(ctx, order{Do: "generate", Prompt: b.prompt(16), Most: 1}); err != nil {
				return err
			}
			b.add(m.name+" cold bailey", since(began))
			if _, err := b.bailey.do(ctx, order{Do: "unload"}); err != nil {
				return err
			}
		}
		b.beside(m.name+": cold start to the first token", m.name+" cold", "ms", "<= in-process + 30", "in-process")
	}
	return nil
}

// overhead: what a token costs beyond the library's work. By the clock on a model
// that costs next to nothing, where four processes and threads share the machine;
// by the clock on one that costs something, where they do not wait for each
// other; and in processor time of all of Bailey's processes.
func (b *bench) overhead(ctx context.Context) error {
	arms, stop, err := b.arms(ctx)
	if err != nil {
		return err
	}
	defer stop()
	arms = arms[:2]
	for _, m := range []model{b.tiny(), b.generated[0]} {
		tokens := b.n(1500, 200)
		if m != b.tiny() {
			tokens = b.n(300, 16)
		}
		err = with(ctx, arms, order{Path: m.path, Threads: 1, Context: 2048}, func() error {
			spent := map[string]float64{}
			before := func(a arm) error {
				v, err := b.processor(ctx, a)
				spent[a.name()] = v
				return err
			}
			for i := range b.n(15, 3) {
				for j := range arms {
					a := arms[(i+j)%len(arms)]
					if err := before(a); err != nil {
						return err
					}
					got, err := a.do(ctx, order{Do: "generate", Prompt: b.prompt(16), Most: tokens})
					if err != nil {
						return err
					}
					v, err := b.processor(ctx, a)
					if err != nil {
						return err
					}
					b.add(m.name+" token "+a.name(), 1e6/got.wrote())
					b.add(m.name+" token's processor "+a.name(), (v-spent[a.name()])*1e6/float64(got.Out))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.beside(m.name+": a token", m.name+" token", "µs", "", "in-process")
		over := func(what string) float64 {
			return rows.Median(b.p.Raw[m.name+what+" bailey"]) - rows.Median(b.p.Raw[m.name+what+" in-process"])
		}
		b.row(rows.New(m.name+": overhead of a token", over(" token"), "µs", "<= 20"))
		b.row(rows.New(m.name+": overhead of a token in processor time, core and engine", over(" token's processor"), "µs", ""))
	}
	return nil
}

// processor is the processor time that an arm's processes have used, seconds; the
// one that asks is not among them.
func (b *bench) processor(ctx context.Context, a arm) (sum float64, err error) {
	pid, err := a.pid(ctx)
	if err != nil {
		return 0, err
	}
	pids := []int{pid}
	if a.name() == b.bailey.name() {
		pids = append(pids, b.bailey.c.PID)
	}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// Behind the name, which may have blanks: state is the third of all.
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		const user, system, second = 14 - 3, 15 - 3, 100
		for _, at := range []int{user, system} {
			var ticks float64
			if _, err := fmt.Sscan(f[at], &ticks); err != nil {
				return 0, err
			}
			sum += ticks / second
		}
	}
	return sum, nil
}

// cancel: until the engine is free again.
func (b *bench) cancel(ctx context.Context) error {
	arms, stop, err := b.arms(ctx)
	if err != nil {
		return err
	}
	defer stop()
	m := b.large()
	return with(ctx, arms, order{Path: m.path, Threads: 1, Context: 4096}, func() error {
		for _, c := range []struct {
			what        string
			prompt      int
			least, most float64
		}{{"in the prompt", b.n(1500, 500), 30, 700}, {"in the text", 8, 200, 900}} {
			for i, a := range arms {
				n := b.n(200, 10)
				if i == 2 {
					n = b.n(5, 1)
				}
				if i == 2 && c.prompt < 100 {
					continue
				}
				for j := range n {
					got, err := a.do(ctx, order{Do: "cancel", Prompt: b.prompt(c.prompt), Most: 2000, After: c.least + (c.most-c.least)*float64(j)/float64(n)})
					if err != nil {
						return err
					}
					b.add("cancel "+c.what+" "+a.name(), got.Took)
				}
			}
			for _, q := range []struct {
				name string
				of   float64
			}{{"p50", 0.5}, {"p99", 0.99}} {
				target := ""
				if q.of > 0.9 {
					target = "<= 50"
				}
				for _, a := range arms[1:] {
					r := rows.New(m.name+": cancelled "+c.what+", "+q.name, rows.Quantile(b.p.Raw["cancel "+c.what+" bailey"], q.of), "ms", target)
					if v := b.p.Raw["cancel "+c.what+" "+a.name()]; len(v) > 0 {
						b.row(r.Beside(a.name(), rows.Quantile(v, q.of)))
					}
				}
			}
		}
		return nil
	})
}

// memory: the engine's beside what the library takes in a process without the
// rest, and the core's, which does not know how large a model is.
func (b *bench) memory(ctx context.Context) error {
	arms, stop, err := b.arms(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, m := range append([]model{b.tiny()}, b.chats()...) {
		err := with(ctx, arms, order{Path: m.path, Threads: 1, Context: 2048}, func() error {
			for _, a := range arms {
				if _, err := a.do(ctx, order{Do: "generate", Prompt: b.prompt(b.n(300, 64)), Most: 16}); err != nil {
					return err
				}
				pid, err := a.pid(ctx)
				if err != nil {
					return err
				}
				rss, err := live.Memory(pid, "VmRSS")
				if err != nil {
					return err
				}
				b.add(m.name+" rss "+a.name(), float64(rss)/1e6)
			}
			got, err := arms[1].do(ctx, order{Do: "memory"})
			if err != nil {
				return err
			}
			b.add(m.name+" rss library", float64(got.RSS-got.Before)/1e6)
			core, err := live.Memory(b.bailey.c.PID, "VmRSS")
			b.add(m.name+" rss core", float64(core)/1e6)
			return err
		})
		if err != nil {
			return err
		}
		b.beside(m.name+": memory of the engine", m.name+" rss", "MB", "<= the library's + 20", "library")
		if len(arms) > 2 {
			b.beside(m.name+": memory of the engine", m.name+" rss", "MB", "", "node-llama-cpp")
		}
		b.row(rows.New(m.name+": memory of the core", rows.Median(b.p.Raw[m.name+" rss core"]), "MB", "the same for each model"))
	}
	return nil
}

// parallel: four conversations at once beside one.
func (b *bench) parallel(ctx context.Context) error {
	for _, m := range b.chats() {
		err := with(ctx, []arm{b.bailey}, order{Path: m.path, Context: 512, Parallel: 4}, func() error {
			for range b.n(7, 1) {
				for _, n := range []int{1, 4} {
					prompts := []string{}
					for range n {
						prompts = append(prompts, b.prompt(8))
					}
					began := time.Now()
					got, err := b.bailey.do(ctx, order{Do: "parallel", Prompts: prompts, Most: b.n(96, 16)})
					if err != nil {
						return err
					}
					b.add(fmt.Sprintf("%s %d at once", m.name, n), float64(got.Out)/time.Since(began).Seconds())
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.row(rows.New(m.name+": four conversations at once", rows.Median(b.p.Raw[m.name+" 4 at once"]), "tok/s", ">= 1.2 of one").
			Beside("one", rows.Median(b.p.Raw[m.name+" 1 at once"])))
	}
	return nil
}

// second: the first token of the second turn of a conversation of 900 tokens.
func (b *bench) second(ctx context.Context) error {
	m := b.large()
	err := with(ctx, []arm{b.bailey}, order{Path: m.path, Context: 2048}, func() error {
		for range b.n(7, 1) {
			first := b.prompt(b.n(900, 300))
			if _, err := b.bailey.do(ctx, order{Do: "generate", Prompt: first, Most: 8}); err != nil {
				return err
			}
			got, err := b.bailey.do(ctx, order{Do: "generate", Prompt: first + text(20), Most: 2})
			if err != nil {
				return err
			}
			b.add("second turn", got.First)
			if got, err = b.bailey.do(ctx, order{Do: "generate", Prompt: b.prompt(b.n(920, 320)), Most: 2}); err != nil {
				return err
			}
			b.add("second turn anew", got.First)
		}
		return nil
	})
	if err != nil {
		return err
	}
	anew, kept := rows.Median(b.p.Raw["second turn anew"]), rows.Median(b.p.Raw["second turn"])
	b.row(rows.New(m.name+": second turn of 900 tokens, to the first token", kept, "ms", "").Beside("without what was kept", anew))
	b.row(rows.New(m.name+": faster by what was kept", anew/kept, "times", ">= 10"))
	return nil
}

// hash: how fast a model is brought in, which is copied, hashed and looked at,
// beside sha256sum, which reads it.
func (b *bench) hash(ctx context.Context) error {
	m := b.large()
	info, err := os.Stat(m.path)
	if err != nil {
		return err
	}
	f, err := os.Open(m.path)
	if err != nil {
		return err
	}
	// The file is in memory for both.
	_, err = io.Copy(sha256.New(), f)
	f.Close()
	if err != nil {
		return err
	}
	mb := float64(info.Size()) / 1e6
	took, err := b.bailey.pull(ctx, m.path)
	if err != nil {
		return err
	}
	b.add("hash bailey", mb/took.Seconds())
	for range b.n(5, 2) {
		began := time.Now()
		if err := exec.CommandContext(ctx, "sha256sum", m.path).Run(); err != nil {
			return err
		}
		b.add("hash sha256sum", mb/time.Since(began).Seconds())
	}
	b.beside("bringing a model in", "hash", "MB/s", ">= 0.9 of it", "sha256sum")
	return nil
}

// chunks are texts like an index's.
func chunks(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("Chunk %d.", i)+strings.Repeat(text(25)+".", 4))
	}
	return out
}

// embed: vectors a second, each arm loading the model anew several times.
func (b *bench) embed(ctx context.Context) error {
	if b.minilm.path == "" {
		return nil
	}
	for _, threads := range []int{1, 2} {
		raw := fmt.Sprintf("embed %d", threads)
		for range b.n(3, 1) {
			if err := b.embedOnce(ctx, raw, threads); err != nil {
				return err
			}
		}
		b.beside(fmt.Sprintf("vectors of chunks of 600 characters, %d threads", threads), raw, "chunks/s", ">= 0.95 of it", "in-process")
	}
	return nil
}

func (b *bench) embedOnce(ctx context.Context, raw string, threads int) error {
	arms, stop, err := b.arms(ctx)
	if err != nil {
		return err
	}
	defer stop()
	arms = arms[:2]
	many := b.n(32, 4)
	next := func() order { return order{Do: "embed", Prompts: chunks(many)} }
	return with(ctx, arms, order{Path: b.minilm.path, Threads: threads, Embedding: true}, func() error {
		if err := turns(ctx, arms, 1, next, func(arm, answer) {}); err != nil {
			return err
		}
		return turns(ctx, arms, b.n(3, 1), next, func(a arm, got answer) {
			b.add(raw+" "+a.name(), float64(many)/got.Last*1e3)
		})
	})
}

// background: a chat beside vectors that nobody waits for.
func (b *bench) background(ctx context.Context) error {
	if b.minilm.path == "" {
		return nil
	}
	m := b.large()
	if b.smol.path != "" {
		m = b.smol
	}
	// The embedding model's grant is in a task of its own.
	if err := b.bailey.use(ctx, b.minilm.path); err != nil {
		return err
	}
	vectors := b.bailey.handle
	err := with(ctx, []arm{b.bailey}, order{Path: m.path, Context: 1024}, func() error {
		for range b.n(7, 1) {
			for _, beside := range []bool{false, true} {
				work, stop := context.WithCancel(ctx)
				var wg sync.WaitGroup
				n, failed := 0, error(nil)
				began := time.Now()
				if beside {
					wg.Go(func() { n, failed = b.bailey.background(work, vectors, chunks(8)) })
				}
				got, err := b.bailey.do(ctx, order{Do: "generate", Prompt: b.prompt(64), Most: b.n(128, 16)})
				stop()
				took := time.Since(began)
				wg.Wait()
				if err = errors.Join(err, failed); err != nil {
					return err
				}
				if beside {
					b.add("chat beside vectors", got.wrote())
					b.add("vectors beside a chat", float64(n)/took.Seconds())
				} else {
					b.add("chat alone", got.wrote())
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.row(rows.New(m.name+": writing beside vectors in the background", rows.Median(b.p.Raw["chat beside vectors"]), "tok/s", ">= 0.9 of alone").
		Beside("alone", rows.Median(b.p.Raw["chat alone"])))
	b.row(rows.New("vectors in the background beside a chat", rows.Median(b.p.Raw["vectors beside a chat"]), "chunks/s", ""))
	return nil
}
