package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

func dataListVerb() *verb {
	return &verb{
		name: "data list", short: "what is kept of your conversations",
		examples: []example{{"bailey data list", "how many, and how large"}},
		flags:    []flag{flagJSON("one JSON object"), flagHome()},
		run:      dataList,
	}
}

func dataEraseVerb() *verb {
	return &verb{
		name: "data erase", args: "chat [ID]", minArgs: 1, maxArgs: 2, short: "erase one conversation, or all",
		long:     []string{"Overwrites what it erases, in the database, its index and its journal. What a snapshot of the disk or a backup holds is beyond it. Asks at the terminal; without one --yes has to say it."},
		examples: []example{{"bailey data erase chat 3fa1c2d4e5b6", "the id is from `bailey chat --list`"}, {"bailey data erase chat --yes", "all, without a question"}},
		flags:    []flag{{name: "yes", help: "do not ask"}, flagJSON("one JSON object"), flagHome()},
		run:      dataErase,
	}
}

// dataJSON is a row of `data list --json`.
type dataJSON struct {
	Kind          string  `json:"kind"`
	Conversations int     `json:"conversations"`
	Turns         uint64  `json:"turns"`
	Bytes         uint64  `json:"bytes"`
	Used          *string `json:"used"`
}

func dataList(ctx context.Context, c *cli, call *call) error {
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	all, err := conversations(ctx, cl, 0)
	if err != nil {
		return err
	}
	row := dataJSON{Kind: "chat", Conversations: len(all)}
	for i, k := range all {
		if i == 0 {
			row.Used = rfc3339(k.GetUsedMs())
		}
		row.Turns += uint64(k.GetTurns())
		row.Bytes += k.GetBytes()
	}
	if c.json {
		return c.printJSON(struct {
			Data []dataJSON `json:"data"`
		}{[]dataJSON{row}})
	}
	t := table{head: []string{"KIND", "WHAT", "TEXT", "USED"}}
	t.add(row.Kind, count(uint64(row.Conversations), "conversation")+", "+count(row.Turns, "turn"), size(row.Bytes), localTime(row.Used))
	t.print(c.out, c.screen.wide)
	return nil
}

// eraseJSON is `data erase --json`.
type eraseJSON struct {
	Kind          string `json:"kind"`
	Conversations uint32 `json:"conversations"`
	Freed         uint64 `json:"freed"`
	SetAside      uint32 `json:"set_aside"`
}

func dataErase(ctx context.Context, c *cli, call *call) error {
	if call.args[0] != "chat" {
		return usage("there is no data of the kind "+visible.Name(call.args[0]), "the kind is chat: `bailey data erase chat [ID]`")
	}
	id := ""
	if len(call.args) == 2 {
		if id = call.args[1]; !conversationID(id) {
			return noConversation(id)
		}
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	all, err := conversations(ctx, cl, 0)
	if err != nil {
		return err
	}
	what := count(uint64(len(all)), "conversation")
	if id != "" {
		if id, err = wholeID(all, id); err != nil {
			return err
		}
		for _, k := range all {
			if k.GetId() == id {
				what = fmt.Sprintf("the conversation %q, %s", visible.Text(k.GetTitle()), count(uint64(k.GetTurns()), "turn"))
			}
		}
	}
	if !call.has("yes") {
		if err := c.sure(ctx, fmt.Sprintf("Erase %s, for good?", what), "erase", "nothing was erased"); err != nil {
			return err
		}
	}
	r, err := cl.Store.Erase(ctx, &storev1.EraseRequest{Id: id, All: id == ""})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(eraseJSON{"chat", r.GetConversations(), r.GetFreed(), r.GetSetAside()})
	}
	fmt.Fprintf(c.out, "Erased %s; %s given back.\n", count(uint64(r.GetConversations()), "conversation"), size(r.GetFreed()))
	if n := r.GetSetAside(); n > 0 {
		fmt.Fprintf(c.out, "%s stand beside, set aside because they were damaged, and may hold it too; `bailey data erase chat` erases them with all.\n", count(uint64(n), "database"))
	}
	return nil
}

// sure asks whether that is meant. Only the word is a yes.
func (c *cli) sure(ctx context.Context, question, word, kept string) error {
	const op = "cli.sure"
	t, ok := tty.Open(c.in, c.screen.errFile)
	if !ok {
		return errs.New(errs.Denied, op).With("this is confirmed at a terminal, and there is none").WithHint("say --yes on the command line")
	}
	if _, err := fmt.Fprintf(t, "%s\nType %s and Enter; anything else means don't: ", question, word); err != nil {
		return errs.Wrap(errs.Denied, op, err)
	}
	line, err := t.ReadLine(ctx)
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != word {
		return errs.New(errs.Denied, op).With("you answered don't").WithHint(kept)
	}
	return nil
}
