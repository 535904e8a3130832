package index

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
)

// endless is a file that grows as fast as it is read.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A PDF is hashed with beats, up to the size that is read, and no longer than anybody
// waits for it.
func TestDigest(t *testing.T) {
	for _, n := range []int{0, 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		data := bytes.Repeat([]byte{7}, n)
		sum, beats := sha256.New(), 0
		want := sha256.Sum256(data)
		if err := digest(t.Context(), sum, bytes.NewReader(data), func() { beats++ }); err != nil || !bytes.Equal(sum.Sum(nil), want[:]) || beats != n>>20+1 {
			t.Errorf("%d bytes: %v, %d beats", n, err, beats)
		}
	}
	read := &io.LimitedReader{R: endless{}, N: 2 * limits.PDFFile}
	if err := digest(t.Context(), io.Discard, read, func() {}); !errors.Is(err, errGrew) || 2*limits.PDFFile-read.N > limits.PDFFile+1<<20 {
		t.Errorf("%v, %d left", err, read.N)
	}
	if err := digest(t.Context(), io.Discard, io.LimitReader(endless{}, limits.PDFFile), func() {}); err != nil {
		t.Errorf("the largest: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	beats := 0
	err := digest(ctx, io.Discard, endless{}, func() {
		if beats++; beats == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || beats != 3 {
		t.Errorf("%v after %d beats", err, beats)
	}
}
