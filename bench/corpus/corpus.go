// Package corpus makes folders of text for the benchmarks out of the
// collections that bench/answers asks questions about, so that words, sentence
// lengths and markup are those of real documents.
package corpus

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

// Text is one file of the collections, unpacked.
type Text struct {
	Name string
	Data []byte
}

// Load reads all files below dir.
func Load(dir string) ([]Text, error) {
	var all []Text
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
		all = append(all, Text{strings.TrimSuffix(rel, ".gz"), b})
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no text", dir)
	}
	return all, err
}

// Copies writes the texts below dir, over and over, until size bytes are
// there; each copy ends with a line of its own, so that no two files are the
// same. It returns how many bytes were written.
func Copies(dir string, texts []Text, size int64) (int64, error) {
	var n int64
	for i := 0; n < size; i++ {
		for _, t := range texts {
			path := filepath.Join(dir, fmt.Sprintf("copy%04d", i), t.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return n, err
			}
			b := fmt.Appendf(append([]byte(nil), t.Data...), "\ncopy %d of this\n", i)
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

// Small writes n files of one paragraph each, some 300 bytes.
func Small(dir string, texts []Text, n int) error {
	var paras [][]byte
	for _, t := range texts {
		if !strings.HasSuffix(t.Name, ".md") {
			continue
		}
		for _, p := range bytes.Split(t.Data, []byte("\n\n")) {
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

// Mixed writes n Markdown files of at least size bytes each: a title of its
// own and paragraphs of the collections' Markdown, taken in a fixed order that
// begins elsewhere in every file, each with a line that no other file has.
func Mixed(dir string, texts []Text, n, size int) error {
	var paras [][]byte
	for _, t := range texts {
		if !strings.HasSuffix(t.Name, ".md") {
			continue
		}
		for _, p := range bytes.Split(t.Data, []byte("\n\n")) {
			if len(bytes.TrimSpace(p)) > 0 {
				paras = append(paras, p)
			}
		}
	}
	if len(paras) == 0 {
		return fmt.Errorf("no paragraphs for mixed files")
	}
	at := 0
	for i := range n {
		d := filepath.Join(dir, fmt.Sprintf("part%03d", i/perFolder))
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		b := fmt.Appendf(nil, "# Notes, part %d\n", i)
		for len(b) < size {
			b = append(append(b, '\n'), paras[at%len(paras)]...)
			b = append(b, '\n')
			at++
		}
		b = fmt.Appendf(b, "\nPart %d of these notes ends here.\n", i)
		if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("notes%05d.md", i)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
