package office

import (
	"encoding/xml"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// tokens reads XML as a stream. Elements and attributes go by their local names:
// the two editions of Office Open XML have different name spaces for the same
// things. A document type is refused (ECMA-376-2, 6.2.5.2, forbids it), so there
// are no entities but XML's own five, and nothing outside is ever asked for.
type tokens struct {
	a     *archive
	in    *meter
	d     *xml.Decoder
	depth int
	el    *xml.StartElement // the last one
}

// meter counts what is read for one token, of which encoding/xml keeps all.
type meter struct {
	r io.Reader
	n int
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.n += n; m.n > limits.OfficeToken {
		return 0, tooLarge
	}
	return n, err
}

func newTokens(a *archive, r io.Reader) *tokens {
	t := &tokens{a: a, in: &meter{r: r}}
	t.d = xml.NewDecoder(t.in)
	return t
}

// next returns a start, an end or a text, which is good until the call after it;
// io.EOF behind the last one.
func (t *tokens) next() (xml.Token, error) {
	for {
		if t.a.tokens--; t.a.tokens < 0 {
			return nil, tooLarge
		}
		if t.a.tokens%limits.OfficeBeat == 0 {
			if err := t.a.beat(); err != nil {
				return nil, err
			}
		}
		t.in.n = 0
		k, err := t.d.Token()
		if err != nil {
			return nil, err
		}
		switch k := k.(type) {
		case xml.StartElement:
			if t.depth++; t.depth > limits.OfficeDepth {
				return nil, tooLarge
			}
			t.el = &k
			return k, nil
		case xml.EndElement:
			t.depth--
			return k, nil
		case xml.CharData:
			return k, nil
		case xml.Directive:
			return nil, damaged
		}
	}
}

// root goes to the first element and returns its name.
func (t *tokens) root() (string, error) {
	for {
		k, err := t.next()
		if err == io.EOF {
			return "", damaged
		}
		if err != nil {
			return "", err
		}
		if _, ok := k.(xml.StartElement); ok {
			return t.el.Name.Local, nil
		}
	}
}

// elements calls f for every element to come, to the end of the part or of the
// element that is open. f may go on within it.
func (t *tokens) elements(f func(name string) error) error {
	depth := t.depth
	for {
		k, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch k.(type) {
		case xml.StartElement:
			if err := f(t.el.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			if t.depth < depth {
				return nil
			}
		}
	}
}

// skip goes behind the end of the element that was just begun.
func (t *tokens) skip() error {
	for depth := t.depth; t.depth >= depth; {
		if _, err := t.next(); err != nil {
			return err
		}
	}
	return nil
}

// text returns the text of the element that was just begun, and goes behind it.
func (t *tokens) text() (string, error) {
	var b strings.Builder
	for depth := t.depth; t.depth >= depth; {
		k, err := t.next()
		if err != nil {
			return "", err
		}
		if s, ok := k.(xml.CharData); ok {
			if b.Len()+len(s) > limits.OfficeToken {
				return "", tooLarge
			}
			b.Write(s)
		}
	}
	return b.String(), nil
}

// attr returns an attribute of the last element that was begun, by local name.
func (t *tokens) attr(name string) string {
	for _, a := range t.el.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// on reports whether an element or attribute without a value, or with this one,
// says yes.
func on(value string) bool {
	return value != "0" && value != "false" && value != "off" && value != "none"
}

// relationSet is a part's references to others: the parts' names by id, and the
// first of each kind. What lies outside is named nowhere.
type relationSet struct{ ids, kinds map[string]string }

// relations reads those of a part; of the package where part is empty.
func relations(a *archive, part string) (relationSet, error) {
	r := relationSet{map[string]string{}, map[string]string{}}
	dir, file := path.Split(part)
	name := dir + "_rels/" + file + ".rels"
	if !a.has(name) {
		return r, nil
	}
	err := a.part(name, func(t *tokens) error {
		return t.elements(func(name string) error {
			if name != "Relationship" || t.attr("TargetMode") == "External" {
				return nil
			}
			if len(r.ids) >= limits.OfficeNames {
				return tooLarge
			}
			target, kind := resolve(dir, t.attr("Target")), last(t.attr("Type"))
			r.ids[t.attr("Id")] = target
			if _, had := r.kinds[kind]; !had {
				r.kinds[kind] = target
			}
			return nil
		})
	})
	return r, err
}

// last returns what stands behind the last slash.
func last(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// resolve returns the name of the part that a reference within the directory
// means: a key of the archive, or one that no archive has.
func resolve(dir, ref string) string {
	ref, _, _ = strings.Cut(ref, "#")
	if s, err := url.PathUnescape(ref); err == nil {
		ref = s
	}
	if !strings.HasPrefix(ref, "/") {
		ref = dir + ref
	}
	return strings.TrimPrefix(path.Clean("/"+ref), "/")
}
