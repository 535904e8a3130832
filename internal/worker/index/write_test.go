package index

import (
	"context"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// author writes one sentence, after something else happened.
type author struct {
	says  string
	first func()
	asked int
}

func (a *author) Context() int                  { return 0 }
func (a *author) Digest() (d [sha256.Size]byte) { return d }

func (a *author) Write(_ context.Context, _, _ string, _ int, emit func(string) error) (written.Tokens, error) {
	a.asked++
	if a.first != nil {
		a.first()
	}
	return written.Tokens{}, emit(a.says)
}

// What a model says of a file belongs to the bytes that it was told of, also when
// another call finds the file changed while the model writes.
func TestWordsBelongToTheBytes(t *testing.T) {
	const one, two = "# Gardens\n\nPotatoes are planted in April every year.\n", "# Gardens\n\nPotatoes are planted in autumn every year.\n"
	root := t.TempDir()
	x := openIndex(t, root, t.TempDir(), true)
	tell := func(a *author) []string {
		t.Helper()
		s, err := x.Summarize(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		if _, err := x.Write(t.Context(), a, s, func(s written.Sentence) error { said = append(said, s.Text); return nil }); err != nil {
			t.Fatal(err)
		}
		return said
	}
	write(t, root, "a.md", one)
	update(t, x)
	changes := &author{says: "Potatoes are planted in April.", first: func() { write(t, root, "a.md", two); update(t, x) }}
	if got := tell(changes); !slices.Equal(got, []string{"Potatoes are planted in April."}) {
		t.Errorf("%q", got)
	}
	again := &author{says: "Potatoes are planted in autumn."}
	for range 2 {
		if got := tell(again); !slices.Equal(got, []string{"Potatoes are planted in autumn."}) || again.asked != 1 {
			t.Errorf("of the new bytes, asked %d times: %q", again.asked, got)
		}
	}
	// The words of bytes that are gone are not kept beside the others.
	write(t, root, "a.md", one)
	update(t, x)
	if got := tell(changes); changes.asked != 2 {
		t.Errorf("of the old bytes, asked %d times: %q", changes.asked, got)
	}
}
