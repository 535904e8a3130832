// Command pdf measures how fast the text of PDFs comes out of a sandboxed pdf worker:
// started by package supervise, with the machine code of its reader made before, and
// asked over a socket as an index worker asks it. Beside it pdftotext, where it is
// installed, turns the same files into text, without a sandbox, in a process for each.
//
//	cd bench/pdf && CGO_ENABLED=0 go run . [-n 8] [-pages 400] [-o FILE]
//
// The files are made: pages of 45 lines of text, packed. The rate is of all turns but
// the first, by the clock and by the processor time that the process took, which a
// busy machine does not change much.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/supervise"
	testpdf "github.com/bailey-run/bailey/internal/testkit/pdf"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() {
	var n, pages int
	os.Exit(live.Main("pdf", func(f *flag.FlagSet) {
		f.IntVar(&n, "n", 8, "turns")
		f.IntVar(&pages, "pages", 400, "pages of the document")
	}, func(ctx context.Context, s live.Stage, dir string) (rows.Part, error) {
		return measure(ctx, s, dir, n, pages)
	}))
}

// document is a book of pages that differ.
func document(pages int) []byte {
	words := strings.Fields("the kettle boils water for tea in a room with a blue door and nobody knows how long it has stood there since the key was lost")
	all := make([][]string, pages)
	for n := range all {
		for p := range 6 {
			var b strings.Builder
			for i := range 95 {
				fmt.Fprintf(&b, "%s%d ", words[(n*7+p*13+i*i)%len(words)], (n+i)%10)
			}
			all[n] = append(all[n], strings.TrimSpace(b.String())+".")
		}
	}
	return testpdf.Text(testpdf.Options{Packed: true, XrefStream: true, Head: "A book", Foot: "Page %d"}, all...)
}

func measure(ctx context.Context, s live.Stage, dir string, n, pages int) (p rows.Part, err error) {
	file := filepath.Join(dir, "book.pdf")
	if err := os.WriteFile(file, document(pages), 0o644); err != nil {
		return p, err
	}
	version, err := s.Release(ctx)
	if err != nil {
		return p, err
	}
	worker, err := os.Open(s.Program(workerspec.WorkerProgram))
	if err != nil {
		return p, err
	}
	defer worker.Close()
	sup := supervise.New(supervise.Config{Programs: map[string]*os.File{workerspec.WorkerProgram: worker}, Release: version, Log: slog.New(slog.DiscardHandler)})
	p.Raw, p.Notes = map[string][]float64{}, map[string]any{"pages": pages}
	w, compiled, err := warm(ctx, sup, dir)
	if err != nil {
		return p, err
	}
	defer w.Kill()
	ask, err := join(ctx, w)
	if err != nil {
		return p, err
	}
	pdftotext, lookErr := exec.LookPath("pdftotext")
	if lookErr != nil {
		p.Notes["peer"] = "pdftotext is not installed (Debian: poppler-utils)"
	}
	for turn := range n + 1 {
		cpu, err := live.CPU(w.PID())
		if err != nil {
			return p, err
		}
		began := time.Now()
		chars, err := ask(ctx, file)
		if err != nil {
			return p, err
		}
		took := time.Since(began).Seconds()
		after, err := live.CPU(w.PID())
		if err != nil {
			return p, err
		}
		p.Notes["characters"] = chars
		if turn > 0 {
			p.Raw["pages/s"] = append(p.Raw["pages/s"], float64(pages)/took)
			p.Raw["pages/CPU s"] = append(p.Raw["pages/CPU s"], float64(pages)/(after-cpu))
		}
		if lookErr != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, pdftotext, file, "-")
		cmd.Stdout = io.Discard
		began = time.Now()
		if err := cmd.Run(); err != nil {
			return p, err
		}
		took = time.Since(began).Seconds()
		if turn > 0 {
			p.Raw["pdftotext pages/s"] = append(p.Raw["pdftotext pages/s"], float64(pages)/took)
			used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			p.Raw["pdftotext pages/CPU s"] = append(p.Raw["pdftotext pages/CPU s"], float64(pages)/used.Seconds())
		}
	}
	row := rows.New("PDF pages read a second, text layer, in the sandbox", rows.Median(p.Raw["pages/s"]), "pages/s", ">= 200")
	row = row.Judged(row.Value >= 200)
	byCPU := rows.New("the same by processor time", rows.Median(p.Raw["pages/CPU s"]), "pages/s", "")
	if lookErr == nil {
		row = row.Beside("pdftotext", rows.Median(p.Raw["pdftotext pages/s"]))
		byCPU = byCPU.Beside("pdftotext", rows.Median(p.Raw["pdftotext pages/CPU s"]))
	}
	p.Rows = []rows.Row{row, byCPU,
		rows.New("start of a pdf worker that compiles its reader", compiled.Seconds(), "s", ""),
		rows.New("start of a pdf worker with the code", w.Ready.Seconds(), "s", ""),
	}
	return p, nil
}

// warm starts a worker with code that another one made, and says how long that took.
func warm(ctx context.Context, sup *supervise.Supervisor, dir string) (*supervise.Worker, time.Duration, error) {
	store, err := codecache.Open(filepath.Join(dir, "code"))
	if err != nil {
		return nil, 0, err
	}
	defer store.Close()
	maker, err := sup.Start(ctx, "pdf", supervise.Options{Ready: limits.PDFReady})
	if err != nil {
		return nil, 0, err
	}
	memory, err := codecache.Blank()
	if err != nil {
		maker.Kill()
		return nil, 0, err
	}
	defer memory.Close()
	r, err := pdfv1.NewPdfServiceClient(maker.Conn).Code(ipc.WithFiles(ctx, memory), &pdfv1.CodeRequest{})
	maker.Kill()
	if err != nil {
		return nil, 0, err
	}
	if err := store.Put("bench", memory, r.GetSize()); err != nil {
		return nil, 0, err
	}
	d, err := store.Get("bench")
	if err != nil {
		return nil, 0, err
	}
	defer d.Close()
	w, err := sup.Start(ctx, "pdf", supervise.Options{Mounts: []sandbox.Mount{{Target: "/cache", Dir: d.Dir, Path: d.Path}}})
	return w, maker.Ready, err
}

// join returns how the worker is asked for the text of a file, and how many
// characters came.
func join(ctx context.Context, w *supervise.Worker) (func(ctx context.Context, name string) (int, error), error) {
	h, err := w.Put(ctx, capability.Row{Kind: policyv1.Kind_KIND_FILE_READ}, "", clock.System{}.Boot())
	if err != nil {
		return nil, err
	}
	one, two, err := ipc.Socket()
	if err != nil {
		return nil, err
	}
	defer one.Close()
	conn, err := ipc.FromFile(two)
	if err != nil {
		return nil, err
	}
	c := ipc.New(conn, ipc.Options{Gone: errs.WorkerCrashed})
	if _, err := pdfv1.NewPdfServiceClient(w.Conn).Serve(ipc.WithFiles(ctx, one), &pdfv1.ServeRequest{Handle: h[:]}); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	peer := pdfv1.NewPdfServiceClient(c)
	return func(ctx context.Context, name string) (chars int, err error) {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		in, err := peer.Text(ipc.WithFiles(ctx, f), &pdfv1.TextRequest{Grant: h[:]})
		if err != nil {
			return 0, err
		}
		defer in.Close()
		for {
			m, err := in.Recv()
			if err == io.EOF {
				return chars, nil
			}
			if err != nil {
				return chars, err
			}
			if m.GetUnread() != 0 {
				return chars, fmt.Errorf("it was not read: %v", m.GetUnread())
			}
			for _, p := range m.GetParagraphs() {
				chars += len(p.GetText())
			}
		}
	}, nil
}
