package main

import (
	"path/filepath"
	"testing"
)

func TestJunk(t *testing.T) {
	j, err := openJunk(filepath.Join(t.TempDir(), "none.json"))
	if err != nil {
		t.Fatal(err)
	}
	j.labels["Tooling for monitoring."] = "good"
	for _, c := range []struct {
		sentence, file, line string
		junk                 bool
	}{
		{"Prometheus includes a local on-disk time series database.", "docs/storage.md", "", false},
		{"tmux - terminal multiplexer", "man1/tmux.1.gz", "", false},
		{"tmux - terminal multiplexer", "notes.txt", "", true},
		{"# A zone is read again when it changed.", "a.yml", "", false},
		{"Compaction will create larger blocks containing data spanning up to 10% of the retention time.", "a.md", "", false},
		{"Tooling for monitoring.", "a.md", "", false}, // by hand
		{"Copyright 2018 The Prometheus Authors, all of them who are named.", "a.go", "", true},
		{"IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY DIRECT DAMAGES.", "a.txt", "", true},
		{"The authors are listed in this file that follows.", "doc/x/copyright", "", true},
		{"Do not crash when run-shell produces output from a config file.", "CHANGELOG.md", "* Do not crash when run-shell", true},
		{"This release is the last one that reads the old format.", "CHANGELOG.md", "This release is the last", false},
		{"[BUGFIX] Fix flag validation of Alertmanager URL. #123", "a.md", "", true},
		{"| -h | Show context-sensitive help. |", "a.md", "", true},
		{"Command Line Shell For SQLite", "cli.html", "", true},
		{"Returns all time series with the metric named up:", "a.md", "", true},
		{"if err != nil { return err };", "a.go", "", true},
		{"ssh [-46Aa] [-B bind_interface] [-b bind_address]", "a.txt", "", true},
		{"-v Produce more verbose output.", "a.1", "", true},
		{"Table of Contents and other things that are in here.", "a.html", "", true},
		{"In the first two examples, it tries to be smart about labels.", "a.md", "", true},
		{"Or, if the largest key is in use then another is chosen.", "a.html", "", true},
		{"For a full example of adding data, see the example in the docs.", "a.md", "", true},
		{"The first two-hour block is kept in memory until it is full.", "a.md", "", false},
		{"See https://example.org for the release notes.", "a.md", "", true},
	} {
		if why := j.why(c.sentence, c.file, c.line); (why != "") != c.junk {
			t.Errorf("%q of %s: %q, want junk=%v", c.sentence, c.file, why, c.junk)
		}
	}
}

// Every collection has topics that a reader of it can find there: each is said
// somewhere in its text, in more than one file or sentence.
func TestTopicsAreInTheText(t *testing.T) {
	topics, err := loadTopics("topics.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range collections() {
		files, err := loadCollection(filepath.Join("collections", c))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(topics[c]); n < 15 || n > 25 {
			t.Errorf("%s: %d topics", c, n)
		}
		for _, topic := range topics[c] {
			n := 0
			for _, f := range files {
				n += len(topic.re.FindAllStringIndex(f.whole.text, 3))
			}
			if n < 2 {
				t.Errorf("%s: %s is said %d times", c, topic.name, n)
			}
		}
	}
}

func TestPeerSummaries(t *testing.T) {
	files := []*source{}
	for name, text := range map[string]string{
		"a.md": "# Title\n\nThe database stores samples in blocks on the disk. It compacts blocks of samples in the background.",
		"b.md": "Blocks of samples on the disk are removed by the database later. Nothing here.",
	} {
		s := &source{file: name, text: text}
		s.paras = extract(name, text)
		files = append(files, s)
	}
	first := firstSentences(files, 5)
	if len(first) != 2 || first[0].Text != "The database stores samples in blocks on the disk." || first[0].Line != 3 {
		t.Errorf("first sentences: %+v", first)
	}
	if got := textRank(files, 2); len(got) != 2 || got[0].File == "" {
		t.Errorf("TextRank: %+v", got)
	}
}
