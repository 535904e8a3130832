package main

import (
	"fmt"
	"io"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// progress is one line on standard error that is drawn over itself and erased at
// the end. With columns 0 (no terminal) it draws nothing.
type progress struct {
	out     io.Writer
	columns int
	drawn   bool
	last    time.Time
}

func (p *progress) draw(e *indexv1.Progress) {
	line := visible.Text(e.GetStage())
	// What the folder held the last time is all that is known of it before its end.
	if n := e.GetFilesTotal(); n > e.GetFiles() {
		line += fmt.Sprintf(" %d of %s, %s", e.GetFiles(), count(n, "file"), size(e.GetBytes()))
	} else if e.GetFiles() > 0 {
		line += fmt.Sprintf(", %s so far, %s", count(e.GetFiles(), "file"), size(e.GetBytes()))
	}
	p.show(line)
}

// show draws a line, unless the last one was drawn a moment ago.
func (p *progress) show(line string) {
	now := time.Now()
	if p.columns < limits.LineWidthMin || now.Sub(p.last) < limits.ProgressEvery {
		return
	}
	p.last, p.drawn = now, true
	fmt.Fprintf(p.out, "\r\x1b[K%s", visible.Chop(line, p.columns-1)[0])
}

func (p *progress) erase() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
