package supervise

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// libraryDir is where `make engine` puts the inference library.
var libraryDir = filepath.Join("..", "..", "build", "engine")

func libraries(t *testing.T) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(libraryDir, "*.so*"))
	return err == nil && len(found) > 0
}

// withLibrary puts the inference library beside the programs, where every user
// can read it.
func withLibrary(t *testing.T) Config {
	t.Helper()
	const missing = "no inference library in build/engine; `make engine` fetches it"
	if *prebuilt == "" && !libraries(t) {
		t.Skip(missing)
	}
	c := programs(t)
	c.EngineDir = filepath.Join(filepath.Dir(c.EngineDir), "library")
	if *prebuilt != "" {
		if _, err := os.Stat(c.EngineDir); err != nil {
			t.Skip(missing)
		}
		return c
	}
	if err := os.CopyFS(c.EngineDir, os.DirFS(libraryDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.EngineDir, 0o755); err != nil {
		t.Fatal(err)
	}
	return c
}

// model writes a generated model and opens it for reading.
func model(t *testing.T, g *gguf.File) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "model.gguf")
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Write(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// loaded starts an engine and has it load a model.
func loaded(t *testing.T, s *Supervisor, f *os.File, q *enginev1.LoadRequest) (*Worker, capability.Handle) {
	t.Helper()
	w, err := s.Start(t.Context(), "engine", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	i, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	q.Size = uint64(i.Size())
	in, err := enginev1.NewEngineServiceClient(w.Conn).Load(ipc.WithFiles(t.Context(), f), q)
	for err == nil {
		_, err = in.Recv()
	}
	if err != io.EOF {
		t.Fatalf("load: %v; %s", err, w.Words())
	}
	h, err := w.Put(t.Context(), capability.Row{Kind: policyv1.Kind_KIND_MODEL_RUN}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return w, h
}

func generate(ctx context.Context, w *Worker, h capability.Handle, most uint32) (tokens uint32, err error) {
	in, err := enginev1.NewEngineServiceClient(w.Conn).Generate(ctx, &enginev1.GenerateRequest{
		Grant: h[:], Text: "Once upon a time", MaxTokens: most, Sampling: &enginev1.Sampling{Seed: 1},
	})
	for err == nil {
		var m *enginev1.GenerateResponse
		if m, err = in.Recv(); err == nil {
			tokens += m.GetPiece().GetTokens()
		}
	}
	if err == io.EOF {
		err = nil
	}
	return tokens, err
}

// TestEngineWorks has a real engine do everything that its service offers, under
// the strict filter: a call that the library needs and the filter lacks shows
// here.
func TestEngineWorks(t *testing.T) {
	c := withLibrary(t)
	s := New(c)
	w, h := loaded(t, s, model(t, gguf.Llama(gguf.Shape{Name: "talker", Context: 1024, Embed: 64, Layers: 2, FF: 128, Heads: 4, KVHeads: 4, Vocabulary: 600, Seed: 5})),
		&enginev1.LoadRequest{Role: modelv1.Role_ROLE_COMPLETION, Parallel: 3, Threads: 2})
	t.Logf("sealed after %v", w.Ready)
	if n, err := generate(t.Context(), w, h, 64); err != nil || n == 0 {
		t.Errorf("%d tokens, %v; %s", n, err, w.Words())
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if n, err := generate(t.Context(), w, h, 64); err != nil || n == 0 {
				t.Errorf("beside others: %d tokens, %v", n, err)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := generate(ctx, w, h, 64); err == nil {
		t.Error("a cancelled generation succeeded")
	}
	if r, err := enginev1.NewEngineServiceClient(w.Conn).Stats(t.Context(), &enginev1.StatsRequest{Grant: h[:]}); err != nil || r.GetMemory() == 0 {
		t.Errorf("%v, %v", r, err)
	}

	e, h := loaded(t, s, model(t, gguf.Embedding(7)), &enginev1.LoadRequest{Role: modelv1.Role_ROLE_EMBEDDING, Threads: 2})
	for _, background := range []bool{false, true} {
		in, err := enginev1.NewEngineServiceClient(e.Conn).Embed(t.Context(), &enginev1.EmbedRequest{Grant: h[:], Texts: []string{"one text", "another"}, Background: background})
		n := 0
		for ; err == nil; n++ {
			_, err = in.Recv()
		}
		if err != io.EOF || n != 3 {
			t.Errorf("background %v: %d vectors, %v; %s", background, n-1, err, e.Words())
		}
	}

	// A process that does not run is ended like any other.
	if err := unix.Kill(e.PID(), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { e.Kill(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Second):
		t.Error("a stopped engine was there after a second")
		<-ended
	}
}
