package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// sampler makes sentences of a grammar.
type sampler struct {
	t     testing.TB
	r     *rand.Rand
	rules map[string][][]part
	out   strings.Builder
	depth int
}

// sentence returns one text of the grammar.
func sentence(t testing.TB, g string, seed uint64) string {
	t.Helper()
	s := &sampler{t: t, r: rand.New(rand.NewPCG(seed, 1)), rules: map[string][][]part{}}
	for line := range strings.Lines(g) {
		name, body, ok := strings.Cut(strings.TrimSpace(line), " ::= ")
		if !ok {
			t.Fatalf("the line %q", line)
		}
		s.rules[name] = read(body)
	}
	s.alternatives(s.rules["root"])
	return s.out.String()
}

func (s *sampler) alternatives(a [][]part) {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > 10_000 {
		s.t.Fatal("the grammar leads to itself")
	}
	pick := s.r.IntN(len(a))
	if s.depth > 60 { // towards an end: the alternative with the fewest rules
		for i := range a {
			if refs(a[i]) < refs(a[pick]) {
				pick = i
			}
		}
	}
	for _, p := range a[pick] {
		n := p.from
		most := p.to
		if most < 0 || most > n+5 {
			most = n + 5
		}
		if s.depth <= 60 {
			n += s.r.IntN(most - n + 1)
		}
		for range n {
			s.one(p)
		}
	}
}

func refs(seq []part) int {
	n := 0
	for _, p := range seq {
		if p.ref != "" {
			n += 10
		}
		for _, a := range p.group {
			n += refs(a)
		}
	}
	return n
}

func (s *sampler) one(p part) {
	switch {
	case p.lit:
		s.out.WriteString(unescape(s.t, p.text))
	case p.class != "":
		s.out.WriteRune(s.class(p.class))
	case p.ref != "":
		body, ok := s.rules[p.ref]
		if !ok {
			s.t.Fatalf("no rule %q", p.ref)
		}
		s.alternatives(body)
	default:
		s.alternatives(p.group)
	}
}

func unescape(t testing.TB, s string) string {
	var b strings.Builder
	for s != "" {
		r, rest := next(t, s)
		b.WriteRune(r)
		s = rest
	}
	return b.String()
}

// next reads a character of a literal or a class, as llama.cpp does.
func next(t testing.TB, s string) (rune, string) {
	r, n := utf8.DecodeRuneInString(s)
	if r != '\\' {
		return r, s[n:]
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	if digits == 0 {
		if i := strings.IndexByte("trn", s[1]); i >= 0 {
			return rune("\t\r\n"[i]), s[2:]
		}
		if !strings.ContainsRune(`\"[]`, rune(s[1])) {
			t.Fatalf("the escape %q", s[:2])
		}
		return rune(s[1]), s[2:]
	}
	v, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	return rune(v), s[2+digits:]
}

func (s *sampler) class(c string) rune {
	not := strings.HasPrefix(c, "^")
	c = strings.TrimPrefix(c, "^")
	var ranges [][2]rune
	for c != "" {
		var lo, hi rune
		lo, c = next(s.t, c)
		hi = lo
		if strings.HasPrefix(c, "-") && len(c) > 1 {
			hi, c = next(s.t, c[1:])
		}
		if lo > hi {
			s.t.Fatalf("the range %q-%q", lo, hi)
		}
		ranges = append(ranges, [2]rune{lo, hi})
	}
	if not {
		for {
			r := []rune(" az09é€😀'\u0080\u2028\ufffd")[s.r.IntN(12)]
			if !slices.ContainsFunc(ranges, func(x [2]rune) bool { return x[0] <= r && r <= x[1] }) {
				return r
			}
		}
	}
	x := ranges[s.r.IntN(len(ranges))]
	if s.r.IntN(3) == 0 {
		return x[s.r.IntN(2)] // the ends are where mistakes are
	}
	for {
		if r := x[0] + s.r.Int32N(x[1]-x[0]+1); utf8.ValidRune(r) {
			return r
		}
	}
}

// good are schemas that are kept to.
func good() []string {
	return []string{
		`{}`, `true`, `{"type":"string"}`, `{"type":"integer"}`, `{"type":"number"}`, `{"type":"boolean"}`, `{"type":"null"}`, `{"type":"object"}`, `{"type":"array"}`,
		`{"type":["string","null","integer"]}`, `{"type":["integer","number"]}`, `{"title":"T","description":"d","type":"string","default":"x","examples":["y"]}`,
		`{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"],"additionalProperties":false}`,
		`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"null"}},"required":["b"]}`,
		`{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"boolean"},"c":{"type":"boolean"}}}`,
		`{"type":"object","properties":{"q\"\\\n é":{"const":1}},"required":["q\"\\\n é"]}`,
		`{"type":"object","additionalProperties":{"type":"integer"}}`, `{"type":"object","additionalProperties":false}`, `{"type":"object","properties":{"a":{}},"additionalProperties":{"type":"string"}}`,
		`{"type":"array","items":{"type":"integer"}}`, `{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4}`, `{"type":"array","items":{"type":"boolean"},"minItems":1}`,
		`{"type":"array","items":{"type":"boolean"},"maxItems":1}`, `{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":1}`, `{"type":"array","maxItems":0}`, `{"type":"array","items":false}`,
		`{"type":"array","items":{"type":"null"},"maxItems":100000}`, `{"type":"array","items":{"type":"null"},"minItems":3}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, `{"type":"array","prefixItems":[{"const":null}],"minItems":1,"maxItems":1}`,
		`{"enum":["\ud83d\ude00","\\ud800","\u00e9\\\\"]}`,
		`{"enum":["a","b\"c",1,-2.5,null,true,{"x":[1,{"y":"z"}]},[]]}`, `{"const":"only"}`, `{"type":"string","enum":["a",1,"b"]}`, `{"type":"integer","enum":[1,2.5,3]}`, `{"const":"line\nbreak\t\u0001\u007f"}`,
		`{"type":"string","minLength":3}`, `{"type":"string","maxLength":3}`, `{"type":"string","minLength":2,"maxLength":5}`, `{"type":"string","minLength":4,"maxLength":4}`, `{"type":"string","maxLength":0}`, `{"type":"string","maxLength":1000000}`,
		`{"type":"string","pattern":"^[a-z]+$"}`, `{"type":"string","pattern":"^[A-Z]{2}[0-9]{3,5}$"}`, `{"type":"string","pattern":"^(foo|bar|ba)z?$"}`, `{"type":"string","pattern":"^[^@]+@([a-z]+\\.)+[A-Z]{2}$"}`, `{"type":"string","pattern":"^a{3}b{0,2}c{2,}$"}`, `{"type":"string","pattern":"^\\d{4}-\\d{2}$"}`,
		`{"type":"string","pattern":"^[^a]*$"}`, `{"type":"string","pattern":"^.+$"}`, `{"type":"string","pattern":"^\\w+@\\w+\\.com$"}`, `{"type":"string","pattern":"^[\"\\\\/\\]\\[^-]+$"}`, `{"type":"string","pattern":"^$"}`,
		`{"type":"string","pattern":"^a\"b\\\\c$"}`, `{"type":"string","pattern":"^[a-z0-9]+(-[a-z0-9]+)*$"}`, `{"type":"string","pattern":"^(\\.[0-9]{1,3}){3}$"}`, `{"type":"string","pattern":"^(ab|cd|[xy]z)+$"}`, `{"type":"string","pattern":"^([a-z]{3}[0-9]){2,4}$"}`, `{"type":"string","pattern":"^([a-z]{1,10}-){3}$"}`, `{"enum":["foo","foobar","fo","é","è","",1,12,123,"12"]}`, `{"type":"string","pattern":"^\\S+\\s\\S+$"}`, `{"type":"string","pattern":"^[é-ü€]+$"}`,
		`{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"date-time"}`, `{"type":"string","format":"uuid"}`, `{"type":"string","format":"ipv4"}`,
		`{"type":"integer","minimum":0}`, `{"type":"integer","minimum":1,"maximum":10}`, `{"type":"integer","minimum":-5,"maximum":5}`, `{"type":"integer","maximum":-3}`, `{"type":"integer","maximum":17}`, `{"type":"integer","minimum":-120}`,
		`{"type":"integer","minimum":17}`, `{"type":"integer","minimum":1900,"maximum":2100}`, `{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":3}`, `{"type":"integer","minimum":-1999,"maximum":-87}`, `{"type":"integer","minimum":95,"maximum":12345}`,
		`{"type":"integer","minimum":7,"maximum":7}`, `{"type":"integer","minimum":0,"maximum":1000000000000000}`, `{"type":"number","minimum":0}`, `{"type":"number","minimum":0,"maximum":1}`, `{"type":"number","minimum":10,"maximum":250}`, `{"type":"number","minimum":5,"maximum":5}`,
		`{"anyOf":[{"type":"string"},{"type":"integer","minimum":3}]}`, `{"oneOf":[{"type":"string"},{"type":"null"}]}`, `{"allOf":[{"type":"string","minLength":1}]}`,
		`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}`,
		`{"oneOf":[{"enum":["a"]},{"enum":["b",3]}]}`, `{"oneOf":[{"type":"string"},{"enum":[1,2]}]}`,
		`{"$defs":{"p":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}},"type":"array","items":{"$ref":"#/$defs/p"},"minItems":1}`,
		`{"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"]}},"$ref":"#/$defs/n"}`,
		`{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"]}`,
		`{"definitions":{"a/b":{"type":"boolean"}},"$ref":"#/definitions/a~1b"}`,
		`{"type":"object","properties":{"list":{"type":"array","items":{"type":"object","properties":{"deep":{"type":"array","items":{"enum":[1,2]}}},"required":["deep"]}}},"required":["list"]}`,
	}
}

// Every sentence of the grammar is JSON that the schema allows, as another reading
// of the schema finds.
func TestSentencesFit(t *testing.T) {
	for _, s := range good() {
		g, err := Grammar([]byte(s))
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		root, err := parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for seed := range uint64(200) {
			text := sentence(t, g, seed)
			seen[text] = true
			v, err := answer(text)
			if err != nil {
				t.Fatalf("%s\n%s makes %q, which is not JSON: %v", s, g, text, err)
			}
			var plain any
			if err := json.Unmarshal([]byte(text), &plain); err != nil {
				t.Fatalf("%s makes %q: %v", s, text, err)
			}
			if why := invalid(root, root, v); why != "" {
				t.Fatalf("%s\n%s makes %q: %s", s, g, text, why)
			}
		}
		if len(seen) == 1 && !strings.Contains(s, "const") && !strings.Contains(s, "null") && len(s) > 80 {
			t.Errorf("%s allows one text only", s)
		}
	}
}

// Both ends of ranges come, and nothing beyond; the grammar is not narrower than
// said.
func TestIntegerRangesAreWhole(t *testing.T) {
	for _, r := range [][2]int64{{0, 0}, {0, 9}, {1, 10}, {-5, 5}, {-12, -3}, {7, 123}, {99, 101}, {-30, 130}, {989, 1102}} {
		g, err := Grammar(fmt.Appendf(nil, `{"type":"integer","minimum":%d,"maximum":%d}`, r[0], r[1]))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for seed := range uint64(30_000) {
			seen[sentence(t, g, seed)] = true
		}
		for n := r[0]; n <= r[1]; n++ {
			if s := strconv.FormatInt(n, 10); !seen[s] {
				t.Errorf("%v: %s never comes", r, s)
			} else {
				delete(seen, s)
			}
		}
		if len(seen) > 0 {
			t.Errorf("%v: beyond it come %v", r, seen)
		}
	}
}

// What is not kept to is refused, and named.
func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 20) + `{}` + strings.Repeat(`}`, 20)
	wide := `{"enum":[` + strings.Repeat(`0,`, limits.SchemaAlternatives) + `0]}`
	many := `{"type":"object","properties":{`
	for i := range limits.SchemaProperties + 1 {
		many += fmt.Sprintf(`"p%d":{"type":"null"},`, i)
	}
	many = strings.TrimSuffix(many, ",") + `}}`
	nodes := `{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{"anyOf":[`+strings.TrimSuffix(strings.Repeat(`{"type":"null"},`, 30), ",")+`]},`, 30), ",") + `]}`
	for s, want := range map[string]string{
		``: "not JSON", `{`: "not JSON", `{} {}`: "more than one", `{}x`: "more than one", `[]`: "a schema is an object", `3`: "a schema is an object", `false`: "false",
		`{"enum":["\ud800"]}`: `\ud800 is half`, `{"const":"a\uDC00\uD800"}`: `\uDC00 is half`, `{"enum":["\ud800\ud800\udc00"]}`: "half", `{"type":"object","properties":{"\udfff":{}}}`: "half", `{"enum":["\\\\\udead"]}`: `\udead is half`,
		`{"type":"object","patternProperties":{}}`: `"patternProperties"`, `{"type":"integer","multipleOf":3}`: `"multipleOf"`, `{"not":{}}`: `"not"`,
		`{"type":"array","uniqueItems":true}`: `"uniqueItems"`, `{"type":"array","contains":{}}`: `"contains"`, `{"if":{}}`: `"if"`, `{"type":"object","minProperties":1}`: `"minProperties"`,
		`{"type":"string","format":"uri"}`: `"uri"`, `{"type":"string","contentEncoding":"base64"}`: `"contentEncoding"`, `{"type":"string","minLength":1,"pattern":"^a$"}`: "only one",
		`{"properties":{}}`: `"type": "object"`, `{"items":{}}`: `"type": "array"`, `{"type":"string","minimum":1}`: `"minimum"`, `{"type":"funny"}`: "funny", `{"type":7}`: "type", `{"type":[]}`: "no type",
		`{"$ref":"http://example.org/x"}`: "leads out", `{"$ref":"#/$defs/none"}`: "nowhere", `{"$ref":"#"}`: "without an end", `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`: "without an end",
		`{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}},"$ref":"#/$defs/a"}`: "without an end", `{"type":"object","properties":{"me":{"$ref":"#"}},"required":["me"]}`: "without an end",
		`{"allOf":[{"type":"string"},{"minLength":2}]}`: `"allOf"`, `{"oneOf":[{"type":"integer"},{"type":"number"}]}`: "anyOf", `{"oneOf":[{},{"type":"null"}]}`: "anyOf", `{"anyOf":[]}`: "list", `{"anyOf":[{"type":"null"}],"type":"null"}`: `"type"`,
		`{"type":"string","pattern":"abc"}`: `"pattern"`, `{"type":"string","pattern":"^a"}`: `"pattern"`, `{"type":"string","pattern":"^(a$"}`: "not supported", `{"type":"string","pattern":"^(?=a)b$"}`: "not supported",
		`{"type":"string","pattern":"^(a?){0,500}$"}`: "may be empty", `{"type":"string","pattern":"^(a*)*b$"}`: "may be empty", `{"type":"string","pattern":"^(a{1,8}){1,8}$"}`: "two ways", `{"type":"string","pattern":"^([a-z]+)*x$"}`: "two ways",
		`{"type":"string","pattern":"^(a{30}){30}$"}`: "512 places", `{"type":"string","pattern":"^(ab|[a-c]x)+$"}`: "two ways", `{"type":"string","pattern":"^.*@.*$"}`: "two ways", `{"type":"string","pattern":"^[a-z]*[a-z]*[a-z]*$"}`: "two ways",
		`{"type":"string","pattern":"^[a-z]{0,200}[a-z]{0,200}$"}`: "two ways", `{"type":"string","pattern":"^(a|b|ab)*c$"}`: "two ways", `{"type":"string","pattern":"^(-[a-z]+)*([a-z]+-[a-z])*$"}`: "two ways",
		`{"type":"string","pattern":"^a{1000}$"}`: "more than 512", `{"type":"string","pattern":"^\\bword$"}`: "not supported", `{"type":"string","pattern":"^[\\x00-\\x1f]$"}`: "control", `{"type":"string","pattern":"^\\p{L}$"}`: "not supported",
		`{"type":"string","minLength":500}`: "minLength", `{"type":"array","minItems":10000}`: "minItems", `{"type":"array","minItems":-1}`: "minItems", `{"type":"array","minItems":1.5}`: "minItems", `{"type":"array","minItems":3,"maxItems":2}`: "more than",
		`{"type":"integer","minimum":5,"maximum":4}`: "no number", `{"type":"integer","minimum":0.5}`: `"minimum"`, `{"type":"number","minimum":-1}`: "from 0 on", `{"type":"number","exclusiveMinimum":0}`: `"exclusiveMinimum"`, `{"type":"integer","minimum":1e30}`: `"minimum"`,
		`{"type":"object","properties":{"a":{}},"required":["b"]}`: `"b"`, `{"type":"object","required":["b"]}`: `"b"`, `{"type":"string","enum":[1]}`: "no value", `{"enum":[]}`: "list", `{"a":1,"a":2}`: "twice",
		`{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{},`, 33), ",") + `]}`: "more than 32", deep: "deeper", wide: "more than 256", many: "more than 64", nodes: "more than 512", strings.Repeat(" ", limits.SchemaBytes) + "{}": "bytes", strings.Repeat("[", 60_000): "deep", strings.Repeat(`{"not":`, 5000): "deep",
		`{"type":"string","pattern":"^` + strings.Repeat("a", limits.SchemaPattern) + `$"}`: "more than 512 bytes", "root ::= \"a\"": "not JSON",
	} {
		start := time.Now()
		g, err := Grammar([]byte(s))
		if errs.CodeOf(err) != errs.SchemaRefused || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %q, %v; want %q", s, g, err, want)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%.100s: refused after %v", s, took)
		}
	}
}

func FuzzGrammar(f *testing.F) {
	for _, s := range good() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		g, err := Grammar(s)
		if err != nil {
			if errs.CodeOf(err) != errs.SchemaRefused {
				t.Fatal(err)
			}
			return
		}
		root, err := parse(s)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(5) {
			text := sentence(t, g, seed)
			v, err := answer(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if why := invalid(root, root, v); why != "" {
				t.Fatalf("%q: %s\n%s", text, why, g)
			}
		}
	})
}

// answer reads a sentence. A map may have a key twice, of which the last counts.
func answer(s string) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return ordered(v), nil
}

func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := &object{values: map[string]any{}}
		for k, e := range v {
			o.keys = append(o.keys, k)
			o.values[k] = ordered(e)
		}
		slices.Sort(o.keys)
		return o
	case []any:
		for i := range v {
			v[i] = ordered(v[i])
		}
	}
	return v
}

// sorted writes a value with its keys in order, so that two can be compared.
func sorted(v any) string { return literal(resort(v)) }

func resort(v any) any {
	switch v := v.(type) {
	case *object:
		o := &object{values: map[string]any{}, keys: slices.Sorted(slices.Values(v.keys))}
		for k, e := range v.values {
			o.values[k] = resort(e)
		}
		return o
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = resort(v[i])
		}
		return out
	}
	return v
}

// invalid says why v is not valid under a schema, by the words of the
// specification one after the other; "" when it is.
func invalid(root, schema, v any) string {
	o, ok := schema.(*object)
	if !ok {
		if schema == true {
			return ""
		}
		return "false"
	}
	kind := kindOf(v)
	whole := false
	var num float64
	if n, ok := v.(json.Number); ok {
		num, _ = n.Float64()
		whole = num == float64(int64(num))
	}
	n := func(w string) float64 { f, _ := o.values[w].(json.Number).Float64(); return f }
	for word, w := range o.values {
		bad := false
		switch word {
		case "type":
			types, ok := w.([]any)
			if !ok {
				types = []any{w}
			}
			bad = !slices.Contains(types, any(kind)) && (!whole || kind != "number" || !slices.Contains(types, any("integer")))
		case "const":
			bad = sorted(v) != sorted(w)
		case "enum":
			bad = !slices.ContainsFunc(w.([]any), func(e any) bool { return sorted(e) == sorted(v) })
		case "$ref":
			target := root
			for _, p := range strings.Split(w.(string), "/")[1:] {
				target = target.(*object).values[strings.NewReplacer("~1", "/", "~0", "~").Replace(p)]
			}
			if why := invalid(root, target, v); why != "" {
				return why
			}
		case "anyOf", "oneOf", "allOf":
			fit := 0
			for _, s := range w.([]any) {
				if invalid(root, s, v) == "" {
					fit++
				}
			}
			bad = word == "anyOf" && fit == 0 || word == "oneOf" && fit != 1 || word == "allOf" && fit != len(w.([]any))
		}
		switch s := v.(type) {
		case string:
			length := float64(utf8.RuneCountInString(s))
			switch word {
			case "minLength":
				bad = length < n(word)
			case "maxLength":
				bad = length > n(word)
			case "pattern":
				bad = !regexp.MustCompile(w.(string)).MatchString(s)
			case "format":
				layout := map[string]string{"date": "2006-01-02", "time": "15:04:05Z07:00", "date-time": time.RFC3339}[w.(string)]
				if layout != "" {
					_, err := time.Parse(layout, s)
					bad = err != nil
				}
			}
		case json.Number:
			switch word {
			case "minimum":
				bad = num < n(word)
			case "maximum":
				bad = num > n(word)
			case "exclusiveMinimum":
				bad = num <= n(word)
			case "exclusiveMaximum":
				bad = num >= n(word)
			}
		case []any:
			prefix, _ := o.values["prefixItems"].([]any)
			switch word {
			case "minItems":
				bad = float64(len(s)) < n(word)
			case "maxItems":
				bad = float64(len(s)) > n(word)
			case "items":
				for _, e := range s[min(len(prefix), len(s)):] {
					if why := invalid(root, w, e); why != "" {
						return why
					}
				}
			case "prefixItems":
				for i := range min(len(prefix), len(s)) {
					if why := invalid(root, prefix[i], s[i]); why != "" {
						return why
					}
				}
			}
		case *object:
			properties, _ := o.values["properties"].(*object)
			switch word {
			case "required":
				for _, k := range w.([]any) {
					if _, ok := s.values[k.(string)]; !ok {
						return fmt.Sprintf("%v is missing", k)
					}
				}
			case "properties":
				for k, e := range s.values {
					if p, ok := properties.values[k]; ok {
						if why := invalid(root, p, e); why != "" {
							return why
						}
					}
				}
			case "additionalProperties":
				for k, e := range s.values {
					if properties != nil {
						if _, ok := properties.values[k]; ok {
							continue
						}
					}
					if why := invalid(root, w, e); why != "" {
						return "additional " + k + ": " + why
					}
				}
			}
		}
		if bad {
			return fmt.Sprintf("%s: %v", word, w)
		}
	}
	return ""
}
