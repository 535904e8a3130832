package main

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// child reads dir twice, the second time with nothing changed, and writes how
// that went.
func child(ctx context.Context, dir, db string, out io.Writer) error {
	x, err := index.Open(ctx, index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open(dir) }, DB: db, Remembered: true,
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
	cpu, err := live.CPU(os.Getpid())
	if err != nil {
		return err
	}
	_, again, err := update()
	if err != nil {
		return err
	}
	peak, err := live.Memory(os.Getpid(), "VmHWM")
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{
		"files": u.Files, "bytes": u.Bytes, "chunks": u.Chunks, "skipped": u.Skipped,
		"seconds": seconds, "cpu_seconds": cpu, "again_seconds": again, "peak_bytes": peak, "stored_bytes": folderSize(db),
	})
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
