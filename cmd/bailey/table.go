package main

import (
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/visible"
)

// table prints rows in columns. Cells have been through package visible.
type table struct {
	head []string
	rows [][]string
	// spare are the headings of columns that a narrow terminal goes without, the
	// first of them first.
	spare []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// gap is what stands between two columns.
const gap = 2

// print fits the table into a terminal of so many columns; 0 is none, and leaves
// all as it is. What does not fit without the spare columns has its last column
// broken between words, or on lines of its own where one word is too wide: a path
// is there to be copied.
func (t *table) print(out *output, columns int) {
	all := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for _, r := range all {
		for i, cell := range r {
			widths[i] = max(widths[i], visible.Width(cell))
		}
	}
	var kept []int
	whole := -gap
	for i, w := range widths {
		kept = append(kept, i)
		whole += w + gap
	}
	for _, name := range t.spare {
		if i := slices.Index(t.head, name); i >= 0 && columns > 0 && whole > columns {
			kept = slices.DeleteFunc(kept, func(n int) bool { return n == i })
			whole -= widths[i] + gap
		}
	}
	last := kept[len(kept)-1]
	before := whole - widths[last]
	for _, r := range all {
		var line strings.Builder
		for _, i := range kept[:len(kept)-1] {
			line.WriteString(r[i] + strings.Repeat(" ", widths[i]-visible.Width(r[i])+gap))
		}
		cell, indent := []string{r[last]}, before
		if columns > 0 && before+visible.Width(r[last]) > columns {
			cell = visible.Wrap(r[last], columns-before)
			if slices.ContainsFunc(cell, func(l string) bool { return visible.Width(l) > columns-before }) {
				indent = 2 * gap
				cell = append([]string{""}, visible.Wrap(r[last], columns-indent)...)
			}
		}
		for i, l := range cell {
			if i == 0 {
				l = line.String() + l
			} else {
				l = strings.Repeat(" ", indent) + l
			}
			out.WriteString(strings.TrimRight(l, " ") + "\n")
		}
	}
}
