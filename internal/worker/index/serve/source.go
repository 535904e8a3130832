package serve

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// Source implements indexv1.IndexServiceServer. One file at a time is held.
func (s *Service) Source(ctx context.Context, in *indexv1.SourceRequest, out *indexv1.IndexServiceSourceSender) error {
	select {
	case s.source <- struct{}{}:
	case <-ctx.Done():
		return errs.Wrap(errs.Cancelled, "index.source", ctx.Err())
	}
	defer func() { <-s.source }()
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	text, changed, err := x.Source(ctx, string(in.GetPath()))
	if err != nil {
		return err
	}
	most := int(in.GetLines())
	if most == 0 {
		most = limits.SourceLines
	}
	p := &pages{out: out, total: lines(text), changed: changed, line: in.GetFrom()}
	for n := uint32(1); text != "" && most > 0; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if n < in.GetFrom() {
			continue
		}
		most--
		if err := p.add(cut(line)); err != nil {
			return err
		}
	}
	return p.end()
}

// lines counts as citations do: a line ends at a line feed, and what stands
// behind the last one is a line if it is anything.
func lines(text string) uint32 {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return uint32(n)
}

// cut shortens a line that nobody reads to its end, between two characters.
func cut(line string) string {
	if len(line) <= limits.SourceLine {
		return line
	}
	end := limits.SourceLine
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end]
}

// pages puts lines together into messages.
type pages struct {
	out     *indexv1.IndexServiceSourceSender
	total   uint32
	changed bool
	// line is the number of the first one that is held.
	line  uint32
	held  []string
	bytes int
}

func (p *pages) add(line string) error {
	if p.bytes+len(line) > limits.SourcePage {
		if err := p.send(false); err != nil {
			return err
		}
	}
	p.held = append(p.held, line)
	p.bytes += len(line) + 1
	return nil
}

func (p *pages) end() error { return p.send(true) }

func (p *pages) send(last bool) error {
	err := p.out.Send(&indexv1.SourceResponse{Line: p.line, Text: strings.Join(p.held, "\n"), Total: p.total, Last: last, Changed: p.changed})
	p.line += uint32(len(p.held))
	p.held, p.bytes = p.held[:0], 0
	return err
}
