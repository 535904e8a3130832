// Package sqlite3 is the peer of the index: sqlite3's own command line with
// FTS5 (Debian: sqlite3), which reads files whole into one full-text table.
package sqlite3

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Run is how a process of it went.
type Run struct {
	Took, CPU time.Duration
	// Peak is resident memory in bytes.
	Peak int64
}

// Build reads all files below dir into a new database, and returns how many
// there were.
func Build(ctx context.Context, file, dir string) (files int64, r Run, err error) {
	out, r, err := run(ctx, file, fmt.Sprintf(`PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE VIRTUAL TABLE t USING fts5(path UNINDEXED, text, tokenize='porter unicode61');
INSERT INTO t SELECT name, CAST(data AS TEXT) FROM fsdir(%s) WHERE data IS NOT NULL;
SELECT count(*) FROM t;
`, quote(dir)))
	if err != nil {
		return 0, r, err
	}
	lines := strings.Fields(out)
	if len(lines) == 0 {
		return 0, r, fmt.Errorf("sqlite3 said nothing")
	}
	if _, err := fmt.Sscan(lines[len(lines)-1], &files); err != nil {
		return 0, r, fmt.Errorf("sqlite3 said %q: %w", out, err)
	}
	return files, r, nil
}

// Ask starts a process that asks for the best five files and a snippet of each,
// and returns how long it took. query is FTS5's language.
func Ask(ctx context.Context, file, query string) (time.Duration, error) {
	_, r, err := run(ctx, file, fmt.Sprintf("SELECT path, snippet(t, 1, '', '', ' … ', 40) FROM t WHERE t MATCH %s ORDER BY rank LIMIT 5;\n", quote(query)))
	return r.Took, err
}

func run(ctx context.Context, file, script string) (string, Run, error) {
	cmd := exec.CommandContext(ctx, "sqlite3", "-batch", "-bail", file)
	cmd.Stdin = strings.NewReader(script)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	begin := time.Now()
	err := cmd.Run()
	r := Run{Took: time.Since(begin)}
	if err != nil {
		return "", r, fmt.Errorf("sqlite3: %w: %s", err, words.Bytes())
	}
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.Peak = u.Maxrss << 10
	}
	return out.String(), r, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
