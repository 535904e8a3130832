package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
)

// wheel is an open wheel. Members are found by their whole name and must have
// the size that is expected, so nothing that the archive says decides where
// something is written or how much.
type wheel struct {
	*zip.ReadCloser
}

// openWheel opens the one wheel of a distribution that lies in dir.
func openWheel(dir, name string) (*wheel, error) {
	found, err := filepath.Glob(filepath.Join(dir, name+"-*.whl"))
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d wheels of %s instead of one", len(found), name)
	}
	z, err := zip.OpenReader(found[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", found[0], err)
	}
	return &wheel{z}, nil
}

// copy returns what writes a member of exactly size bytes.
func (w *wheel) copy(name string, size int64) (func(io.Writer) error, error) {
	for _, f := range w.File {
		if f.Name != name {
			continue
		}
		if f.UncompressedSize64 != uint64(size) {
			return nil, fmt.Errorf("%s has %d bytes, not %d", name, f.UncompressedSize64, size)
		}
		return func(out io.Writer) error {
			r, err := f.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			// One more than there may be, so that the checksum behind the data is read.
			n, err := io.Copy(out, io.LimitReader(r, size+1))
			if err == nil && n != size {
				err = fmt.Errorf("%s gave %d bytes, not %d", name, n, size)
			}
			return err
		}, nil
	}
	return nil, fmt.Errorf("no %s in it", name)
}

// read returns a member whose size and digest are known.
func (w *wheel) read(name string, size int64, sum string) ([]byte, error) {
	write, err := w.copy(name, size)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	if err := write(b); err != nil {
		return nil, err
	}
	if got := sha256.Sum256(b.Bytes()); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("%s has sha256 %x, not %s", name, got, sum)
	}
	return b.Bytes(), nil
}
