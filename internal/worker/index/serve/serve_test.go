package serve

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// wire is the core's end of a stream; gone makes sends fail.
type wire struct {
	sent [][]byte
	gone bool
}

func (w *wire) Send(m []byte) error {
	if w.gone {
		return errs.New(errs.CoreUnavailable, "test")
	}
	w.sent = append(w.sent, append([]byte(nil), m...))
	return nil
}

// call goes through the generated routes, so that every message is validated.
func call(t *testing.T, root string, m *rpc.Method, in proto.Message, w *wire) error {
	t.Helper()
	s := New(index.Config{Root: func() (*dirfd.Dir, error) { return dirfd.Open(root) }, DB: t.TempDir(),
		Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	defer s.Close()
	request, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	route, ok := rpc.NewMux(indexv1.IndexServiceRoutes(s)).Find(m.Number)
	if !ok {
		t.Fatal("no route")
	}
	return route.Stream(t.Context(), request, w)
}

func folder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"README.md":       "# Boats\n\nThis folder is about boats and harbours of the north.\n",
		"harbour.md":      "# Harbour\n\nThe harbour closes at nine in the evening.\n",
		"bad\xff\nname":   "The lighthouse keeper lives on the rock all year.\n",
		"picture.png":     "\x89PNG\r\n",
		"licence/LICENSE": mit,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var grant = bytes.Repeat([]byte{7}, 16)

func TestAsk(t *testing.T) {
	w := &wire{}
	err := call(t, folder(t), indexv1.IndexServiceAskMethod(), &indexv1.AskRequest{Grant: grant, Question: "When does the harbour close?", MaxSentences: 2}, w)
	if err != nil {
		t.Fatal(err)
	}
	var sentences, skipped int
	var done *indexv1.Done
	for _, m := range w.sent {
		r := &indexv1.AskResponse{}
		if err := proto.Unmarshal(m, r); err != nil {
			t.Fatal(err)
		}
		switch e := r.Event.(type) {
		case *indexv1.AskResponse_Sentence:
			if sentences++; sentences == 1 {
				c := e.Sentence.Citations[0]
				if string(c.Path) != "harbour.md" || c.Line != 3 || c.Quote != "The harbour closes at nine in the evening." || e.Sentence.Section != indexv1.Section_SECTION_ANSWER {
					t.Errorf("%v", e.Sentence)
				}
			}
		case *indexv1.AskResponse_Skipped:
			skipped += len(e.Skipped.Skipped)
		case *indexv1.AskResponse_Done:
			done = e.Done
		}
	}
	if sentences == 0 || skipped != 1 || done == nil || done.Engine != index.Engine || done.Usage.Files != 4 {
		t.Errorf("%d sentences, %d skipped, %v", sentences, skipped, done)
	}
}

func TestNothingFoundIsDoneAlone(t *testing.T) {
	w := &wire{}
	if err := call(t, folder(t), indexv1.IndexServiceAskMethod(), &indexv1.AskRequest{Grant: grant, Question: "Which Kubernetes version?"}, w); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.sent {
		r := &indexv1.AskResponse{}
		if err := proto.Unmarshal(m, r); err != nil {
			t.Fatal(err)
		}
		if r.GetSentence() != nil {
			t.Errorf("answered: %v", r)
		}
	}
}

func TestSummarize(t *testing.T) {
	w := &wire{}
	if err := call(t, folder(t), indexv1.IndexServiceSummarizeMethod(), &indexv1.SummarizeRequest{Grant: grant}, w); err != nil {
		t.Fatal(err)
	}
	var paths []string
	var done *indexv1.Done
	for _, m := range w.sent {
		r := &indexv1.SummarizeResponse{}
		if err := proto.Unmarshal(m, r); err != nil {
			t.Fatal(err)
		}
		if s := r.GetSentence(); s != nil {
			paths = append(paths, string(s.Citations[0].Path))
		}
		if r.GetDone() != nil {
			done = r.GetDone()
		}
	}
	all := strings.Join(paths, "|")
	if !strings.HasPrefix(all, "README.md") || !strings.Contains(all, "bad\xff\nname") || strings.Contains(all, "LICENSE") {
		t.Errorf("sentences of %q", all)
	}
	if done == nil || len(done.Licences) != 1 || done.Licences[0].Name != "MIT" {
		t.Errorf("%v", done)
	}
}

func TestClientGone(t *testing.T) {
	root := folder(t)
	for i := range 100 {
		if err := os.Symlink("nowhere", filepath.Join(root, fmt.Sprint("link", i))); err != nil {
			t.Fatal(err)
		}
	}
	err := call(t, root, indexv1.IndexServiceAskMethod(), &indexv1.AskRequest{Grant: grant, Question: "harbour?"}, &wire{gone: true})
	if errs.CodeOf(err) != errs.CoreUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestTooLongAPathIsCut(t *testing.T) {
	s := skipped(doc.Skip(strings.Repeat("a", 2*limits.WalkPath), doc.TooDeep))
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

const mit = `MIT License

Copyright (c) 2020 The Boat Authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`
