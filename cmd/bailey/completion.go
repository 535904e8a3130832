package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// printCompletion prints a script that knows the verbs and flags of the table.
// The scripts run no command of ours: completion works without a core and never
// starts one.
func printCompletion(_ context.Context, c *cli, call *call) error {
	all := verbs()
	switch call.args[0] {
	case "bash":
		c.out.WriteString(bashCompletion(all))
	case "zsh":
		c.out.WriteString(zshCompletion(all))
	case "fish":
		c.out.WriteString(fishCompletion(all))
	default:
		return usage("there is no completion for that shell", "use one of: bash, zsh, fish")
	}
	return nil
}

func flagWords(v *verb) string {
	var w []string
	for _, f := range v.flags {
		w = append(w, "--"+f.name)
	}
	return strings.Join(append(w, "--help"), " ")
}

// groups returns the first words that have second words.
func groups(all []*verb) []string {
	var out []string
	for _, t := range topVerbs(all) {
		if len(groupOf(all, t)) > 0 {
			out = append(out, t)
		}
	}
	return out
}

func bashCompletion(all []*verb) string {
	var b strings.Builder
	b.WriteString("# bash completion for bailey\n_bailey() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n\tlocal IFS=$' \\t\\n'\n")
	fmt.Fprintf(&b, "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\")\n\t\treturn\n\tfi\n", strings.Join(topVerbs(all), " "))
	b.WriteString("\tcase $prev in\n\t--home|--allow-read)\n\t\tcompopt -o filenames\n\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n\t\treturn ;;\n")
	b.WriteString("\t--out)\n\t\tcompopt -o filenames\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\t\treturn ;;\n")
	b.WriteString("\t--format)\n\t\tmapfile -t COMPREPLY < <(compgen -W \"text md\" -- \"$cur\")\n\t\treturn ;;\n\tesac\n")
	fmt.Fprintf(&b, "\tcase $verb in\n\t%s)\n\t\tverb=\"$verb ${COMP_WORDS[2]}\" ;;\n\tesac\n", strings.Join(groups(all), "|"))
	for _, g := range groups(all) {
		fmt.Fprintf(&b, "\tif [ \"$COMP_CWORD\" -eq 2 ] && [ \"${COMP_WORDS[1]}\" = %s ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\")\n\t\treturn\n\tfi\n", g, strings.Join(groupOf(all, g), " "))
	}
	b.WriteString("\tcase $verb in\n")
	for _, v := range all {
		fmt.Fprintf(&b, "\t%q)\n\t\tcase $cur in\n\t\t-*) mapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\") ;;\n", v.name, flagWords(v))
		switch v.complete {
		case "dir":
			b.WriteString("\t\t*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n")
		case "file":
			b.WriteString("\t\t*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n")
		case "shell":
			b.WriteString("\t\t*) mapfile -t COMPREPLY < <(compgen -W \"bash zsh fish\" -- \"$cur\") ;;\n")
		case "verb":
			fmt.Fprintf(&b, "\t\t*) mapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\") ;;\n", strings.Join(topVerbs(all), " "))
		}
		b.WriteString("\t\tesac ;;\n")
	}
	b.WriteString("\tesac\n}\ncomplete -F _bailey bailey\n")
	return b.String()
}

func zshCompletion(all []*verb) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	describe := func(b *strings.Builder, names []string, prefix string) {
		for _, n := range names {
			short := ""
			if v := verbNamed(all, prefix+n); v != nil {
				short = v.short
			} else {
				short = strings.Join(groupOf(all, n), ", ")
			}
			b.WriteString(" " + quote(n+":"+short))
		}
	}
	var b strings.Builder
	b.WriteString("#compdef bailey\n_bailey() {\n\tlocal -a words_here\n\tif (( CURRENT == 2 )); then\n\t\twords_here=(")
	describe(&b, topVerbs(all), "")
	b.WriteString(")\n\t\t_describe command words_here\n\t\treturn\n\tfi\n\tlocal verb=$words[2]\n")
	for _, g := range groups(all) {
		fmt.Fprintf(&b, "\tif [[ $verb == %s ]]; then\n\t\tif (( CURRENT == 3 )); then\n\t\t\twords_here=(", g)
		describe(&b, groupOf(all, g), g+" ")
		b.WriteString(")\n\t\t\t_describe command words_here\n\t\t\treturn\n\t\tfi\n\t\tverb=\"$verb $words[3]\"\n\tfi\n")
	}
	b.WriteString("\tcase $verb in\n")
	for _, v := range all {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments '*:: :->rest'", quote(v.name))
		for _, f := range v.flags {
			spec := "--" + f.name
			if f.repeat {
				spec = "*" + spec
			}
			// In _arguments a colon ends a field and brackets hold the help.
			spec += "[" + strings.NewReplacer(":", "\\:", "[", "(", "]", ")").Replace(f.help) + "]"
			switch {
			case len(f.words) > 0:
				spec += ":" + f.name + ":(" + strings.Join(f.words, " ") + ")"
			case f.value == "DIR":
				spec += ":folder:_files -/"
			case f.value == "FILE":
				spec += ":file:_files"
			case f.value != "":
				spec += ":" + f.name + ":"
			}
			b.WriteString(" " + quote(spec))
		}
		b.WriteString("\n")
		switch v.complete {
		case "dir":
			b.WriteString("\t\t_files -/\n")
		case "file":
			b.WriteString("\t\t_files\n")
		case "shell":
			b.WriteString("\t\tcompadd bash zsh fish\n")
		case "verb":
			fmt.Fprintf(&b, "\t\tcompadd %s\n", strings.Join(topVerbs(all), " "))
		}
		b.WriteString("\t\t;;\n")
	}
	b.WriteString("\tesac\n}\nif [ \"$funcstack[1]\" = _bailey ]; then\n\t_bailey \"$@\"\nelse\n\tcompdef _bailey bailey\nfi\n")
	return b.String()
}

func fishCompletion(all []*verb) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	b.WriteString("# fish completion for bailey\ncomplete -c bailey -f\n")
	for _, t := range topVerbs(all) {
		short := strings.Join(groupOf(all, t), ", ")
		if v := verbNamed(all, t); v != nil {
			short = v.short
		}
		fmt.Fprintf(&b, "complete -c bailey -n __fish_use_subcommand -a %s -d %s\n", t, quote(short))
	}
	for _, g := range groups(all) {
		subs := groupOf(all, g)
		for _, s := range subs {
			fmt.Fprintf(&b, "complete -c bailey -n %s -a %s -d %s\n",
				quote("__fish_seen_subcommand_from "+g+"; and not __fish_seen_subcommand_from "+strings.Join(subs, " ")), s, quote(verbNamed(all, g+" "+s).short))
		}
	}
	for _, v := range all {
		words := strings.Fields(v.name)
		when := "__fish_seen_subcommand_from " + strings.Join(words, "; and __fish_seen_subcommand_from ")
		for _, f := range append(slices.Clone(v.flags), flag{name: "help", help: "explain the command"}) {
			fmt.Fprintf(&b, "complete -c bailey -n %s -l %s -d %s", quote(when), f.name, quote(f.help))
			switch {
			case len(f.words) > 0:
				b.WriteString(" -x -a " + quote(strings.Join(f.words, " ")))
			case f.value == "DIR":
				b.WriteString(" -x -a '(__fish_complete_directories)'")
			case f.value != "":
				b.WriteString(" -r")
			}
			b.WriteString("\n")
		}
		switch v.complete {
		case "dir":
			fmt.Fprintf(&b, "complete -c bailey -n %s -a '(__fish_complete_directories)'\n", quote(when))
		case "file":
			fmt.Fprintf(&b, "complete -c bailey -n %s -F\n", quote(when))
		case "shell":
			fmt.Fprintf(&b, "complete -c bailey -n %s -a 'bash zsh fish'\n", quote(when))
		case "verb":
			fmt.Fprintf(&b, "complete -c bailey -n %s -a %s\n", quote(when), quote(strings.Join(topVerbs(all), " ")))
		}
	}
	return b.String()
}
