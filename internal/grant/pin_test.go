package grant

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func model(n byte) capability.Digest { return capability.Digest{31: n} }

func hexOf(d capability.Digest) string { return hex.EncodeToString(d[:]) }

func pin(id, app string, d capability.Digest) Remembered {
	return Remembered{ID: capability.ID(id), App: app, Kind: "model.run", Name: "m", Digest: hexOf(d), Since: time.Unix(int64(d[31]), 0).UTC(), By: "terminal"}
}

// older is a file as it was before models were remembered, byte for byte.
const older = `{
  "version": 1,
  "remembered": [
    {
      "id": "a",
      "app": "cli",
      "kind": "file.read",
      "path": "/a",
      "fs": "0102030405060708",
      "inode": 1,
      "handle": "h",
      "since": "1970-01-01T00:00:01Z",
      "by": "terminal"
    }
  ]
}
`

// An older file has the digest that the log has of it, and still says the same.
func TestAnOlderFileStays(t *testing.T) {
	p := policies(t, &memFile{data: []byte(older)})
	sum := sha256.Sum256([]byte(older))
	if p.Digest() != hex.EncodeToString(sum[:]) {
		t.Fatal("an older file has another digest now: all that it remembers would be forgotten")
	}
	if got := p.List(); len(got) != 1 || !reflect.DeepEqual(got[0], rem("a", "/a", 1)) {
		t.Fatalf("%+v", got)
	}
}

func TestPins(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	for _, r := range []Remembered{pin("p1", "cli", model(1)), pin("p2", "cli", model(2)), pin("q1", "studio", model(1)), rem("a", "/a", 9)} {
		if err := p.Remember(r, noRecord); err != nil {
			t.Fatal(err)
		}
	}
	q := policies(t, f)
	if r, ok := q.FindModel("cli", model(1)); !ok || r.ID != "p1" {
		t.Fatalf("%+v", r)
	}
	if r, ok := q.FindModel("other", model(1)); ok {
		t.Fatalf("another app's pin serves: %+v", r)
	}
	if r, ok := q.FindModel("cli", model(3)); ok {
		t.Fatalf("another model's pin serves: %+v", r)
	}
	// A directory is not a pin of the model whose digest is all zeros.
	if r, ok := q.FindModel("cli", capability.Digest{}); ok {
		t.Fatalf("%+v", r)
	}
	if r, ok := q.Find("cli", "file.read", capability.Object{}, same); ok {
		t.Fatalf("a pin is a directory: %+v", r)
	}
}

// A directory keeps the models that it was remembered with, until one's pin goes.
func TestModelsOfAFolder(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	for _, r := range []Remembered{pin("p1", "cli", model(1)), pin("p2", "cli", model(2)), rem("a", "/a", 1)} {
		if err := p.Remember(r, noRecord); err != nil {
			t.Fatal(err)
		}
	}
	var told string
	note := func(d string) error { told = d; return nil }
	if err := p.Extend("a", []string{hexOf(model(1)), hexOf(model(2))}, note); err != nil {
		t.Fatal(err)
	}
	if told != p.Digest() || told != policies(t, f).Digest() {
		t.Fatal("the log was not told what the file is")
	}
	if err := p.Extend("a", []string{hexOf(model(1))}, func(string) error { return errors.New("nothing is new") }); err != nil {
		t.Fatal(err)
	}
	if err := p.Extend("b", []string{hexOf(model(1))}, noRecord); !errors.Is(err, errs.New(errs.NotFound, "")) {
		t.Fatal(err)
	}
	before, _ := p.Get("a")
	if _, err := p.Forget("p1", note); err != nil {
		t.Fatal(err)
	}
	after, _ := policies(t, f).Get("a")
	if len(before.Models) != 2 || len(after.Models) != 1 || after.Models[0] != hexOf(model(2)) || told != p.Digest() {
		t.Fatalf("before %v, after %v", before.Models, after.Models)
	}
	// What was handed out before does not change under its reader.
	if before.Models[0] != hexOf(model(1)) || before.Models[1] != hexOf(model(2)) {
		t.Fatalf("%v", before.Models)
	}
	var many []string
	for i := range 50 {
		many = append(many, strings.Repeat("0", 62)+hex.EncodeToString([]byte{byte(i)}))
	}
	if err := p.Extend("a", many, noRecord); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.Get("a"); len(r.Models) != limits.RememberedModels {
		t.Fatalf("%d models", len(r.Models))
	}
}

// Another app's folder keeps its model when this app's pin goes.
func TestForgettingAPinIsForOneApp(t *testing.T) {
	p := policies(t, &memFile{})
	other := rem("b", "/b", 2)
	other.App, other.Models = "studio", []string{hexOf(model(1))}
	for _, r := range []Remembered{pin("p1", "cli", model(1)), other} {
		if err := p.Remember(r, noRecord); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Forget("p1", noRecord); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.Get("b"); len(r.Models) != 1 {
		t.Fatal("another app lost its model")
	}
}
