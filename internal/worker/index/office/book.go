package office

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/extract"
)

// readBook reads an EPUB: the chapters in the order of its spine, each a page,
// by the scanner that reads web pages. A chapter is read once, however often the
// spine names it.
func readBook(p *paper, a *archive) error {
	root := ""
	err := a.part("META-INF/container.xml", func(t *tokens) error {
		return t.elements(func(name string) error {
			if name == "rootfile" && root == "" {
				root = resolve("", t.attr("full-path"))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	locked, err := lockedParts(a)
	if err != nil {
		return err
	}
	spine, err := readSpine(p, a, root)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, part := range spine {
		if seen[part] || !a.has(part) {
			continue
		}
		seen[part] = true
		if locked[part] {
			return encrypted
		}
		if err := readChapter(p, a, part); err != nil {
			return err
		}
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

// lockedParts are those that META-INF/encryption.xml names: fonts as a rule, and
// all the text of books that only their seller's program opens.
func lockedParts(a *archive) (map[string]bool, error) {
	locked := map[string]bool{}
	const part = "META-INF/encryption.xml"
	if !a.has(part) {
		return locked, nil
	}
	err := a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			if name == "CipherReference" {
				if len(locked) >= limits.OfficeNames {
					return tooLarge
				}
				locked[resolve("", t.attr("URI"))] = true
			}
			return nil
		})
	})
	return locked, err
}

// readSpine reads the package document: the parts of the book in reading order.
func readSpine(p *paper, a *archive, part string) ([]string, error) {
	dir := part[:strings.LastIndexByte(part, '/')+1]
	items := map[string]string{}
	var order []string
	err := a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			switch name {
			case "title":
				s, err := t.text()
				p.named(s)
				return err
			case "item":
				if len(items) >= limits.OfficeNames {
					return tooLarge
				}
				// The list of contents is no part of the text.
				if strings.Contains(" "+t.attr("properties")+" ", " nav ") {
					return nil
				}
				switch t.attr("media-type") {
				case "application/xhtml+xml", "text/html":
					items[t.attr("id")] = resolve(dir, t.attr("href"))
				}
			case "itemref":
				if len(order) >= limits.OfficeNames {
					return tooLarge
				}
				order = append(order, items[t.attr("idref")])
			}
			return nil
		})
	})
	return order, err
}

func readChapter(p *paper, a *archive, part string) error {
	source, err := a.bytes(part, limits.OfficeChapter)
	if err != nil {
		return err
	}
	if !utf8.ValidString(source) {
		return damaged
	}
	p.turn("")
	return extract.Each("chapter.xhtml", source, func(d *doc.Document) error {
		for i := range d.Blocks {
			switch b := &d.Blocks[i]; b.Role {
			case doc.Boilerplate:
			case doc.Code, doc.Table:
				p.block(b.Role, b.Text)
			default:
				p.add(b.Role, b.Level, b.Text)
			}
		}
		return p.err
	})
}
