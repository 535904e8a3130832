package llama

import (
	"fmt"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
)

func TestJournal(t *testing.T) {
	j := &journal{}
	j.add(levelError, "unknown model architecture: 'x'\n")
	j.add(levelError, "llama_model_load_from_file_impl: failed to load model\n")
	j.add(2, "information")
	if got := j.last(); got != "unknown model architecture: 'x'" {
		t.Errorf("%q", got)
	}
	if j.memory() {
		t.Error("an unknown architecture is no want of memory")
	}
	for i := range limits.EngineLogLines {
		j.add(levelWarn, fmt.Sprint("line ", i))
	}
	if len(j.lines) != limits.EngineLogLines || j.lines[0] != "line 0" {
		t.Errorf("%d lines from %q", len(j.lines), j.lines[0])
	}
	j.add(levelError, "ggml_aligned_malloc: failed to allocate 9 MB")
	if !j.memory() {
		t.Error("a failed allocation was not seen")
	}
	j.reset()
	if j.memory() || j.last() != "no reason was given" {
		t.Error("something was kept")
	}
}

// The lines are those of llama.cpp v0.5.0 on a device.
func TestJournalAddsUpADevice(t *testing.T) {
	j := &journal{}
	lines := []string{
		"load_tensors:      Vulkan0 model buffer size =     0.50 MiB\n",
		"load_tensors:   CPU_Mapped model buffer size =     9.00 MiB\n",
		"llama_kv_cache:    Vulkan0 KV buffer size =     0.25 MiB\n",
		"llama_kv_cache:    Vulkan0 KV buffer size =     0.25 MiB\n",
		"sched_reserve:    Vulkan0 compute buffer size =     3.00 MiB\n",
		"sched_reserve:    Vulkan0 compute buffer size =     2.00 MiB\n",
		"sched_reserve: Vulkan_Host compute buffer size =     2.26 MiB\n",
		"~llama_context:    Vulkan0 compute buffer size is   3.0098 MiB, matches expectation of   3.0098 MiB\n",
		"x: Vulkan0 KV buffer size = -1 MiB\n",
	}
	for _, l := range lines {
		j.add(levelInfo, l)
	}
	if n := j.taken(); n != 0 {
		t.Errorf("nothing was watched: %d", n)
	}
	j.watch("Vulkan0")
	for _, l := range lines {
		j.add(levelInfo, l)
	}
	if n := j.taken(); n != 4<<20 {
		t.Errorf("%d bytes", n)
	}
	if j.reset(); j.taken() != 0 {
		t.Error("a reset keeps it")
	}
}
