package main

import (
	"context"
	"slices"
	"strings"
)

// verb is one command: what it is called, what it takes, and what it does. Help,
// docs/cli.md and shell completion are made from these rows.
type verb struct {
	// name is what is typed, for example "ask" or "grant list".
	name string
	// args names the arguments for people, for example "DIR \"question\"".
	args             string
	minArgs, maxArgs int
	// tooMany is the hint where there are more arguments; empty = a general one.
	tooMany string
	// complete says what the first argument is, for the shell: "dir", "file",
	// "shell", "verb" or nothing.
	complete string
	// program says that the first argument is one, and the others its own.
	program bool
	short   string
	// long is shown by --help, a paragraph an entry.
	long         []string
	examples     []example
	flags        []flag
	maxSentences uint64
	run          func(context.Context, *cli, *call) error
}

type example struct{ line, what string }

// flag is a row of a verb's flags. A flag without a value is a switch.
type flag struct {
	name, value, help string
	repeat            bool
	// fits makes the value optional: only a word that fits is taken for it.
	fits func(string) bool
	// words are the values there are, for the shell.
	words []string
}

// line is the verb with its arguments, as help shows it.
func (v *verb) line() string { return strings.TrimSuffix(v.name+" "+v.args, " ") }

// line is the flag with its value, as help shows it.
func (f *flag) line() string {
	if f.fits != nil {
		return "--" + f.name + " [" + f.value + "]"
	}
	return strings.TrimSuffix("--"+f.name+" "+f.value, " ")
}

func (v *verb) flag(name string) *flag {
	for i := range v.flags {
		if v.flags[i].name == name {
			return &v.flags[i]
		}
	}
	return nil
}

func flagHome() flag {
	return flag{name: "home", value: "DIR", help: "keep all state under DIR instead of the XDG directories"}
}
func flagJSON(what string) flag { return flag{name: "json", help: "print " + what} }
func flagTimeout() flag {
	return flag{name: "timeout", value: "TIME", help: "give up after TIME, for example 30s or 5m"}
}

func taskFlags(most string) []flag {
	return append([]flag{
		{name: "allow-read", value: "DIR", repeat: true, help: "grant reading DIR without a question; the log says that the command line did"},
		{name: "allow-model", value: "NAME", repeat: true, help: "use this model without a question: one that finds by meaning (a summary needs none), one that writes below the passages"},
		{name: "no-model", help: "use no model, not one that is remembered with the folder either"},
		{name: "remember", help: "keep the grants, and the folder's index, for the next time"},
		{name: "max-sentences", value: "N", help: "print at most N sentences (1 to " + most + ")"},
		{name: "max-tokens", value: "N", help: "let the models write at most N tokens"},
		{name: "show-folded", help: "show what a model wrote although most of it is not in the documents"},
		{name: "format", value: "FORMAT", help: "text (the default) or md, a Markdown document", words: []string{"text", "md"}},
		flagTimeout(),
		flagJSON("one JSON object (docs/json.md)"),
		flagHome(),
	}, cardFlags()...)
}

// verbs is the table of all that works. The order is that of the help.
func verbs() []*verb {
	return []*verb{
		studioVerb(),
		{
			name: "summarize", args: "DIR", minArgs: 1, maxArgs: 1, complete: "dir",
			short: "summarise the documents of a folder, with citations",
			long: []string{
				"Reads the readable documents below DIR in a sandboxed worker and prints an overview and, file by file, what else is important. Every sentence is a document's own, cited by its path and line, page, slide, sheet or paragraph.",
				"Asks at the terminal before anything is read. Without a terminal the answer is no, unless --allow-read covers DIR.",
			},
			examples: []example{
				{"bailey summarize ~/project", "asks, then summarises"},
				{"bailey summarize . --allow-read . --format md > summary.md", "no question; a Markdown document"},
			},
			flags: taskFlags("500"), maxSentences: 500, run: summarize,
		},
		{
			name: "ask", args: "[DIR] \"question\"", minArgs: 1, maxArgs: 2, complete: "dir",
			short: "answer a question from a folder's documents",
			long: []string{
				"Finds the sentences below DIR that answer the question, in a sandboxed worker, and prints them with their places. Where nothing fits it says so and ends with 0.",
				"Without DIR the folder is the remembered one that holds the current directory.",
				"A model that makes vectors finds passages by meaning as well. One that writes gets the passages and writes below them, marked as its own words; each of its sentences that stands in no passage is marked.",
			},
			examples: []example{
				{"bailey ask ~/project \"how is a release signed?\"", "asks for the grant first"},
				{"bailey ask ~/project \"…\" --allow-read ~/project --json", "for scripts"},
				{"bailey ask ~/notes \"when do we meet?\" --remember", "keeps grant and index"},
				{"bailey ask \"when do we meet?\"", "inside ~/notes, afterwards"},
				{"bailey ask ~/notes \"who pays?\" --allow-model all-minilm-l6-v2-q8_0 --remember", "finds by meaning too, now and later"},
			},
			flags: taskFlags("50"), maxSentences: 50, run: ask,
		},
		chatVerb(),
		modelPullVerb(), modelListVerb(), modelShowVerb(), modelFitVerb(), modelVerifyVerb(), modelPinVerb(), modelRemoveVerb(), modelGcVerb(),
		{
			name: "grant list", short: "what is allowed now",
			long:     []string{"Lists live and remembered grants; with --all also those that have ended, from the log."},
			examples: []example{{"bailey grant list --all", "the past too"}},
			flags:    []flag{{name: "all", help: "also grants that have ended"}, flagJSON("one JSON object"), flagHome()},
			run:      grantList,
		},
		{
			name: "grant revoke", args: "ID", minArgs: 1, maxArgs: 1, short: "withdraw a grant, or forget a remembered one",
			long:     []string{"Ends the grant and all that came of it. Work that uses it is killed; it returns when nothing uses it any more."},
			examples: []example{{"bailey grant revoke c05384c1f7a7c5e3", "the id is from `bailey grant list`"}},
			flags:    []flag{flagJSON("one JSON object"), flagHome()},
			run:      grantRevoke,
		},
		{
			name: "grant explain", args: "ID", minArgs: 1, maxArgs: 1, short: "who gave a grant, what it allows, how it ends",
			examples: []example{{"bailey grant explain c05384c1f7a7c5e3", "in sentences"}},
			flags:    []flag{flagJSON("one JSON object"), flagHome()},
			run:      grantExplain,
		},
		{
			name: "audit show", short: "what was asked, decided and done",
			long: []string{
				"Prints the records of the audit log, oldest first, with their details opened. With --json a record is one line of JSON.",
				"A record is printed once the checkpoint behind it has vouched for it. At the first that is not what was signed the command ends with 4 and names it, and nothing is granted any more. Where the core does not start because of it, no record is printed; `bailey audit verify` needs no core.",
			},
			examples: []example{{"bailey audit show --last 20", "the newest 20"}},
			flags: []flag{
				{name: "last", value: "N", help: "only the newest N records"},
				{name: "task", value: "ID", help: "only records of one task"},
				flagJSON("JSON Lines, a record each"), flagHome(),
			},
			run: auditShow,
		},
		{
			name: "audit verify", args: "[FILE]", maxArgs: 1, complete: "file", short: "check the log, or an export, offline",
			long: []string{
				"Checks every record against the log's signed checkpoints, without the core. FILE is an export made by `bailey audit export`, or the folder of a log. A damaged log ends with 4 and the first bad record is named.",
			},
			examples: []example{{"bailey audit verify", "this home's log"}, {"bailey audit verify log.jsonl", "an export, anywhere"}},
			flags: []flag{
				{name: "anchor", value: "SIZE:ROOT", repeat: true, help: "a checkpoint noted earlier, which the log must contain"},
				flagJSON("one JSON object"), flagHome(),
			},
			run: auditVerify,
		},
		{
			name: "audit export", short: "write the log with its proofs, as JSON Lines",
			long:     []string{"Writes records, proofs and the signed checkpoint, so that others can verify them without this machine."},
			examples: []example{{"bailey audit export --out log.jsonl", "a new file; an existing one is not overwritten"}},
			flags:    []flag{{name: "out", value: "FILE", help: "write to FILE, which must not exist yet"}, flagHome()},
			run:      auditExport,
		},
		{
			name: "audit set-aside", short: "put a damaged log away, and begin a new one",
			long:     []string{"Nothing is granted on a log that was found damaged until a person has looked at it. This is the way on afterwards: the old log is kept whole in a folder beside the new one, whose first record names it. No core may run.", "The new log remembers no permission. So a log that is whole is put away only if that is confirmed at the terminal, or by --yes."},
			examples: []example{{"bailey stop && bailey audit set-aside", "after `bailey audit verify` said what is wrong"}},
			flags:    []flag{{name: "yes", help: "do not ask, also where the log is whole"}, flagHome()},
			run:      auditSetAside,
		},
		dataListVerb(), dataEraseVerb(), benchTokensVerb(), sandboxRunVerb(),
		{
			name: "doctor", short: "what holds on this machine, and what to mend",
			long:     []string{"Starts each kind of worker once in its real sandbox and reports what was seen. It also says why the core does not start, if that is so."},
			examples: []example{{"bailey doctor", "ends with 0 if all is well"}, {"bailey doctor --verbose", "each layer of each worker's sandbox, and how it was seen"}},
			flags:    []flag{{name: "verbose", help: "show every layer of every kind of worker, also where all are on"}, flagJSON("one JSON object"), flagTimeout(), flagHome()},
			run:      doctor,
		},
		{
			name: "stop", short: "end all tasks and the core",
			long:     []string{"Ends every task of this home and the core itself, whatever its release, and also one that cannot be connected to, as its socket was removed or it still waits at its start. The next command starts a new one."},
			examples: []example{{"bailey stop", "also when it is not running"}},
			flags:    []flag{flagJSON("one JSON object"), flagHome()},
			run:      stop,
		},
		{
			name: "version", short: "print the release",
			flags: []flag{flagJSON("one JSON object")},
			run:   printVersion,
		},
		{
			name: "completion", args: "bash|zsh|fish", minArgs: 1, maxArgs: 1, complete: "shell", short: "print a script that completes commands in a shell",
			examples: []example{{"source <(bailey completion bash)", "in ~/.bashrc"}},
			run:      printCompletion,
		},
		{
			name: "help", args: "[COMMAND]", maxArgs: 2, complete: "verb", short: "explain a command",
			examples: []example{{"bailey help ask", "the same as bailey ask --help"}},
			flags:    []flag{{name: "format", value: "FORMAT", help: "md: all of it, as docs/cli.md", words: []string{"text", "md"}}},
			run:      help,
		},
	}
}

// laterVerbs are the commands of the whole design that this release does not
// have, so that typing one says so.
func laterVerbs() []string {
	return []string{
		"agent", "transcribe", "exec", "mcp", "serve", "undo", "report",
		"app", "tool", "update", "release", "policy",
	}
}

func verbNamed(all []*verb, name string) *verb {
	for _, v := range all {
		if v.name == name {
			return v
		}
	}
	return nil
}

// groupOf returns the second words of a group, for example of "grant".
func groupOf(all []*verb, group string) []string {
	var subs []string
	for _, v := range all {
		if first, second, ok := strings.Cut(v.name, " "); ok && first == group {
			subs = append(subs, second)
		}
	}
	return subs
}

// topVerbs returns the first words, each once.
func topVerbs(all []*verb) []string {
	var out []string
	for _, v := range all {
		first, _, _ := strings.Cut(v.name, " ")
		if !slices.Contains(out, first) {
			out = append(out, first)
		}
	}
	return out
}
