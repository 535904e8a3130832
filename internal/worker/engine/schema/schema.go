// Package schema turns a JSON Schema (draft 2020-12, and what older drafts have in
// common with it) into a grammar of llama.cpp's form, GBNF, such that every text
// of the grammar is JSON that the schema allows.
//
// The grammar may be narrower than the schema: properties come in the order in
// which they are declared, those that are required first, and no others; numbers
// have at most 16 digits; there is no white space but one blank behind ":" and ",".
//
// A grammar costs time at every token, so what would make it explode is refused
// (limits.Schema*), and so is every word that the grammar does not keep to, by its
// name: a schema that is kept to in part would not be kept to. Grammars of callers
// are not taken at all. Rules of the grammar may refer to themselves, but never
// without a character before it, and never without an end.
//
// Package serve uses it.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// Grammar returns the grammar of a schema, whose first rule is root. Errors:
// errs.SchemaRefused, with what is not supported and where.
func Grammar(source []byte) (string, error) {
	if len(source) > limits.SchemaBytes {
		return "", refuse("#", "it has more than %d bytes", limits.SchemaBytes)
	}
	root, err := parse(source)
	if err != nil {
		return "", err
	}
	c := &compiler{root: root, names: map[string]string{}, refs: map[string]string{}}
	e, err := c.schema(root, "#", 0)
	if err != nil {
		return "", err
	}
	if err := c.ends(); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("root ::= " + e + "\n")
	for _, r := range c.rules {
		b.WriteString(r.name + " ::= " + r.body + "\n")
		if b.Len() > limits.SchemaGrammar {
			return "", refuse("#", "it makes a grammar of more than %d bytes", limits.SchemaGrammar)
		}
	}
	return b.String(), nil
}

// refuse makes the error for what stands at a place of the schema.
func refuse(at, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if at != "#" {
		text += " (at " + at + ")"
	}
	if len(text) > limits.SchemaReason {
		text = strings.ToValidUTF8(text[:limits.SchemaReason], "") + "…"
	}
	return errs.New(errs.SchemaRefused, "schema.grammar").With(visible.Text(text))
}

// node is a JSON value with the order of its keys: nil, bool, json.Number, string,
// []any, or *object.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) get(k string) (any, bool) { v, ok := o.values[k]; return v, ok }

// parse reads JSON, of a bounded depth and without a key twice.
func parse(source []byte) (any, error) {
	if at := half(source); at >= 0 {
		// The decoder would take it for the replacement character.
		return nil, refuse("#", "%s is half of a character", source[at:at+6])
	}
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if d.More() {
		return nil, refuse("#", "it is more than one JSON value")
	}
	if _, err := d.Token(); err == nil {
		return nil, refuse("#", "it is more than one JSON value")
	}
	return v, nil
}

// half returns where an escape of half a surrogate pair stands; -1 = there is none.
func half(source []byte) int {
	unit := func(at int) rune {
		if at+6 <= len(source) && source[at] == '\\' && source[at+1] == 'u' {
			if n, err := strconv.ParseUint(string(source[at+2:at+6]), 16, 16); err == nil {
				return rune(n)
			}
		}
		return 0
	}
	for at := 0; at < len(source); at++ {
		if source[at] != '\\' {
			continue
		}
		if utf16.IsSurrogate(unit(at)) {
			if utf16.DecodeRune(unit(at), unit(at+6)) == unicode.ReplacementChar {
				return at
			}
			at += 6
		}
		at++ // what is escaped may be a backslash
	}
	return -1
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > limits.SchemaDepth*4 {
		return nil, refuse("#", "its JSON nests too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, refuse("#", "it is not JSON")
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		if err != nil {
			return nil, refuse("#", "it is not JSON")
		}
		return list, nil
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, refuse("#", "it is not JSON")
			}
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			key := k.(string)
			if _, twice := o.values[key]; twice {
				return nil, refuse("#", "the key %q comes twice", key)
			}
			o.keys = append(o.keys, key)
			o.values[key] = v
		}
		if _, err := d.Token(); err != nil {
			return nil, refuse("#", "it is not JSON")
		}
		return o, nil
	}
	return t, nil
}

// rule is a line of the grammar.
type rule struct{ name, body string }

type compiler struct {
	root  any
	rules []rule
	// names of rules by their bodies; of references by their targets.
	names map[string]string
	refs  map[string]string
	nodes int
}

// name makes a rule of a body and returns its name; equal bodies share one.
func (c *compiler) name(body string) string {
	if n, ok := c.names[body]; ok {
		return n
	}
	n := fmt.Sprintf("r%d", len(c.rules))
	c.rules = append(c.rules, rule{n, body})
	c.names[body] = n
	return n
}

// annotations say nothing about what is valid.
func annotations() []string {
	return []string{"title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly", "$defs", "definitions"}
}

// only refuses words of a schema but those, and annotations.
func only(o *object, at string, words ...string) error {
	for _, k := range o.keys {
		if !slices.Contains(words, k) && !slices.Contains(annotations(), k) {
			if slices.Contains(vocabulary(), k) {
				return refuse(at, "the word %q is not supported here", k)
			}
			return refuse(at, "the word %q is not supported", k)
		}
	}
	return nil
}

// vocabulary is what is supported somewhere.
func vocabulary() []string {
	return []string{
		"type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "minLength", "maxLength",
		"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "anyOf", "oneOf", "allOf", "$ref",
	}
}

// schema returns an expression for a schema.
func (c *compiler) schema(v any, at string, depth int) (string, error) {
	c.nodes++
	switch {
	case c.nodes > limits.SchemaNodes:
		return "", refuse(at, "it has more than %d parts", limits.SchemaNodes)
	case depth > limits.SchemaDepth:
		return "", refuse(at, "it nests deeper than %d", limits.SchemaDepth)
	}
	if b, ok := v.(bool); ok {
		if !b {
			return "", refuse(at, "nothing is valid under false")
		}
		return c.anything(limits.SchemaAnything), nil
	}
	o, ok := v.(*object)
	if !ok {
		return "", refuse(at, "a schema is an object")
	}
	for _, word := range []string{"$ref", "anyOf", "oneOf", "allOf", "enum", "const"} {
		w, ok := o.get(word)
		if !ok {
			continue
		}
		switch word {
		case "$ref":
			return c.reference(o, w, at, depth)
		case "enum", "const":
			return c.enum(o, word, w, at)
		}
		return c.choice(o, word, w, at, depth)
	}
	types, err := typesOf(o, at)
	if err != nil {
		return "", err
	}
	var out []string
	for _, t := range types {
		e, err := c.typed(o, t, len(types) > 1, at, depth)
		if err != nil {
			return "", err
		}
		out = append(out, e)
	}
	return alternatives(out), nil
}

// typesOf returns the types that a schema names, or that its words are about.
func typesOf(o *object, at string) ([]string, error) {
	all := []string{"object", "array", "string", "integer", "number", "boolean", "null"}
	var out []string
	switch t, _ := o.get("type"); t := t.(type) {
	case nil:
		for word, of := range map[string]string{
			"properties": "object", "required": "object", "additionalProperties": "object", "items": "array", "prefixItems": "array", "pattern": "string",
		} {
			if _, ok := o.get(word); ok {
				return nil, refuse(at, "the word %q needs \"type\": %q beside it", word, of)
			}
		}
		return []string{""}, nil
	case string:
		out = []string{t}
	case []any:
		for _, v := range t {
			s, _ := v.(string)
			if slices.Contains(out, s) {
				return nil, refuse(at, "a type comes twice")
			}
			out = append(out, s)
		}
	default:
		return nil, refuse(at, "a type is a text or a list of them")
	}
	for _, t := range out {
		if !slices.Contains(all, t) {
			return nil, refuse(at, "the type %q is not known", t)
		}
	}
	if len(out) == 0 {
		return nil, refuse(at, "it names no type")
	}
	if slices.Contains(out, "number") {
		out = slices.DeleteFunc(out, func(t string) bool { return t == "integer" })
	}
	return out, nil
}

// typed returns an expression for one type. When there are several, words that
// are about another one do not matter.
func (c *compiler) typed(o *object, t string, several bool, at string, depth int) (string, error) {
	words := map[string][]string{
		"object": {"properties", "required", "additionalProperties"},
		"array":  {"items", "prefixItems", "minItems", "maxItems"},
		"string": {"minLength", "maxLength", "pattern", "format"},
		"number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
	}
	words["integer"] = words["number"]
	allowed := append([]string{"type"}, words[t]...)
	if several {
		for _, w := range words {
			allowed = append(allowed, w...)
		}
	}
	if err := only(o, at, allowed...); err != nil {
		return "", err
	}
	switch t {
	case "object":
		return c.object(o, at, depth)
	case "array":
		return c.array(o, at, depth)
	case "string":
		return c.text(o, at)
	case "integer", "number":
		return c.number(o, t == "integer", at)
	case "boolean":
		return `("true" | "false")`, nil
	case "null":
		return `"null"`, nil
	}
	return c.anything(limits.SchemaAnything), nil
}

// alternatives joins expressions.
func alternatives(e []string) string {
	if len(e) == 1 {
		return e[0]
	}
	return "(" + strings.Join(e, " | ") + ")"
}

// anything is any JSON value that nests so deep.
func (c *compiler) anything(depth int) string {
	out := []string{c.str("*"), c.name(numberBody(true, false)), `"true"`, `"false"`, `"null"`}
	if depth > 0 {
		in := c.anything(depth - 1)
		pair := c.name(c.str("*") + ` ":" " "? ` + in)
		out = append(out, c.listed("{", pair, "}"), c.listed("[", in, "]"))
	}
	return c.name(strings.Join(out, " | "))
}

// listed is open, items with commas between, and end; or nothing between.
func (c *compiler) listed(open, item, end string) string {
	return fmt.Sprintf(`%q (%s ("," " "? %s)*)? %q`, open, item, item, end)
}
