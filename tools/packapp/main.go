// Command packapp packs the files of an app into the archive that the core
// serves it from, and prints its SHA-256, which the core is linked with. Two runs
// over the same files make the same bytes.
//
//	packapp DIR FILE    packs DIR into FILE
//	packapp -flags DIR  prints the linker's flags for the archives in DIR
//
// It refuses what the core would refuse: names that are not plain, types that
// are not served, links, too much.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/apps"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "packapp:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 2 && args[0] == "-flags" {
		return flags(args[1], out)
	}
	if len(args) != 2 {
		return errors.New("usage: packapp DIR FILE, or packapp -flags DIR")
	}
	b, err := pack(args[0])
	if err != nil {
		return err
	}
	// The core's own reader is the judge.
	_, err = apps.Read(apps.App{ID: args[0], Name: args[0]}, bytes.NewReader(b), digest(b))
	if err != nil {
		return fmt.Errorf("the core would refuse it: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(args[1]), 0o755); err != nil {
		return err
	}
	next := args[1] + ".new"
	if err := os.WriteFile(next, b, 0o644); err != nil {
		return err
	}
	if err := os.Rename(next, args[1]); err != nil {
		return err
	}
	fmt.Fprintln(out, digest(b))
	return nil
}

// flags prints a -X for each app whose archive is there.
func flags(dir string, out io.Writer) error {
	for _, a := range apps.All() {
		b, err := os.ReadFile(filepath.Join(dir, a.ID+".tar"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "-X github.com/bailey-run/bailey/internal/release.%s=%s\n", a.ID, digest(b))
	}
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// pack makes the archive: regular files, in the order of their names, without
// times, owners and modes of this machine.
func pack(dir string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	// WalkDir goes through names in order.
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if !d.Type().IsRegular() || !apps.Clean(name) {
			return fmt.Errorf("%s: not a plain file with a plain name", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(b)), Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = w.Close()
	return buf.Bytes(), err
}
