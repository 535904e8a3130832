package main

import (
	"bytes"
	"testing"

	"github.com/bailey-run/bailey/internal/wire/windowv1"
)

// What is printed while a window is open: lines for programs, one sentence for a
// person at a terminal, and nothing where neither reads.
func TestWindowEvents(t *testing.T) {
	opened := func(raised bool) *windowv1.OpenResponse {
		return &windowv1.OpenResponse{Event: &windowv1.OpenResponse_Opened{Opened: &windowv1.Opened{Raised: raised, Pid: 7}}}
	}
	events := []*windowv1.OpenResponse{
		opened(false), {Event: &windowv1.OpenResponse_Shown{Shown: &windowv1.Shown{}}},
		{Event: &windowv1.OpenResponse_Closed{Closed: &windowv1.Closed{Why: "closed"}}},
	}
	for _, c := range []struct {
		name   string
		json   bool
		screen screen
		events []*windowv1.OpenResponse
		want   string
	}{
		{"a program", true, screen{}, events, "{\"event\":\"opened\",\"raised\":false,\"pid\":7}\n{\"event\":\"shown\"}\n{\"event\":\"closed\",\"why\":\"closed\"}\n"},
		{"a program, raised", true, screen{}, []*windowv1.OpenResponse{opened(true)}, "{\"event\":\"opened\",\"raised\":true,\"pid\":7}\n"},
		{"a person", false, screen{columns: 80}, events, "The window is open. Close it, or press Ctrl-C here.\n"},
		{"a person, raised", false, screen{columns: 80}, []*windowv1.OpenResponse{opened(true)}, "The window was open already; it was brought to the front.\n"},
		{"a pipe", false, screen{}, events, ""},
	} {
		var b bytes.Buffer
		cli := &cli{out: newOutput(&b), json: c.json, screen: c.screen}
		for _, e := range c.events {
			if err := cli.windowEvent(e); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != c.want {
			t.Errorf("%s: %q", c.name, b.String())
		}
	}
}
