package ipc

import (
	"context"
	"testing"

	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// BenchmarkInvoke is a call of 200 bytes within one process; bench/wire
// measures it between two, beside others.
func BenchmarkInvoke(b *testing.B) {
	r := unary(1, core, echo)
	c, _ := pair(b, r)
	body := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Invoke(context.Background(), r.Method, body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream is one message of 200 bytes.
func BenchmarkStream(b *testing.B) {
	body := make([]byte, 200)
	r := streaming(1, core, func(_ context.Context, _ []byte, out rpc.Sender) error {
		for {
			if err := out.Send(body); err != nil {
				return err
			}
		}
	})
	c, _ := pair(b, r)
	in, err := c.Open(context.Background(), r.Method, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Recv(); err != nil {
			b.Fatal(err)
		}
	}
}
