// Command errorsdoc writes docs/errors.md from the error table of package errs,
// so that the page and what a person is shown cannot differ. A test holds the
// committed page against it.
//
//	go run ./tools/errorsdoc docs/errors.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
)

func main() { os.Exit(doMain(os.Args[1:])) }

func doMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: errorsdoc FILE")
		return 2
	}
	if err := os.WriteFile(args[0], []byte(page(errs.Table())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "errorsdoc:", err)
		return 1
	}
	return 0
}

// page is the whole document.
func page(table []errs.Entry) string {
	var b strings.Builder
	b.WriteString(`# Errors

Every error that Bailey shows has a code that never changes. With ` + "`--json`" + ` it is
` + "`" + `{"error":{"code":…,"message":…,"hint":…}}` + "`" + `, and the exit code is that of its group. This page is
generated from the table that the programs use (` + "`make generate`" + `).

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line cannot be understood |
| 3 | not allowed |
| 4 | something that must not change was changed |
| 5 | not available now or here |
`)
	for _, e := range table {
		fmt.Fprintf(&b, "\n## %s\n\n%s (exit code %d)\n\n%s\n", e.Code, sentence(e.Sentence), e.Exit, e.Page)
		if e.Hint != "" {
			fmt.Fprintf(&b, "\nWhat you can do: %s.\n", strings.TrimSuffix(e.Hint, "."))
		}
	}
	return b.String()
}

func sentence(s string) string { return "**" + strings.TrimSuffix(s, ".") + ".**" }
