package llama

import (
	"strings"
	"sync"

	"github.com/bailey-run/bailey/internal/limits"
)

// journal keeps what the library said last, of warnings and errors.
type journal struct {
	mu    sync.Mutex
	lines []string
}

// Levels, as the library numbers them: warn, error, and one that goes on with
// the line before.
const (
	levelWarn  = 3
	levelError = 4
)

func (j *journal) add(level int32, text string) {
	if level != levelWarn && level != levelError {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, strings.TrimSpace(text))
	if n := len(j.lines) - limits.EngineLogLines; n > 0 {
		j.lines = j.lines[n:]
	}
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = nil
}

// last is the last line that says more than that something failed.
func (j *journal) last() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.lines) - 1; i >= 0; i-- {
		if l := j.lines[i]; l != "" && !strings.HasSuffix(l, "failed to load model") {
			return l
		}
	}
	return "no reason was given"
}

// memory reports whether something could not be allocated.
func (j *journal) memory() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.Contains(l, "allocate") || strings.Contains(l, "bad_alloc") {
			return true
		}
	}
	return false
}
