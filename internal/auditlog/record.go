package auditlog

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// Record is one entry of the log. See the package comment for what the fields
// mean and how they are encoded.
type Record struct {
	Seq  uint64
	Time time.Time // to the millisecond
	Kind Kind

	App, Surface, Task, Verb          string
	Method, Decision, By, Grant, Code string
	RequestBytes, ResponseBytes       uint64
	Messages, Milliseconds            uint64
	Corr                              string
	Size                              uint64
	Root, Tag, Sealed                 string
}

// timeForm is the only form of a record's time.
const timeForm = "2006-01-02T15:04:05.000Z"

// sealedMax is limits.AuditDetail with nonce and authenticator in base64,
// rounded up.
const sealedMax = (limits.AuditDetail+12+16+2)/3*4 + 4

var errToken = errors.New("auditlog: a field is not 1 to 128 bytes of A-Z a-z 0-9 . _ : / + = @ -")

// ValidToken reports whether s may stand in a clear-text field of a record.
func ValidToken(s string) bool { return validToken(s, limits.AuditToken) }

func tokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '.', c == '_', c == ':', c == '/', c == '+', c == '=', c == '@', c == '-':
		return true
	}
	return false
}

func validToken(s string, max int) bool {
	if s == "" || len(s) > max {
		return false
	}
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return true
}

// member is one optional member of a record, in the order of the format.
type member struct {
	name string
	max  int // longest string; 0 for a number
	str  func(*Record) *string
	num  func(*Record) *uint64
}

func text(name string, at func(*Record) *string) member {
	return member{name: `,"` + name + `":`, max: limits.AuditToken, str: at}
}

func number(name string, at func(*Record) *uint64) member {
	return member{name: `,"` + name + `":`, num: at}
}

// members is the one list that encoder and decoder share.
var members = [...]member{
	text("app", func(r *Record) *string { return &r.App }),
	text("surface", func(r *Record) *string { return &r.Surface }),
	text("task", func(r *Record) *string { return &r.Task }),
	text("verb", func(r *Record) *string { return &r.Verb }),
	text("method", func(r *Record) *string { return &r.Method }),
	text("decision", func(r *Record) *string { return &r.Decision }),
	text("by", func(r *Record) *string { return &r.By }),
	text("grant", func(r *Record) *string { return &r.Grant }),
	text("code", func(r *Record) *string { return &r.Code }),
	number("request_bytes", func(r *Record) *uint64 { return &r.RequestBytes }),
	number("response_bytes", func(r *Record) *uint64 { return &r.ResponseBytes }),
	number("messages", func(r *Record) *uint64 { return &r.Messages }),
	number("ms", func(r *Record) *uint64 { return &r.Milliseconds }),
	text("corr", func(r *Record) *string { return &r.Corr }),
	number("size", func(r *Record) *uint64 { return &r.Size }),
	text("root", func(r *Record) *string { return &r.Root }),
	text("tag", func(r *Record) *string { return &r.Tag }),
	{name: `,"sealed":`, max: sealedMax, str: func(r *Record) *string { return &r.Sealed }},
}

// Append encodes r behind b, without a line feed. It refuses what is not in the
// format: a field with other bytes, a number of 2^63 or more, a year outside 1
// to 9999.
func (r *Record) Append(b []byte) ([]byte, error) {
	b, err := AppendSeq(b, r.Seq)
	if err != nil {
		return nil, err
	}
	return r.AppendRest(b)
}

// AppendSeq encodes the first member of a record.
func AppendSeq(b []byte, seq uint64) ([]byte, error) {
	if seq > math.MaxInt64 {
		return nil, errors.New("auditlog: number out of range")
	}
	return strconv.AppendUint(append(b, `{"seq":`...), seq, 10), nil
}

// AppendRest encodes what stands behind the number, so that a writer can encode
// a record before it knows the number.
func (r *Record) AppendRest(b []byte) ([]byte, error) {
	t := r.Time.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return nil, errors.New("auditlog: year out of range")
	}
	if !ValidToken(string(r.Kind)) {
		return nil, errToken
	}
	b = append(b, `,"time":"`...)
	b = t.AppendFormat(b, timeForm)
	b = append(b, `","kind":"`...)
	b = append(b, r.Kind...)
	b = append(b, '"')
	for i := range members {
		m := &members[i]
		if m.num != nil {
			n := *m.num(r)
			if n > math.MaxInt64 {
				return nil, errors.New("auditlog: number out of range")
			}
			if n != 0 {
				b = append(b, m.name...)
				b = strconv.AppendUint(b, n, 10)
			}
			continue
		}
		s := *m.str(r)
		if s == "" {
			continue
		}
		if !validToken(s, m.max) {
			return nil, fmt.Errorf("%w: %s", errToken, m.name[1:])
		}
		b = append(b, m.name...)
		b = append(b, '"')
		b = append(b, s...)
		b = append(b, '"')
	}
	return append(b, '}'), nil
}

// ParseRecord decodes one record. It accepts exactly what Append writes.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	p := parser{b: line}
	p.lit(`{"seq":`)
	r.Seq = p.number()
	p.lit(`,"time":"`)
	r.Time = p.time()
	p.lit(`","kind":`)
	r.Kind = Kind(p.token(limits.AuditToken))
	for i := range members {
		m := &members[i]
		if !p.maybe(m.name) {
			continue
		}
		if m.num != nil {
			n := p.number()
			if n == 0 {
				p.bad = true
			}
			*m.num(&r) = n
		} else {
			*m.str(&r) = p.token(m.max)
		}
	}
	p.lit(`}`)
	if p.bad || len(p.b) != 0 {
		return Record{}, errors.New("auditlog: not a record in canonical form")
	}
	return r, nil
}

// parser reads a fixed sequence of pieces; the first that does not fit sets
// bad, and all later ones are no-ops.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) maybe(lit string) bool {
	if p.bad || len(p.b) < len(lit) || string(p.b[:len(lit)]) != lit {
		return false
	}
	p.b = p.b[len(lit):]
	return true
}

func (p *parser) lit(lit string) {
	if !p.maybe(lit) {
		p.bad = true
	}
}

// number reads decimal digits below 2^63 without leading zeros.
func (p *parser) number() uint64 {
	i := 0
	var n uint64
	for i < len(p.b) && i < 19 && '0' <= p.b[i] && p.b[i] <= '9' {
		n = n*10 + uint64(p.b[i]-'0')
		i++
	}
	// 19 digits are below 10^19 < 2^64: no overflow above.
	if i == 0 || n > math.MaxInt64 || (p.b[0] == '0' && i > 1) {
		p.bad = true
		return 0
	}
	p.b = p.b[i:]
	return n
}

func (p *parser) token(max int) string {
	p.lit(`"`)
	i := 0
	for i < len(p.b) && i <= max && tokenByte(p.b[i]) {
		i++
	}
	if p.bad || i == 0 || i > max {
		p.bad = true
		return ""
	}
	s := string(p.b[:i])
	p.b = p.b[i:]
	p.lit(`"`)
	return s
}

func (p *parser) time() time.Time {
	if p.bad || len(p.b) < len(timeForm) {
		p.bad = true
		return time.Time{}
	}
	s := p.b[:len(timeForm)]
	p.b = p.b[len(timeForm):]
	t, err := time.Parse(timeForm, string(s))
	var back [len(timeForm) + 8]byte
	// time.Parse is lenient (a comma for the point); the formatter is not. The
	// year 0 has no place in RFC 3339's use here.
	if err != nil || t.Year() < 1 || string(t.AppendFormat(back[:0], timeForm)) != string(s) {
		p.bad = true
		return time.Time{}
	}
	return t
}
