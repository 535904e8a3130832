package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// smoke is a question in another language than English, about the small
// collection `languages`: it counts in no figure, but shows that every script
// is read at all.
type smoke struct{ File, Text, Match string }

func loadSmoke(dir string) ([]smoke, error) {
	b, err := os.ReadFile(filepath.Join(dir, "languages.json"))
	if err != nil {
		return nil, err
	}
	var all []smoke
	return all, json.Unmarshal(b, &all)
}

// languages asks every smoke question and writes what was not found in three
// sentences, without a model and, where one is given, with it.
func languages(ctx context.Context, o options, w io.Writer) error {
	all, err := loadSmoke(o.dir)
	if err != nil {
		return err
	}
	dir := filepath.Join(o.dir, "collections", "languages")
	e, err := openEngine(ctx, dir)
	if err != nil {
		return err
	}
	if err := errors.Join(inLanguages(ctx, "", all, e, w), e.close()); err != nil || o.model == nil {
		return err
	}
	b, err := openByMeaning(ctx, dir, o.model, true)
	if err != nil {
		return err
	}
	return errors.Join(inLanguages(ctx, ", by meaning", all, b, w), b.close())
}

func inLanguages(ctx context.Context, how string, all []smoke, e system, w io.Writer) error {
	right := 0
	var missed []string
	for _, s := range all {
		a, err := e.ask(ctx, s.Text)
		if err != nil {
			return err
		}
		found := false
		for _, p := range a.shown[""] {
			found = found || p.File == s.File && strings.Contains(p.Text, s.Match)
		}
		if found {
			right++
		} else {
			missed = append(missed, s.Text)
		}
	}
	fmt.Fprintf(w, "\nOther languages%s: %d of %d questions answered in three sentences; missed %q\n", how, right, len(all), missed)
	return nil
}
