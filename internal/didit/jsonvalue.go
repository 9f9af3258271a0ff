package didit

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a JSON document that somebody unknown may have sent: Didit's largest webhooks nest
// about ten deep and hold a few thousand values.
const (
	deepestJSON = 64
	mostValues  = 20_000
)

// Why a document is not read. The texts are fixed words, fit for a log.
var (
	errNotJSON      = errors.New("not JSON")
	errMoreThanOne  = errors.New("more than one JSON document")
	errDuplicateKey = errors.New("a key stands twice in one object")
	errTooDeep      = errors.New("JSON is nested too deep")
	errTooMany      = errors.New("JSON holds too many values")
)

// jsonValue is a JSON value that lost nothing but white space, escapes and the order of keys:
// numbers keep their spelling, which encoding/json cannot promise for keys and lone surrogates.
type jsonValue struct {
	kind       byte         // { [ " 0 t f n
	text       string       // of a string, decoded; of a number, as sent
	members    []jsonMember // of an object, sorted by name, no name twice
	items      []jsonValue  // of an array
	start, end int          // where it stands in the document
}

type jsonMember struct {
	name  string
	value jsonValue
}

// member returns the member of that name; the zero value where there is none.
func (v jsonValue) member(name string) jsonValue {
	i, found := slices.BinarySearchFunc(v.members, name, func(m jsonMember, name string) int {
		return strings.Compare(m.name, name)
	})
	if !found {
		return jsonValue{}
	}
	return v.members[i].value
}

// string is the text of a string that is proper Unicode, which one with half a surrogate pair
// is not.
func (v jsonValue) string() (string, bool) {
	return v.text, v.kind == '"' && utf8.ValidString(v.text)
}

// integer is the value of a number that is written as an integer and fits into 64 bits.
func (v jsonValue) integer() (int64, bool) {
	if v.kind != '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

// parseJSON reads exactly one document (RFC 8259), strictly. A surrogate without its other half
// is kept, as three bytes that are not UTF-8.
func parseJSON(document []byte) (jsonValue, error) {
	if !utf8.Valid(document) {
		return jsonValue{}, errNotJSON
	}
	p := &jsonParser{document: document}
	v, err := p.value(1)
	if err != nil {
		return jsonValue{}, err
	}
	if p.space(); p.at != len(document) {
		return jsonValue{}, errMoreThanOne
	}
	return v, nil
}

type jsonParser struct {
	document []byte
	at       int
	values   int
}

// next is the byte at hand, 0 at the end: no byte of JSON is 0.
func (p *jsonParser) next() byte {
	if p.at == len(p.document) {
		return 0
	}
	return p.document[p.at]
}

// take steps over a byte if it is the one at hand.
func (p *jsonParser) take(b byte) bool {
	if p.next() != b {
		return false
	}
	p.at++
	return true
}

func (p *jsonParser) space() {
	for p.at < len(p.document) {
		switch p.document[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (v jsonValue, err error) {
	if p.values++; p.values > mostValues {
		return v, errTooMany
	}
	if depth > deepestJSON {
		return v, errTooDeep
	}
	p.space()
	v.start = p.at
	switch b := p.next(); b {
	case '{':
		v.kind = b
		v.members, err = p.object(depth)
	case '[':
		v.kind = b
		v.items, err = p.array(depth)
	case '"':
		v.kind = b
		v.text, err = p.string()
	case 't':
		v.kind = b
		err = p.word("true")
	case 'f':
		v.kind = b
		err = p.word("false")
	case 'n':
		v.kind = b
		err = p.word("null")
	default:
		v.kind = '0'
		v.text, err = p.number()
	}
	v.end = p.at
	return v, err
}

func (p *jsonParser) object(depth int) (members []jsonMember, err error) {
	p.at++
	if p.space(); p.take('}') {
		return nil, nil
	}
	for {
		var m jsonMember
		if p.space(); p.next() != '"' {
			return nil, errNotJSON
		}
		if m.name, err = p.string(); err != nil {
			return nil, err
		}
		if p.space(); !p.take(':') {
			return nil, errNotJSON
		}
		if m.value, err = p.value(depth + 1); err != nil {
			return nil, err
		}
		members = append(members, m)
		if p.space(); p.take('}') {
			return sortMembers(members)
		}
		if !p.take(',') {
			return nil, errNotJSON
		}
	}
}

// sortMembers sorts by the names' bytes, which is the order of their code points.
func sortMembers(members []jsonMember) ([]jsonMember, error) {
	slices.SortFunc(members, func(a, b jsonMember) int { return strings.Compare(a.name, b.name) })
	for i := range members[1:] {
		if members[i].name == members[i+1].name {
			return nil, errDuplicateKey
		}
	}
	return members, nil
}

func (p *jsonParser) array(depth int) (items []jsonValue, err error) {
	p.at++
	if p.space(); p.take(']') {
		return nil, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		if p.space(); p.take(']') {
			return items, nil
		}
		if !p.take(',') {
			return nil, errNotJSON
		}
	}
}

func (p *jsonParser) word(word string) error {
	if !bytes.HasPrefix(p.document[p.at:], []byte(word)) {
		return errNotJSON
	}
	p.at += len(word)
	return nil
}

func (p *jsonParser) number() (string, error) {
	start := p.at
	p.take('-')
	whole := p.take('0') || p.digits()
	fraction := !p.take('.') || p.digits()
	exponent := true
	if p.take('e') || p.take('E') {
		_ = p.take('+') || p.take('-')
		exponent = p.digits()
	}
	if !whole || !fraction || !exponent {
		return "", errNotJSON
	}
	return string(p.document[start:p.at]), nil
}

func (p *jsonParser) digits() (some bool) {
	for ; '0' <= p.next() && p.next() <= '9'; some = true {
		p.at++
	}
	return some
}
