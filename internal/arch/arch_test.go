package arch

import (
	"os"
	"strings"
	"testing"
)

// TestHouseRules holds the tree against every rule.
func TestHouseRules(t *testing.T) {
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) < 50 {
		t.Fatalf("only %d files were found", len(tr.files))
	}
	used := map[exception]bool{}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, v := range sorted(r.check(tr)) {
				if e, ok := excepted(r.name, v); ok {
					used[e] = true
					continue
				}
				t.Errorf("%s\n\t(%s)", v, r.why)
			}
		})
	}
	for _, e := range exceptions() {
		if !used[e] {
			t.Errorf("the exception %v excepts nothing any more", e)
		}
		if e.reason == "" {
			t.Errorf("the exception %v has no reason", e)
		}
	}
}

func excepted(rule string, v violation) (exception, bool) {
	for _, e := range exceptions() {
		if e.rule == rule && under(v.path, e.path) && strings.Contains(v.what, e.what) {
			return e, true
		}
	}
	return exception{}, false
}
