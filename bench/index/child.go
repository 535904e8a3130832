package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// child reads dir twice, the second time with nothing changed, and writes how
// that went.
func child(ctx context.Context, dir, db string, out io.Writer) error {
	x, err := index.Open(ctx, index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open(dir) }, DB: db, Remembered: true, Name: "bench",
		Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer x.Close()
	update := func() (index.Usage, float64, error) {
		start := time.Now()
		u, err := x.Update(ctx, func(index.Progress) {}, func([]doc.Skipped) {})
		return u, time.Since(start).Seconds(), err
	}
	u, seconds, err := update()
	if err != nil {
		return err
	}
	_, again, err := update()
	if err != nil {
		return err
	}
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{
		"files": u.Files, "bytes": u.Bytes, "chunks": u.Chunks, "skipped": u.Skipped,
		"seconds": seconds, "again_seconds": again, "peak_bytes": peak, "stored_bytes": folderSize(db),
	})
}

// peakMemory is VmHWM, not getrusage: what that counts begins before exec, with
// the memory of the process that started this one.
func peakMemory() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for _, l := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			var kb int64
			if _, err := fmt.Sscan(v, &kb); err != nil {
				return 0, err
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("no VmHWM in /proc/self/status")
}

func folderSize(dir string) (n int64) {
	// What cannot be read counts nothing: the figure only informs.
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

func machine() map[string]any {
	m := map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU()}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m["load"] = strings.Fields(string(b))[0]
	}
	return m
}
