package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

func TestRun(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	for _, name := range []string{library, "lvp_icd.x86_64.json"} {
		if err := os.WriteFile(filepath.Join(with, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	none := func() (string, error) {
		return "", errs.New(errs.NotSupported, "test").With("this system has none")
	}
	card := func() (string, error) { return "/dev/dri/renderD128", nil }
	const passed = "--- PASS: TestGraphicsWrites (1.00s)\n--- PASS: TestChat (1.00s)\n"
	for _, c := range []struct {
		name         string
		find         func() (string, error)
		drivers, dir string
		software     bool
		output       string
		fails        error
		want         int
		says         string
		ran          bool
	}{
		{"no card", none, with, with, false, passed, nil, 2, "gpu-test: not run: no graphics card here: this system has none\n", false},
		{"no library", card, with, without, false, passed, nil, 2, "`make engine GPU=vulkan`", false},
		{"a card", card, without, with, false, passed, nil, 0, "gpu-test: on /dev/dri/renderD128\n", true},
		{"a test fails", card, with, with, false, "", errors.New("exit status 1"), 1, "failed: exit status 1", true},
		{"all left out", card, with, with, false, "--- SKIP: TestGraphicsWrites (0.00s)\n", nil, 2, "left out", true},
		{"software is not used by itself", none, with, with, false, passed, nil, 2, "no graphics card here", false},
		{"software", none, with, with, true, passed, nil, 0, "Vulkan on the processor, no graphics card\n", true},
		{"no software", none, without, with, true, passed, nil, 2, "no lavapipe here", false},
	} {
		var out bytes.Buffer
		var env []string
		got := run(context.Background(), &out, machine{c.find, c.drivers, c.dir, func(_ context.Context, say io.Writer, e []string) error {
			env = e
			fmt.Fprint(say, c.output)
			return c.fails
		}}, c.software)
		if got != c.want || !strings.Contains(out.String(), c.says) || (env != nil) != c.ran {
			t.Errorf("%s: %d %q %v", c.name, got, out.String(), env)
		}
		// A card is never shown through a software driver's settings.
		if c.ran && slices.Contains(env, "GGML_VK_VISIBLE_DEVICES=0") != c.software {
			t.Errorf("%s: %v", c.name, env)
		}
	}
}
