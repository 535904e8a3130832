package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// text is one file of the collections, unpacked.
type text struct {
	name string
	data []byte
}

func loadTexts(dir string) ([]text, error) {
	var all []text
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if b, err = io.ReadAll(z); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all = append(all, text{strings.TrimSuffix(rel, ".gz"), b})
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no text", dir)
	}
	return all, err
}

// writeCopies writes the texts below dir, over and over, until size bytes are
// there; each copy ends with a line of its own, so that no two files are the
// same. It returns how many bytes were written.
func writeCopies(dir string, texts []text, size int64) (int64, error) {
	var n int64
	for i := 0; n < size; i++ {
		for _, t := range texts {
			path := filepath.Join(dir, fmt.Sprintf("copy%04d", i), t.name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return n, err
			}
			b := fmt.Appendf(append([]byte(nil), t.data...), "\ncopy %d of this\n", i)
			if err := os.WriteFile(path, b, 0o644); err != nil {
				return n, err
			}
			if n += int64(len(b)); n >= size {
				break
			}
		}
	}
	return n, nil
}

// perFolder is how many small files one folder holds.
const perFolder = 100

// writeSmall writes n files of one paragraph each, some 300 bytes.
func writeSmall(dir string, texts []text, n int) error {
	var paras [][]byte
	for _, t := range texts {
		if !strings.HasSuffix(t.name, ".md") {
			continue
		}
		for _, p := range bytes.Split(t.data, []byte("\n\n")) {
			if len(p) >= 100 && len(p) <= 600 {
				paras = append(paras, p)
			}
		}
	}
	if len(paras) == 0 {
		return fmt.Errorf("no paragraphs for small files")
	}
	for i := range n {
		d := filepath.Join(dir, fmt.Sprintf("d%05d", i/perFolder))
		if i%perFolder == 0 {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		b := fmt.Appendf(append([]byte(nil), paras[i%len(paras)]...), "\n\nNote %d stands here.\n", i)
		if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("note%06d.md", i)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
