package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// list writes a list of packages.
func list(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPackages(t *testing.T) {
	for _, c := range []struct {
		name      string
		root      bool
		installed string
		noDebian  bool
		fail      string
		want      int
		says      string
		ran       []string
	}{
		{name: "all there", installed: "a installed\nb installed\n"},
		{name: "one is missing, and an ordinary user is told", installed: "a installed\n", want: missingSome, says: "apt install b"},
		{name: "removed, with its configuration left", installed: "a installed\nb config-files\n", want: missingSome, says: "apt install b"},
		{name: "root installs what is missing", root: true, installed: "b installed\n", says: "installing a",
			ran: []string{"apt-get update -qq", "apt-get install -qq -y --no-install-recommends a"}},
		{name: "root without a network goes on", root: true, fail: "update", want: missingSome, says: "goes on without", ran: []string{"apt-get update -qq"}},
		{name: "no Debian", noDebian: true, want: missingSome, says: "no Debian"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ran []string
			m := machine{root: c.root, run: func(_ context.Context, argv ...string) (string, error) {
				if argv[0] == "dpkg-query" {
					if c.noDebian {
						return "", errors.New("not found")
					}
					if argv[1] == "--version" {
						return "1", nil
					}
					return c.installed, errors.New("exit status 1")
				}
				ran = append(ran, strings.Join(argv, " "))
				if argv[1] == c.fail {
					return "", errors.New("exit status 100")
				}
				return "", nil
			}}
			var say strings.Builder
			got := doMain(t.Context(), []string{"-for", "windows", list(t, "# of two\na   # why\n\nb\n")}, &say, m)
			if got != c.want || !strings.Contains(say.String(), c.says) || !slices.Equal(ran, c.ran) {
				t.Errorf("ended with %d, ran %q, said %q", got, ran, say.String())
			}
		})
	}
}
