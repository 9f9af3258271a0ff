package didit

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string with its quotes. Most have no escapes and are taken in one piece.
func (p *jsonParser) string() (string, error) {
	p.at++
	var decoded []byte
	for start := p.at; ; start = p.at {
		for b := p.next(); b >= ' ' && b != '"' && b != '\\'; b = p.next() {
			p.at++
		}
		piece := p.document[start:p.at]
		if p.take('"') {
			if decoded == nil {
				return string(piece), nil
			}
			return string(append(decoded, piece...)), nil
		}
		if !p.take('\\') {
			return "", errNotJSON
		}
		var err error
		if decoded, err = p.escape(append(decoded, piece...)); err != nil {
			return "", err
		}
	}
}

// escape appends what stands behind a backslash.
func (p *jsonParser) escape(to []byte) ([]byte, error) {
	b := p.next()
	if i := strings.IndexByte(`"\/bfnrt`, b); i >= 0 && b != 0 {
		p.at++
		return append(to, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if !p.take('u') {
		return nil, errNotJSON
	}
	first, ok := p.hex()
	if !ok {
		return nil, errNotJSON
	}
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(to, first), nil
	}
	before := p.at
	if p.take('\\') && p.take('u') {
		second, ok := p.hex()
		if !ok {
			return nil, errNotJSON
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return utf8.AppendRune(to, r), nil
		}
	}
	p.at = before // what follows is not its other half, and is read for itself
	return append(to, 0xE0|byte(first>>12), 0x80|byte(first>>6)&0x3F|0x80, 0x80|byte(first)&0x3F), nil
}

func (p *jsonParser) hex() (rune, bool) {
	if len(p.document)-p.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.document[p.at:p.at+4]), 16, 16)
	p.at += 4
	return rune(n), err == nil
}
