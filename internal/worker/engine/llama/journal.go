package llama

import (
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/bailey-run/bailey/internal/limits"
)

// journal keeps what the library said last, of warnings and errors, and what it
// said it took of a device's memory.
type journal struct {
	mu    sync.Mutex
	lines []string
	// device is the name whose buffers are added up in took, by what they hold.
	device string
	took   map[string]float64
}

// Levels, as the library numbers them: info, warn, error, and one that goes on
// with the line before.
const (
	levelInfo  = 2
	levelWarn  = 3
	levelError = 4
)

func (j *journal) add(level int32, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if level == levelInfo && j.device != "" {
		j.buffer(text)
	}
	if level != levelWarn && level != levelError {
		return
	}
	j.lines = append(j.lines, strings.TrimSpace(text))
	if n := len(j.lines) - limits.EngineLogLines; n > 0 {
		j.lines = j.lines[n:]
	}
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines, j.device, j.took = nil, "", nil
}

// watch adds up from now on what a device's buffers take.
func (j *journal) watch(device string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.device, j.took = device, map[string]float64{}
}

// buffer reads "load_tensors:  Vulkan0 model buffer size =  11.76 MiB": the
// library has no other way to say it. The scratch buffer may be made more than
// once, each time in the place of the one before; what holds weights or a cache
// adds up.
func (j *journal) buffer(text string) {
	f := strings.Fields(text)
	if len(f) != 8 || f[1] != j.device || f[3] != "buffer" || f[4] != "size" || f[5] != "=" || f[7] != "MiB" {
		return
	}
	size, err := strconv.ParseFloat(f[6], 64)
	if err != nil || size < 0 {
		return
	}
	if what := f[2]; what == "compute" {
		j.took[what] = max(j.took[what], size)
	} else {
		j.took[what] += size
	}
}

// taken is how many bytes the watched device has given.
func (j *journal) taken() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := 0.0
	for _, v := range j.took {
		sum += v
	}
	// It counts in MiB.
	return uint64(math.Ldexp(sum, 20))
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
