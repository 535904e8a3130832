package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// auditRecord is what the readable form shows of a record; package auditlog
// specifies all of it. The fields that are not here stand in --json.
type auditRecord struct {
	Time, Kind, App, Surface, Task, Verb, Method, Decision, By, Grant, Code string

	Messages uint64
	Detail   map[string]string
}

func auditShow(ctx context.Context, c *cli, call *call) error {
	if task := call.value("task"); len(task) > 64 || visible.Name(task) != task {
		return usage("that is not the id of a task", "`bailey audit show` shows the ids")
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	stream, err := cl.Audit.Show(ctx, &auditv1.ShowRequest{Last: call.number("last"), Task: call.value("task")})
	if err != nil {
		return err
	}
	defer stream.Close()
	for some := false; ; some = true {
		r, err := stream.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			if call.has("task") && !some && !c.json {
				c.tell("No record of that task.")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if c.json {
			// One record is one line, whatever came.
			line := visible.JSON([]byte(strings.ReplaceAll(strings.TrimSpace(string(r.GetJson())), "\n", " ")))
			_, err = c.out.Write(append(line, '\n'))
		} else {
			err = c.printRecord(r.GetJson())
		}
		if err != nil {
			return outputError(err)
		}
	}
}

// printRecord prints when, who, what, the decision and the outcome, on one line
// but for terminals; columns that grow with their text stand last, so the stream
// needs no look ahead.
func (c *cli) printRecord(raw []byte) error {
	var r auditRecord
	if err := json.Unmarshal(raw, &r); err != nil {
		return errs.Wrap(errs.Malformed, "cli.audit", err).With("a record is not JSON")
	}
	who := orDash(join("/", r.App, r.Surface))
	what, release := join(" ", r.Kind, shortMethod(r.Method)), ""
	if r.Kind == "core-start" {
		what, release = r.Kind, r.Method
	}
	switch r.Kind {
	case "grant", "deny", "revoke", "expire", "remember", "forget", "refuse", "unblock":
		// To read a folder is not to change it.
		if k := r.Detail["kind"]; k != "" {
			what = join(" ", r.Kind, k)
		}
	}
	if r.Verb != "" {
		who += " " + r.Verb
	}
	decided := join(" by ", r.Decision, r.By)
	when := localTime(&r.Time)
	cells := []string{pad(when, recordWhen), pad(who, recordWho), pad(what, 18)}
	if c.screen.wide == 0 || c.screen.wide >= recordWide {
		cells = append(cells, pad(orDash(decided), 21), pad(orDash(r.Code), 9))
	} else {
		// Where no line holds all of a record, what is empty has no column.
		for _, cell := range []string{decided, r.Code} {
			if cell != "" {
				cells = append(cells, cell)
			}
		}
	}
	if r.Grant != "" {
		cells = append(cells, "grant "+r.Grant)
	}
	if r.Task != "" {
		cells = append(cells, "task "+r.Task)
	}
	// Which worker began or ended.
	if k := r.Detail["kind"]; strings.HasPrefix(r.Kind, "worker-") && k != "" {
		if pid := r.Detail["pid"]; pid != "" {
			k += ", process " + pid
		}
		cells = append(cells, k)
	}
	// A folder or a file, the model or the host that it is about. What JSON could not
	// hold as it is stands in base64.
	for _, about := range []string{"path", "model", "host"} {
		d := r.Detail[about]
		if b, err := base64.StdEncoding.DecodeString(r.Detail[about+"~b64"]); err == nil && d == "" {
			d = string(b)
		}
		if d != "" {
			cells = append(cells, d)
		}
	}
	// Why something was refused, and how often, where many were put together.
	if reason := r.Detail["reason"]; reason != "" && (r.Kind == "deny" || r.Kind == "malformed-peer") {
		if r.Messages > 1 {
			reason += ", " + count(r.Messages, "time")
		}
		cells = append(cells, reason)
	}
	if release != "" {
		cells = append(cells, "release "+release)
	}
	for i := range cells {
		cells[i] = visible.Path(cells[i])
		if i > 2 {
			cells[i] = strings.ReplaceAll(cells[i], " ", bound)
		}
	}
	// On a terminal what is too long goes on below, beside the times.
	for i, l := range wrap(strings.Join(cells[1:], "  "), c.screen.wide-recordWhen-gap) {
		switch {
		case i == 0:
			l = cells[0] + strings.Repeat(" ", gap) + l
		case recordWhen+gap+visible.Width(l) > c.screen.wide:
			l = strings.Repeat(" ", 2*gap) + l // a path
		default:
			l = strings.Repeat(" ", recordWhen+gap) + l
		}
		if _, err := c.out.WriteString(strings.TrimRight(l, " ") + "\n"); err != nil {
			return err
		}
	}
	return nil
}

const (
	// recordWhen is the width of a time.
	recordWhen = 19
	// recordWho is the width of the longest name, "bailey/terminal sandbox-run".
	recordWho = 27
	// recordWide is how wide a terminal is that holds most records on a line.
	recordWide = 150
)

// shortMethod is the last part of a method's full name: "Ask" of
// "bailey.index.v1.IndexService/Ask".
func shortMethod(m string) string { return m[strings.LastIndexByte(m, '/')+1:] }

func join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func pad(s string, width int) string {
	if n := width - visible.Width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}
