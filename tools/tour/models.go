package main

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// models says which models the tour may use, and by which digests.
type models struct {
	embedding, chat string
	sums            map[string]string
	// missing says why steps with models are left out; empty = they are not.
	missing string
}

const (
	modelDirectory = "build/models"
	digests        = "packaging/models/SHA256SUMS"
	library        = "bin/engine"
)

// lookForModels sees what `make model` and `make build` have made.
func lookForModels(root string) (models, error) {
	m := models{embedding: "all-minilm-l6-v2-q8_0", chat: "smollm2-135m-instruct-q4_1", sums: map[string]string{}}
	f, err := os.Open(filepath.Join(root, digests))
	if err != nil {
		return m, err
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		m.sums[name] = sum
	}
	if err := errors.Join(lines.Err(), f.Close()); err != nil {
		return m, err
	}
	if found, err := filepath.Glob(filepath.Join(root, library, "*.so*")); err != nil || len(found) == 0 {
		m.missing = "the engine's library is not in " + library + " (`make engine` gets it)"
		return m, err
	}
	for _, name := range []string{m.embedding, m.chat} {
		if _, err := os.Stat(filepath.Join(root, m.file(name))); err != nil {
			m.missing = "the models are not in " + modelDirectory + " (`make model` fetches them)"
		}
	}
	return m, nil
}

func (m models) file(name string) string { return filepath.Join(modelDirectory, name+".gguf") }

// pull brings a model in by its digest, so that nobody is asked.
func (m models) pull(name string) []string {
	return []string{"model", "pull", m.file(name), "--sha256", m.sums[name+".gguf"]}
}

func (m models) steps() []step {
	return []step{
		{needs: true, why: "Bring in a model that finds by meaning. --sha256 pins exactly this file; without it Bailey shows what it is and asks.",
			args: m.pull(m.embedding)},
		{needs: true, why: "And one to chat with. Each runs in an engine process of its own that sees no file and no network.",
			args: m.pull(m.chat)},
		{needs: true, why: "What is there, what it is for, and who allowed it.",
			args: []string{"model", "list"}},
		{needs: true, why: "The same question with the embedding model: it finds by meaning; the words are still the documents' own.",
			args: []string{"ask", folder, question, "--allow-read", folder, "--allow-model", m.embedding}},
		{needs: true, why: "One turn of a chat, streamed. The model is very small: it writes English and knows little.",
			args: []string{"chat", m.chat, "--system", "You are a helpful assistant.", "--prompt", hello}},
	}
}
