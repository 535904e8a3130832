package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// reference follows $ref within the schema. Each target is one rule, which may
// refer to itself.
func (c *compiler) reference(o *object, v any, at string, depth int) (string, error) {
	if err := only(o, at, "$ref"); err != nil {
		return "", err
	}
	ref, ok := v.(string)
	if !ok || ref != "#" && !strings.HasPrefix(ref, "#/") {
		return "", refuse(at, "$ref leads out of the schema")
	}
	if n, ok := c.refs[ref]; ok {
		return n, nil
	}
	target := c.root
	for _, part := range strings.Split(ref, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		o, ok := target.(*object)
		if ok {
			target, ok = o.get(part)
		}
		if !ok {
			return "", refuse(at, "$ref %q leads nowhere", ref)
		}
	}
	// Named before its body is known, so that it can stand in it.
	n := fmt.Sprintf("r%d", len(c.rules))
	c.rules = append(c.rules, rule{name: n})
	place := len(c.rules) - 1
	c.refs[ref] = n
	body, err := c.schema(target, ref, depth+1)
	if err != nil {
		return "", err
	}
	c.rules[place].body = body
	return n, nil
}

// choice is anyOf, oneOf, or an allOf of one.
func (c *compiler) choice(o *object, word string, v any, at string, depth int) (string, error) {
	if err := only(o, at, word); err != nil {
		return "", err
	}
	list, ok := v.([]any)
	switch {
	case !ok || len(list) == 0:
		return "", refuse(at, "%s is a list", word)
	case len(list) > limits.SchemaChoices:
		return "", refuse(at, "%s has more than %d alternatives", word, limits.SchemaChoices)
	case word == "allOf" && len(list) > 1:
		return "", refuse(at, "the word \"allOf\" is not supported with more than one schema")
	case word == "oneOf":
		for i := range list {
			for _, b := range list[:i] {
				if !c.disjoint(list[i], b, 0) {
					return "", refuse(at, "something may be valid under two of oneOf; say anyOf")
				}
			}
		}
	}
	var out []string
	for i, s := range list {
		e, err := c.schema(s, fmt.Sprintf("%s/%s/%d", at, word, i), depth+1)
		if err != nil {
			return "", err
		}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return alternatives(out), nil
}

// disjoint reports that nothing can be valid under both; false when that is not
// plain to see.
func (c *compiler) disjoint(a, b any, depth int) bool {
	x, y := c.resolve(a), c.resolve(b)
	if x == nil || y == nil || depth > limits.SchemaDepth {
		return false
	}
	v, ok1 := values(x)
	w, ok2 := values(y)
	if ok1 && ok2 {
		for _, i := range v {
			for _, k := range w {
				if same := literal(i) == literal(k); same || kindOf(i) == kindOf(k) && kindOf(i) != "string" && kindOf(i) != "boolean" {
					return false // numbers have several forms, and what holds them too
				}
			}
		}
		return true
	}
	s, t := x.kinds(v, ok1), y.kinds(w, ok2)
	if len(s) > 0 && len(t) > 0 && !slices.ContainsFunc(s, func(k string) bool { return slices.Contains(t, k) }) {
		return true
	}
	// Two objects that both need one property, with values that are disjoint.
	p, _ := x.values["properties"].(*object)
	q, _ := y.values["properties"].(*object)
	if p == nil || q == nil {
		return false
	}
	for _, k := range p.keys {
		if other, ok := q.get(k); ok && x.needs(k) && y.needs(k) && slices.Equal(s, []string{"object"}) && slices.Equal(t, s) && c.disjoint(p.values[k], other, depth+1) {
			return true
		}
	}
	return false
}

// kinds returns the types that a schema allows; none when that is not said.
// Numbers are one kind.
func (o *object) kinds(values []any, isEnum bool) []string {
	var out []string
	if isEnum {
		for _, v := range values {
			out = append(out, kindOf(v))
		}
		return out
	}
	switch t := o.values["type"].(type) {
	case string:
		out = []string{t}
	case []any:
		for _, v := range t {
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
	}
	for i, t := range out {
		if t == "integer" {
			out[i] = "number"
		}
	}
	return out
}

func (o *object) needs(key string) bool {
	r, _ := o.values["required"].([]any)
	return slices.Contains(r, any(key))
}

// values returns what enum or const allow.
func values(o *object) ([]any, bool) {
	if v, ok := o.get("const"); ok {
		return []any{v}, true
	}
	v, ok := o.values["enum"].([]any)
	return v, ok
}

// resolve follows references to an object; nil when there is none.
func (c *compiler) resolve(v any) *object {
	for range limits.SchemaDepth {
		o, ok := v.(*object)
		if !ok {
			return nil
		}
		ref, ok := o.values["$ref"].(string)
		if !ok {
			return o
		}
		v = c.root
		for _, part := range strings.Split(ref, "/")[1:] {
			in, ok := v.(*object)
			if !ok {
				return nil
			}
			v = in.values[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
		}
	}
	return nil
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// enum is one of the given values, written as JSON.
func (c *compiler) enum(o *object, word string, v any, at string) (string, error) {
	if err := only(o, at, word, "type"); err != nil {
		return "", err
	}
	list := []any{v}
	if word == "enum" {
		var ok bool
		if list, ok = v.([]any); !ok || len(list) == 0 {
			return "", refuse(at, "enum is a list")
		}
	}
	if len(list) > limits.SchemaAlternatives {
		return "", refuse(at, "enum has more than %d values", limits.SchemaAlternatives)
	}
	types := []string{""}
	if _, ok := o.get("type"); ok {
		var err error
		if types, err = typesOf(o, at); err != nil {
			return "", err
		}
	}
	var out []string
	for _, v := range list {
		if types[0] != "" && !slices.ContainsFunc(types, func(t string) bool { return isType(v, t) }) {
			continue // of another type, so it is not valid
		}
		out = append(out, literal(v))
	}
	if len(out) == 0 {
		return "", refuse(at, "no value of %s has the type", word)
	}
	slices.Sort(out)
	return tree(slices.Compact(out)), nil
}

// tree is one of the words, which are in order, with what they begin with in
// common written once: the engine looks at each alternative at every token (256
// words without it: 0.4 s a token with a vocabulary of 49,000).
func tree(words []string) string {
	if len(words) == 1 {
		return quote(words[0])
	}
	first, last := words[0], words[len(words)-1]
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	for n > 0 && (n < len(first) && !utf8.RuneStart(first[n]) || n < len(last) && !utf8.RuneStart(last[n])) {
		n--
	}
	var out []string
	for i := 0; i < len(words); {
		rest := words[i][n:]
		r, _ := utf8.DecodeRuneInString(rest)
		j := i + 1
		for rest != "" && j < len(words) && strings.HasPrefix(words[j][n:], string(r)) {
			j++
		}
		group := make([]string, 0, j-i)
		for _, w := range words[i:j] {
			group = append(group, w[n:])
		}
		out = append(out, tree(group))
		i = j
	}
	if n == 0 {
		return alternatives(out)
	}
	return quote(first[:n]) + " " + alternatives(out)
}

func isType(v any, t string) bool {
	if n, ok := v.(json.Number); ok && t == "integer" {
		_, err := strconv.ParseInt(n.String(), 10, 64)
		return err == nil
	}
	return kindOf(v) == t
}

// literal writes a value as JSON.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case string:
		return jsonText(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = literal(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	o := v.(*object)
	parts := make([]string, len(o.keys))
	for i, k := range o.keys {
		parts[i] = jsonText(k) + ":" + literal(o.values[k])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// jsonText writes a text as JSON, with escapes only where they are needed.
func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(jsonRune(r))
	}
	b.WriteByte('"')
	return b.String()
}

func jsonRune(r rune) string {
	switch {
	case r == '"' || r == '\\':
		return `\` + string(r)
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < ' ' || r == 0x7f:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}

// quote writes a text as a literal of the grammar.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// object is the properties that are required, then those that are not.
func (c *compiler) object(o *object, at string, depth int) (string, error) {
	properties := &object{}
	if v, ok := o.get("properties"); ok {
		if properties, ok = v.(*object); !ok {
			return "", refuse(at, "properties are an object")
		}
	}
	required, err := requiredOf(o, properties, at)
	if err != nil {
		return "", err
	}
	more, hasMore := o.get("additionalProperties")
	if len(properties.keys) == 0 {
		return c.freeObject(more, hasMore, at, depth)
	}
	switch more.(type) {
	case nil, bool, *object:
	default:
		return "", refuse(at, "additionalProperties is a schema")
	}
	if len(properties.keys) > limits.SchemaProperties {
		return "", refuse(at, "it has more than %d properties", limits.SchemaProperties)
	}
	var fixed, optional []string
	for _, k := range properties.keys {
		v, err := c.schema(properties.values[k], at+"/properties/"+k, depth+1)
		if err != nil {
			return "", err
		}
		pair := c.name(quote(jsonText(k)+":") + ` " "? ` + v)
		if slices.Contains(required, k) {
			fixed = append(fixed, pair)
		} else {
			optional = append(optional, pair)
		}
	}
	if len(optional) > limits.SchemaOptional {
		return "", refuse(at, "more than %d properties may be missing", limits.SchemaOptional)
	}
	const comma = ` "," " "? `
	if len(fixed) > 0 {
		e := `"{" ` + strings.Join(fixed, comma)
		for _, p := range optional {
			e += ` ("," " "? ` + p + `)?`
		}
		return c.name(e + ` "}"`), nil
	}
	// The first one that comes has no comma before it.
	var starts []string
	rest := ""
	for _, p := range slices.Backward(optional) {
		starts = append(starts, p+rest)
		rest = " " + c.name(`("," " "? `+p+`)?`+rest)
	}
	slices.Reverse(starts)
	return c.name(`"{" (` + strings.Join(starts, " | ") + `)? "}"`), nil
}

func requiredOf(o, properties *object, at string) ([]string, error) {
	v, ok := o.get("required")
	if !ok {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, refuse(at, "required is a list")
	}
	var out []string
	for _, k := range list {
		s, ok := k.(string)
		if !ok {
			return nil, refuse(at, "required is a list of texts")
		}
		if _, ok := properties.values[s]; !ok {
			return nil, refuse(at, "%q is required and not among the properties", s)
		}
		out = append(out, s)
	}
	return out, nil
}

// freeObject has names of the model's own.
func (c *compiler) freeObject(more any, has bool, at string, depth int) (string, error) {
	if has && more == false {
		return `"{}"`, nil
	}
	value := c.anything(limits.SchemaAnything - 1)
	if has && more != true {
		var err error
		if value, err = c.schema(more, at+"/additionalProperties", depth+1); err != nil {
			return "", err
		}
	}
	pair := c.name(c.str("*") + ` ":" " "? ` + value)
	return c.name(c.listed("{", pair, "}")), nil
}

// count reads a number of items or characters.
func count(o *object, word, at string, otherwise int) (int, error) {
	v, ok := o.get(word)
	if !ok {
		return otherwise, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return 0, refuse(at, "%s is a number", word)
	}
	i, err := strconv.ParseInt(n.String(), 10, 32)
	if err != nil || i < 0 {
		return 0, refuse(at, "%s is a whole number", word)
	}
	return int(i), nil
}

// counts reads a least and a most; most < 0 is no limit. A most beyond what a
// grammar can count is lowered, which only makes the grammar narrower.
func counts(o *object, least, most, at string) (int, int, error) {
	from, err := count(o, least, at, 0)
	if err != nil {
		return 0, 0, err
	}
	to, err := count(o, most, at, -1)
	if err != nil {
		return 0, 0, err
	}
	if from > limits.SchemaRepeat {
		return 0, 0, refuse(at, "%s is more than %d", least, limits.SchemaRepeat)
	}
	if to > limits.SchemaRepeat {
		to = limits.SchemaRepeat
	}
	if to >= 0 && to < from {
		return 0, 0, refuse(at, "%s is more than %s", least, most)
	}
	return from, to, nil
}

// repeated is e so many times.
func repeated(e string, from, to int) string {
	switch {
	case to < 0 && from == 0:
		return e + "*"
	case to < 0 && from == 1:
		return e + "+"
	case to < 0:
		return fmt.Sprintf("%s{%d,}", e, from)
	case from == to:
		return fmt.Sprintf("%s{%d}", e, from)
	}
	return fmt.Sprintf("%s{%d,%d}", e, from, to)
}

func (c *compiler) array(o *object, at string, depth int) (string, error) {
	from, to, err := counts(o, "minItems", "maxItems", at)
	if err != nil {
		return "", err
	}
	if v, ok := o.get("prefixItems"); ok {
		return c.tuple(o, v, from, to, at, depth)
	}
	item := ""
	if v, ok := o.get("items"); ok {
		if v == false {
			to = 0
			if from > 0 {
				return "", refuse(at, "minItems of no items")
			}
		} else if item, err = c.schema(v, at+"/items", depth+1); err != nil {
			return "", err
		}
	} else {
		item = c.anything(limits.SchemaAnything - 1)
	}
	if to == 0 {
		return `"[]"`, nil
	}
	rest := c.name(`"," " "? ` + item)
	left := to - 1
	if to < 0 {
		left = -1
	}
	e := item + " " + repeated(rest, max(from-1, 0), left)
	if left == 0 {
		e = item
	}
	if from == 0 {
		e = "(" + e + ")?"
	}
	return c.name(`"[" ` + e + ` "]"`), nil
}

// tuple is an array of fixed items; how many there are has to be exact.
func (c *compiler) tuple(o *object, v any, from, to int, at string, depth int) (string, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 || len(list) > limits.SchemaProperties {
		return "", refuse(at, "prefixItems is a list of at most %d", limits.SchemaProperties)
	}
	if more, ok := o.get("items"); ok && more != false {
		return "", refuse(at, "the word \"items\" is not supported beside prefixItems, but for false")
	}
	if from > len(list) || to >= 0 && to < len(list) {
		return "", refuse(at, "minItems and maxItems do not fit prefixItems")
	}
	var items []string
	for i, s := range list {
		e, err := c.schema(s, fmt.Sprintf("%s/prefixItems/%d", at, i), depth+1)
		if err != nil {
			return "", err
		}
		items = append(items, e)
	}
	return c.name(`"[" ` + strings.Join(items, ` "," " "? `) + ` "]"`), nil
}

// ends refuses rules that have no end, as that of an object which needs itself, and
// those that come to themselves without a character before.
func (c *compiler) ends() error {
	bodies := map[string][][]part{}
	for _, r := range c.rules {
		bodies[r.name] = read(r.body)
	}
	done := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for _, r := range c.rules {
			if !done[r.name] && canEnd(bodies[r.name], done) {
				done[r.name], changed = true, true
			}
		}
	}
	for _, r := range c.rules {
		seen := map[string]bool{}
		starts(bodies[r.name], bodies, seen)
		if !done[r.name] || seen[r.name] {
			return refuse("#", "a $ref leads to itself without an end")
		}
	}
	return nil
}
