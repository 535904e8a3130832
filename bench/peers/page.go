package main

import (
	"fmt"
	"slices"
	"strings"
)

// page is what docs shows of a run.
func page(tried []column, counted []attempt) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The same attempts under other sandboxes

Written by `+"`cd bench/peers && go run . -md ../../docs/peers.md`"+`. Each attempt of [hostile.md](hostile.md) that one program can make is made by the same program, as an
ordinary user, under each of these; %d of them succeed without a sandbox and are counted, %d of which get at something outside: a file, a process, a
network or a socket that is not the program's. What each sandbox is for is the same: read one directory, write another.

What this does not say: these are other tools with other purposes. bubblewrap is a part to build sandboxes of, and leaves filters to who calls it; firejail runs programs of a desktop,
with profiles for many; sandbox-runtime keeps an agent's commands from files and hosts that were not named, and lets programs run as they are. Several attempts are no attack on them:
to fork, to make code or a socket is what their programs are meant to do, as those of our own kind `+"`tool`"+` are. A kind such as `+"`index`"+` can refuse so much because its one program is ours.

| sandbox | blocked | of these, outside |
|---|---|---|
`, len(counted), outside(counted))
	for _, c := range tried[1:] {
		in, out := c.blocked(counted)
		fmt.Fprintf(&b, "| %s | %d of %d | %d of %d |\n", c.Sandbox.Name, in, len(counted), out, outside(counted))
	}
	b.WriteString("\n## What got outside\n\nWhere a cell is empty the attempt was refused. `udp connect` succeeds in a network namespace of the sandbox's own too, where it\nreaches nobody: a datagram's connect asks nobody.\n\n| attempt |")
	for _, c := range tried[1:] {
		fmt.Fprintf(&b, " %s |", c.Sandbox.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(tried)-1) + "\n")
	for _, reach := range []string{"outside", "inside"} {
		if reach == "inside" {
			b.WriteString("\n## What succeeded inside\n\nIt widens what a program can try, and reaches nothing by itself.\n\n| attempt |")
			for _, c := range tried[1:] {
				fmt.Fprintf(&b, " %s |", c.Sandbox.Name)
			}
			b.WriteString("\n|---|" + strings.Repeat("---|", len(tried)-1) + "\n")
		}
		for i, a := range counted {
			if a.reach != reach || !slices.ContainsFunc(tried[1:], func(c column) bool { return c.Answers[i].passed(a) }) {
				continue
			}
			fmt.Fprintf(&b, "| %s |", a.name)
			for _, c := range tried[1:] {
				cell := ""
				if c.Answers[i].passed(a) {
					cell = "succeeds"
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n## Versions and commands\n\n")
	for _, c := range tried[1:] {
		fmt.Fprintf(&b, "**%s** (%s)\n\n```\n%s\n```\n\n", c.Sandbox.Name, c.Sandbox.Version, strings.Join(c.Sandbox.Command, " "))
		for name, text := range c.Sandbox.Files {
			fmt.Fprintf(&b, "`%s`:\n\n```\n%s\n```\n\n", name, text)
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}
