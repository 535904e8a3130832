package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/visible"
)

// helpWidth is what a help text is laid out for: the smallest terminal that is
// still common. It does not follow the terminal, so that docs/cli.md is the same.
const helpWidth = 80

func help(_ context.Context, c *cli, call *call) error {
	if call.value("format") == "md" {
		c.out.WriteString(reference())
		return nil
	}
	if len(call.args) == 0 {
		return c.printHelp(nil)
	}
	name := strings.Join(call.args, " ")
	all := verbs()
	if v := verbNamed(all, name); v != nil {
		return c.printHelp(v)
	}
	if subs := groupOf(all, name); len(subs) > 0 {
		for _, s := range subs {
			v := verbNamed(all, name+" "+s)
			fmt.Fprintf(c.out, "bailey %-20s %s\n", v.line(), v.short)
		}
		return nil
	}
	_, _, err := findVerb(all, call.args)
	if err == nil {
		err = usage("there is no help for "+visible.Name(name), "run `bailey help`")
	}
	return err
}

// printHelp prints the help of one command, or the overview for nil and "help".
func (c *cli) printHelp(v *verb) error {
	if v == nil || v.name == "help" {
		c.out.WriteString(overview())
	} else {
		c.out.WriteString(helpOf(v))
	}
	return nil
}

// overview fits one screen of 24 lines by 80 columns.
func overview() string {
	var b strings.Builder
	b.WriteString("Bailey: ask your documents. Nothing reads them unasked, or outside a sandbox.\n\n")
	all := verbs()
	for _, first := range topVerbs(all) {
		if v := verbNamed(all, first); v != nil {
			fmt.Fprintf(&b, "  %-24s %s\n", v.line(), visible.Middle(v.short, helpWidth-27))
		}
		// A group has a line; `bailey help GROUP` has one for each.
		if subs := groupOf(all, first); len(subs) > 0 {
			fmt.Fprintf(&b, "  %-24s %s\n", first+" COMMAND", strings.Join(subs, ", "))
		}
	}
	b.WriteString("\n--help explains a command, `help model` a group; most take --home DIR, --json.\n")
	b.WriteString("Exit codes: 0 ok, 1 failed or stopped by Ctrl-C, 2 usage, 3 denied,\n4 integrity, 5 unavailable.\n")
	return b.String()
}

func helpOf(v *verb) string {
	var b strings.Builder
	line := "bailey " + v.line()
	if len(v.flags) > 0 {
		line += " [flags]"
	}
	fmt.Fprintf(&b, "%s\n\n%s\n", line, sentence(v.short))
	for _, p := range v.long {
		b.WriteByte('\n')
		for _, l := range visible.Wrap(p, helpWidth) {
			b.WriteString(l + "\n")
		}
	}
	if len(v.flags) > 0 {
		b.WriteString("\nFlags\n")
		for _, f := range v.flags {
			name := f.line()
			for i, l := range visible.Wrap(f.help+repeats(f), helpWidth-22) {
				if i > 0 {
					name = ""
				}
				fmt.Fprintf(&b, "  %-19s %s\n", name, l)
			}
		}
	}
	if len(v.examples) > 0 {
		b.WriteString("\nExamples\n")
		for _, e := range v.examples {
			fmt.Fprintf(&b, "  %s\n      %s\n", e.line, e.what)
		}
	}
	return b.String()
}

// reference is docs/cli.md: what --help says of every command, as Markdown.
func reference() string {
	var b strings.Builder
	b.WriteString("# The command line\n\n")
	b.WriteString("Written by `bailey help --format md`; do not edit. What the output means to programs is in [json.md](json.md), where state lies in [directories.md](directories.md), what each error means in [errors.md](errors.md).\n\n")
	b.WriteString("Flags may stand anywhere after the command, as `--flag value` or `--flag=value`; `--` ends them. `--help` explains a command.\n\n")
	b.WriteString("```\n" + overview() + "```\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "\n## bailey %s\n\n", v.name)
		text := sentence(v.short)
		if v.args != "" {
			text = "`bailey " + v.line() + "`: " + v.short + "."
		}
		b.WriteString(text + "\n")
		for _, p := range v.long {
			b.WriteString("\n" + p + "\n")
		}
		if len(v.flags) > 0 {
			b.WriteString("\n| flag | |\n|---|---|\n")
			for _, f := range v.flags {
				fmt.Fprintf(&b, "| `%s` | %s%s |\n", f.line(), f.help, repeats(f))
			}
		}
		if len(v.examples) > 0 {
			b.WriteString("\n```sh\n")
			for _, e := range v.examples {
				fmt.Fprintf(&b, "%s   # %s\n", e.line, e.what)
			}
			b.WriteString("```\n")
		}
	}
	return b.String()
}

func repeats(f flag) string {
	if f.repeat {
		return " (may be repeated)"
	}
	return ""
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func printVersion(_ context.Context, c *cli, _ *call) error {
	if !c.json {
		fmt.Fprintln(c.out, release.Version())
		return nil
	}
	return c.printJSON(versionJSON{Version: release.Version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH})
}
