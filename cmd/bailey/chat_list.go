package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// conversationJSON is a row of `chat --list --json`.
type conversationJSON struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Model string  `json:"model"`
	Began *string `json:"began"`
	Used  *string `json:"used"`
	Turns uint32  `json:"turns"`
	Bytes uint64  `json:"bytes"`
}

func conversationOf(c *storev1.Conversation) conversationJSON {
	return conversationJSON{c.GetId(), c.GetTitle(), c.GetModel(), rfc3339(c.GetBeganMs()), rfc3339(c.GetUsedMs()), c.GetTurns(), c.GetBytes()}
}

// foundJSON is a row of `chat --search --json`.
type foundJSON struct {
	Conversation conversationJSON `json:"conversation"`
	Turn         uint32           `json:"turn"`
	Excerpt      string           `json:"excerpt"`
}

// conversations lists what is kept.
func conversations(ctx context.Context, cl *client.Client, most uint32) ([]*storev1.Conversation, error) {
	s, err := cl.Store.List(ctx, &storev1.ListRequest{Most: most})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var all []*storev1.Conversation
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r.GetConversation())
	}
}

// conversations is `chat --list` and `chat --search TEXT`.
func (c *cli) conversations(ctx context.Context, call *call) error {
	text := call.value("search")
	for _, f := range call.verb.flags {
		if call.has(f.name) && f.name != "list" && f.name != "search" && f.name != "json" && f.name != "home" || call.has("list") && call.has("search") || len(call.args) > 0 {
			return usage("--list and --search stand alone", "add nothing but --json and --home")
		}
	}
	if call.has("search") && (strings.TrimSpace(text) == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > limits.SearchText) {
		return usage(fmt.Sprintf("--search takes words, at most %d characters", limits.SearchText), "for example --search \"signed release\"")
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	if call.has("search") {
		return c.searched(ctx, cl, text)
	}
	all, err := conversations(ctx, cl, 0)
	if err != nil {
		return err
	}
	if c.json {
		o := beginObject(c.out.Writer)
		list(o, "conversations", all, func(c *storev1.Conversation) any { return conversationOf(c) })
		return o.end()
	}
	if len(all) == 0 {
		c.out.WriteString("No conversation is kept.\n")
		return nil
	}
	t := table{head: []string{"ID", "USED", "TURNS", "MODEL", "TITLE"}}
	for _, k := range all[:min(len(all), limits.ChatListed)] {
		t.add(visible.Name(k.GetId()), localTime(rfc3339(k.GetUsedMs())), fmt.Sprint(k.GetTurns()),
			visible.Middle(visible.Name(k.GetModel()), limits.ChatModelName), visible.Text(k.GetTitle()))
	}
	t.print(c.out, c.screen.wide)
	if n := len(all) - limits.ChatListed; n > 0 {
		fmt.Fprintf(c.out, "And %d more; --json lists all, and --search finds them.\n", n)
	}
	return nil
}

func (c *cli) searched(ctx context.Context, cl *client.Client, text string) error {
	s, err := cl.Store.Search(ctx, &storev1.SearchRequest{Text: text})
	if err != nil {
		return err
	}
	defer s.Close()
	found := []foundJSON{}
	for {
		r, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		found = append(found, foundJSON{conversationOf(r.GetConversation()), r.GetNumber(), r.GetExcerpt()})
	}
	if c.json {
		return c.printJSON(struct {
			Found []foundJSON `json:"found"`
		}{found})
	}
	if len(found) == 0 {
		c.out.WriteString("Nothing found.\n")
		return nil
	}
	for i, f := range found {
		if i > 0 {
			c.out.WriteByte('\n')
		}
		when := ""
		if t, err := time.Parse(time.RFC3339Nano, *orNever(f.Conversation.Used)); err == nil {
			when = t.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(c.out, "%s  %s  turn %d of %q\n", visible.Name(f.Conversation.ID), when, f.Turn, visible.Text(f.Conversation.Title))
		for _, l := range visible.Wrap(visible.Text(f.Excerpt), c.screen.columns-2) {
			c.out.WriteString("  " + l + "\n")
		}
	}
	return nil
}

func orNever(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}
