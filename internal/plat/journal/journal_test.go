//go:build linux

package journal

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func TestSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := Send(path, Field{"MESSAGE", "x"}); errs.CodeOf(err) != errs.NotSupported {
		t.Fatal(err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := Send(path, Field{"MESSAGE", "hello = world"}, Field{"A_1", ""}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != "MESSAGE=hello = world\nA_1=\n" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	// A journal that does not read does not hold us up for long.
	for range 10_000 {
		if err = Send(path, Field{"MESSAGE", "x"}); err != nil {
			break
		}
	}
	if errs.CodeOf(err) != errs.NotSupported || err == nil {
		t.Errorf("a full queue: %v", err)
	}
}

func TestFields(t *testing.T) {
	for _, f := range []Field{
		{"", "x"}, {"_PID", "1"}, {"message", "x"}, {"A B", "x"}, {"A=B", "x"},
		{"MESSAGE", "a\nPRIORITY=0"}, {"MESSAGE", "a\x00"}, {"MESSAGE", strings.Repeat("a", limits.JournalDatagram)},
	} {
		if b, err := encode([]Field{f}); err == nil {
			t.Errorf("%q", b)
		}
	}
}
