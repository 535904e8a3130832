package table_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/table"
)

var update = flag.Bool("update", false, "rewrite testdata/policy.txt; read the difference before you commit it")

// TestPolicyTable compares the policy of every method with a file that a person
// has read. buf breaking sees a removed method; it does not see a weakened
// policy.
func TestPolicyTable(t *testing.T) {
	const golden = "testdata/policy.txt"
	var got bytes.Buffer
	fmt.Fprintln(&got, "# number method kind caller audit unary|stream max-request max-response surfaces")
	for _, m := range table.All() {
		shape := "unary"
		if m.Streaming {
			shape = "stream"
		}
		fmt.Fprintln(&got, m.Number, m.Name, m.Kind, m.Caller, m.Audit, shape, m.MaxRequest, m.MaxResponse, m.Surfaces)
	}
	if *update {
		if os.Getenv("CI") != "" {
			t.Fatal("-update is for a person who reads the difference, not for CI")
		}
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the policy table differs from the one that was reviewed (go test ./internal/wire/table -update).\ngot:\n%s\nwant:\n%s", got.Bytes(), want)
	}
}

// TestPolicyTableIsClosed checks of every row what the generator promises, on
// what it wrote.
func TestPolicyTableIsClosed(t *testing.T) {
	seen := map[uint32]string{}
	for _, m := range table.All() {
		if other, dup := seen[m.Number]; dup || m.Number == 0 {
			t.Errorf("%s: number %d is none or that of %s", m.Name, m.Number, other)
		}
		seen[m.Number] = m.Name
		if m.Kind == 0 || m.Caller == 0 || m.Audit == 0 {
			t.Errorf("%s: policy is unspecified", m.Name)
		}
		if m.MaxRequest <= 0 || m.MaxRequest > limits.MessageMax || m.MaxResponse <= 0 || m.MaxResponse > limits.MessageMax {
			t.Errorf("%s: limits %d, %d", m.Name, m.MaxRequest, m.MaxResponse)
		}
		in, out := m.NewRequest(), m.NewResponse()
		if in == nil || out == nil || in == m.NewRequest() || out == m.NewResponse() {
			t.Errorf("%s: NewRequest and NewResponse have to return fresh messages", m.Name)
		}
		g, grants := in.(rpc.Granted)
		if grants != (m.Kind != policyv1.Kind_KIND_NONE) {
			t.Errorf("%s: kind %s, request names a grant: %v", m.Name, m.Kind, grants)
		}
		if grants {
			handle := bytes.Repeat([]byte{7}, limits.HandleBytes)
			if g.SetGrant(handle); !bytes.Equal(g.GetGrant(), handle) {
				t.Errorf("%s: SetGrant did not set what GetGrant returns", m.Name)
			}
		}
	}
}
