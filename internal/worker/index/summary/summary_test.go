package summary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

type shelf []store.File

func (s shelf) Leads(ctx context.Context, fn func(store.File) error) error {
	for _, f := range s {
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

func page(path, format string, leads ...store.Lead) store.File {
	for i := range leads {
		leads[i].Line, leads[i].End = i+1, i+1
		if leads[i].Quote == "" {
			leads[i].Quote = leads[i].Text
		}
	}
	return store.File{Path: path, Lang: "en", Format: format, Bytes: 5000, Lead: store.EncodeLeads(leads)}
}

func lead(text, head string, level int) store.Lead {
	return store.Lead{Text: text, Head: head, Level: level}
}

func summarize(t *testing.T, s shelf, max int) Summary {
	t.Helper()
	sum, err := Make(t.Context(), s, max)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestReadmeOpensAndEachFileHasItsLine(t *testing.T) {
	s := shelf{
		page("docs/pump.md", "markdown", lead("The pump moves water from the well to the garden.", "Pump", 1), lead("A valve keeps the pressure below four bar.", "Valve", 2)),
		page("README.md", "markdown", lead("Gardenkit is a set of tools for watering gardens.", "Gardenkit", 1)),
		page("docs/sensor.md", "markdown", lead("The sensor measures how dry the soil is.", "Sensor", 1)),
		page("CHANGELOG.md", "markdown", lead("The colour of the box became green in spring.", "1.2", 1)),
	}
	sum := summarize(t, s, 0)
	if len(sum.Sentences) == 0 || sum.Sentences[0].Path != "README.md" || !sum.Sentences[0].Overview {
		t.Fatalf("%+v", sum.Sentences)
	}
	seen := map[string]bool{}
	for _, x := range sum.Sentences {
		seen[x.Path] = true
		if x.Quote == "" || x.Line < 1 || x.End < x.Line {
			t.Errorf("citation of %+v", x)
		}
	}
	if !seen["docs/pump.md"] || !seen["docs/sensor.md"] {
		t.Errorf("files without a line: %v", seen)
	}
	if got := summarize(t, s, 2); len(got.Sentences) != 2 {
		t.Errorf("%d sentences of at most 2", len(got.Sentences))
	}
	for _, x := range summarize(t, s, 3).Sentences {
		if x.Path == "CHANGELOG.md" {
			t.Error("a change log comes before documents")
		}
	}
}

func TestRepeatsAreLeftOut(t *testing.T) {
	var s shelf
	for i := range 20 {
		s = append(s, page(fmt.Sprintf("m%d.md", i), "markdown", lead("The module turns wooden wheels into golden carriages.", "Module", 1)))
	}
	if sum := summarize(t, s, 10); len(sum.Sentences) != 1 {
		t.Errorf("the same thing %d times", len(sum.Sentences))
	}
}

func TestLicencesAreListedNotQuoted(t *testing.T) {
	s := shelf{page("a.md", "markdown", lead("The pump moves water from the well.", "", 1))}
	for i := range 50 {
		f := page(fmt.Sprintf("p%d/LICENSE", i), "text", lead("Permission is granted to everybody to do anything.", "", 1))
		f.Licence = "MIT"
		s = append(s, f)
	}
	apache := page("z/LICENSE", "text")
	apache.Licence = "Apache-2.0"
	s = append(s, apache)
	sum := summarize(t, s, 0)
	if sum.LicencesTotal != 51 || len(sum.Sentences) != 1 {
		t.Errorf("%d licences, %d sentences", sum.LicencesTotal, len(sum.Sentences))
	}
	names := map[string]bool{}
	for _, l := range sum.Licences[:2] {
		names[l.Name] = true
	}
	if !names["MIT"] || !names["Apache-2.0"] {
		t.Errorf("different licences are not first: %v", sum.Licences[:2])
	}
	if len(sum.Licences) > limits.ServeLicences+2 {
		t.Errorf("%d are held", len(sum.Licences))
	}
}

func TestLargeFolderIsSampled(t *testing.T) {
	var s shelf
	for i := range limits.SummaryFiles * 2 {
		s = append(s, page(fmt.Sprintf("deep/er/and/deeper/f%05d.txt", i), "text", lead(fmt.Sprintf("Number %d speaks of thing%d alone.", i, i), "", 1)))
	}
	s = append(s, page("README.md", "markdown", lead("Everything is a collection of numbered things.", "", 1)))
	sum := summarize(t, s, 5)
	if sum.Files != len(s) || sum.Weighed > limits.SummaryFiles {
		t.Errorf("%d files, %d weighed", sum.Files, sum.Weighed)
	}
	if sum.Sentences[0].Path != "README.md" {
		t.Errorf("the readme was lost: %+v", sum.Sentences[0])
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text, head string
		manual     bool
		want       bool
	}{
		{"Prometheus is a systems and service monitoring system.", "", false, true},
		{"The pump moves water from the well.", "Pump", false, true},
		{"Die Pumpe fördert Wasser aus dem Brunnen in den Garten.", "Pumpe", false, true},
		{"圖書館每天早上九點開門，晚上九點關門。", "", false, true},
		{"ls - list directory contents", "NAME", true, true},
		{"ls - list directory contents", "NAME", false, false},
		{"The pump moves water from the well.", "See also", false, false},
		{"See the manual for the pump and its parts.", "", false, false},
		{"It then moves the water to the garden.", "", false, false},
		{"Copyright 2020 The Authors of the pump.", "", false, false},
		{"Licensed under the Apache License, Version 2.0.", "", false, false},
		{"For more information visit https://example.org today.", "", false, false},
		{"The following options are understood:", "", false, false},
		{"for i := range x { y[i] = f(z) } is what it does.", "", false, false},
		{"- [x] done with it", "", false, false},
		{"Home | About | Contact | Imprint", "", false, false},
		{"This document describes how the pump is built.", "", false, true},
		{"", "", false, false},
		{strings.Repeat("The pump is long and ", 40) + "ends.", "", false, false},
	} {
		if got := Fit(c.text, c.head, c.manual); got != c.want {
			t.Errorf("Fit(%q, %q, %v) = %v", c.text, c.head, c.manual, got)
		}
	}
}

func TestDamagedLeads(t *testing.T) {
	f := page("a.md", "markdown", lead("The pump moves water from the well.", "", 1))
	f.Lead[len(f.Lead)-1] ^= 1
	if _, err := Make(t.Context(), shelf{f}, 0); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("ls - list", "NAME", true)
	f.Add("\xff. ", "\x00", false)
	f.Fuzz(func(t *testing.T, text, head string, manual bool) { Fit(text, head, manual) })
}
