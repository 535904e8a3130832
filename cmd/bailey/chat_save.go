package main

import (
	"bufio"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// transcript writes a conversation as CommonMark. Outside of block quotes all is
// Bailey's; inside, what was said is escaped or stands as code, so that it is shown
// and becomes no heading, link or image. Nothing in it acts on a terminal.
func transcript(out io.Writer, model string, turns []*storev1.Turn) error {
	w := bufio.NewWriter(out)
	for _, turn := range turns {
		who := map[storev1.Speaker]string{storev1.Speaker_SPEAKER_SYSTEM: "**Told to the model**", storev1.Speaker_SPEAKER_USER: "**You**"}[turn.GetSpeaker()]
		if who == "" {
			if who = turn.GetModel(); who == "" {
				who = model
			}
			// A model may be called You.
			who = "**" + escapeMarkdown(visible.Name(who)) + "**, a model"
		}
		if turn.GetUnfinished() {
			who += " (unfinished)"
		}
		w.WriteString(who + "\n\n")
		for _, l := range quoted(turn.GetText()) {
			w.WriteString(strings.TrimRight("> "+l, " ") + "\n")
		}
		w.WriteString("\n")
	}
	return w.Flush()
}

// quoted are the lines of a text as they stand in a block quote: paragraphs whose
// lines stay lines, and what stands between lines of ``` as code.
func quoted(text string) []string {
	lines := strings.Split(strings.Trim(strings.ReplaceAll(text, "\r", ""), " \n"), "\n")
	var out []string
	for i := 0; i < len(lines); i++ {
		if info, fenced := strings.CutPrefix(strings.TrimLeft(lines[i], " "), "```"); fenced {
			var code []string
			for i++; i < len(lines) && !strings.HasPrefix(strings.TrimLeft(lines[i], " "), "```"); i++ {
				code = append(code, shownLine(lines[i]))
			}
			out = append(out, fencedCode(info, code)...)
			continue
		}
		l := escapeMarkdown(strings.TrimSpace(shownLine(lines[i])))
		if l != "" && i+1 < len(lines) && strings.TrimSpace(shownLine(lines[i+1])) != "" && !strings.HasPrefix(strings.TrimLeft(lines[i+1], " "), "```") {
			l += `\` // a line end that stays one
		}
		out = append(out, l)
	}
	return out
}

// fencedCode sets code between fences that it cannot close.
func fencedCode(info string, code []string) []string {
	fence := "```"
	for strings.Contains(strings.Join(code, "\n"), fence) {
		fence += "`"
	}
	info = strings.TrimSpace(info)
	if len(info) > limits.ChatCodeName || strings.IndexFunc(info, func(r rune) bool { return !letter(r) }) >= 0 {
		info = ""
	}
	return append(append([]string{fence + info}, code...), fence)
}

// shownLine shows a line with its blanks, which [visible.Text] alone joins.
func shownLine(l string) string {
	words := strings.Split(strings.ReplaceAll(l, "\t", "    "), " ")
	for i, w := range words {
		words[i] = visible.Text(w)
	}
	return strings.Join(words, " ")
}
