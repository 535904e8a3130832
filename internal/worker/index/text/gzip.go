package text

import (
	"bufio"
	"compress/gzip"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// isGzip knows a gzip member by its magic and its only method (RFC 1952).
func isGzip(head []byte) bool {
	return len(head) > 2 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8
}

// counter counts what was read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

type unpacker struct {
	in *bufio.Reader
	z  *gzip.Reader
}

// unpack reads a gzip file, all its members, up to the limits. What is packed
// twice stays packed: then it is binary.
func (u *unpacker) unpack(buf []byte, r io.Reader) (string, doc.Reason) {
	packed := &counter{r: r}
	if u.in == nil {
		// gzip reads from a bufio.Reader without a buffer of its own, so the
		// count is at most this much ahead.
		u.in = bufio.NewReaderSize(nil, limits.TextPackedRead)
		u.z = new(gzip.Reader)
	}
	u.in.Reset(packed)
	defer u.in.Reset(nil)
	z := u.z
	if err := z.Reset(u.in); err != nil {
		return "", doc.Damaged
	}
	var b strings.Builder
	for {
		n, err := z.Read(buf)
		if b.Len() == 0 && n > 0 {
			if reason := sniff(buf[:min(n, limits.TextSniff)]); reason != doc.Read {
				return "", reason
			}
		}
		b.Write(buf[:n])
		if size := int64(b.Len()); size > limits.TextFile || size > limits.TextUnpackFree && size > packed.n*limits.TextUnpackRatio {
			return "", doc.Archive
		}
		if err == io.EOF {
			return b.String(), doc.Read
		}
		if err != nil {
			return "", doc.Damaged
		}
	}
}
