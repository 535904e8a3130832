package jinja

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func sortedKeys(m map[string]value) []string { return slices.Sorted(maps.Keys(m)) }

// jsonWriter writes a value as Python's json.dumps(ensure_ascii=False) does, which
// is what the transformers library puts in place of Jinja's own tojson.
type jsonWriter struct {
	m      *machine
	b      strings.Builder
	texts  []str
	indent string
	item   string
	colon  string
	sort   bool
}

// toJSON is the filter. When a text given from outside is in the value, all of
// the result counts as that text.
func toJSON(m *machine, v value, a args) (value, error) {
	w := &jsonWriter{m: m, item: ", ", colon: ": ", sort: a.flag(3, "sort_keys")}
	if x, ok := a.at(1, "indent"); ok && x != nil {
		n, ok := whole(x)
		const most = 64
		if !ok || n < 0 || n > most {
			return nil, failed("an indentation of %s", typeName(x))
		}
		w.indent, w.item = strings.Repeat(" ", int(n)), ","
	}
	if x, ok := a.at(2, "separators"); ok && x != nil {
		l, ok := x.(*list)
		if !ok || len(l.items) != 2 {
			return nil, failed("separators are two texts")
		}
		for i, to := range []*string{&w.item, &w.colon} {
			s, ok := l.items[i].(str)
			if !ok {
				return nil, failed("separators are two texts")
			}
			*to = s.s()
		}
	}
	if ascii, ok := a.at(0, "ensure_ascii"); ok && truth(ascii) {
		return nil, failed("tojson with ensure_ascii is not supported")
	}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	return all(w.b.String(), w.texts...), nil
}

func (w *jsonWriter) write(v value, depth int) error {
	if err := w.m.down(); err != nil {
		return err
	}
	defer w.m.up()
	if w.b.Len() > w.m.l.Output {
		return limit("its output is too long")
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.b.WriteString(pythonFloat(v))
	case str:
		return w.text(v)
	case *list:
		return w.group("[", "]", len(v.items), depth, func(i int) error { return w.write(v.items[i], depth+1) })
	case *dict:
		keys := v.keys
		if w.sort {
			keys = slices.Clone(keys)
			slices.SortStableFunc(keys, func(a, b value) int {
				x, _ := id(a)
				y, _ := id(b)
				return strings.Compare(x, y)
			})
		}
		return w.group("{", "}", len(keys), depth, func(i int) error {
			k, ok := keys[i].(str)
			if !ok {
				plain := &jsonWriter{m: w.m}
				if err := plain.write(keys[i], depth); err != nil {
					return err
				}
				k = own(plain.b.String())
			}
			if err := w.text(k); err != nil {
				return err
			}
			w.b.WriteString(w.colon)
			return w.write(v.at(keys[i]), depth+1)
		})
	default:
		return wrong(v, "JSON")
	}
	return nil
}

func (w *jsonWriter) group(open, end string, n, depth int, each func(int) error) error {
	w.b.WriteString(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.line(depth + 1)
		if err := each(i); err != nil {
			return err
		}
	}
	if n > 0 {
		w.line(depth)
	}
	w.b.WriteString(end)
	return nil
}

func (w *jsonWriter) line(depth int) {
	if w.indent != "" {
		w.b.WriteString("\n" + strings.Repeat(w.indent, depth))
	}
}

func (w *jsonWriter) text(s str) error {
	const escaped = 6
	t := s.s()
	if err := w.m.alloc(escaped * len(t)); err != nil {
		return err
	}
	w.texts = append(w.texts, s)
	w.b.WriteByte('"')
	for _, r := range t {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r == '\r':
			w.b.WriteString(`\r`)
		case r == '\t':
			w.b.WriteString(`\t`)
		case r == '\b':
			w.b.WriteString(`\b`)
		case r == '\f':
			w.b.WriteString(`\f`)
		case r < ' ':
			fmt.Fprintf(&w.b, `\u%04x`, r)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
	return nil
}

// strftime writes a time as C does, for the letters that templates use.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		plain := i < len(format) && format[i] == '-'
		if plain {
			i++
		}
		if i >= len(format) {
			return "", failed("a time's format is cut off")
		}
		layout := map[byte]string{
			'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'B': "January", 'b': "Jan", 'h': "Jan",
			'A': "Monday", 'a': "Mon", 'j': "002", 'e': "_2", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'Z': "MST", 'z': "-0700", '%': "%",
		}[format[i]]
		if layout == "" {
			r, _ := utf8.DecodeRuneInString(format[i:])
			return "", failed("the time format %%%c is not supported", r)
		}
		s := t.Format(layout)
		if plain {
			s = strings.TrimPrefix(s, "0")
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
