package lambdahttp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// minCut is the length from which on a string is decoded apart.
const minCut = 4 << 10

// cutMark stands in the place of the string that was cut out. It is no string, so that the string
// is not missed elsewhere.
const cutMark = "0"

// parseEvent decodes a payload, and reports whether it is an HTTP request. Of a body longer than
// maxBody it decodes one byte more; 0 means no limit.
//
// Nearly all of a large payload is one string, its body. encoding/json goes over a string three
// times; here it gets the rest.
func parseEvent(payload []byte, maxBody int) (e event, ok bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) {
		return event{}, false
	}
	if start, end := longestString(payload); end-start >= minCut {
		e.Body.cut = payload[start+1 : end-1]
		if json.Unmarshal(slices.Concat(payload[:start], []byte(cutMark), payload[end:]), &e) == nil {
			if !e.isHTTP() {
				return event{}, false
			}
			if e.Body.isCut {
				e.Body.text, ok = unquote(e.Body.cut, cmp.Or(maxBody, math.MaxInt))
			}
		}
	}
	if !ok {
		e = event{}
		ok = json.Unmarshal(payload, &e) == nil && e.isHTTP()
	}
	return e, ok
}

func (e event) isHTTP() bool { return e.Version == "2.0" && e.RequestContext.HTTP.Method != "" }

// body is the body of an event, as text or in base64.
type body struct {
	hidden
	text  []byte // valid as long as the payload
	cut   []byte // the inside of the string that was cut out; nil if none was
	isCut bool   // the body is that string
}

func (b *body) UnmarshalJSON(text []byte) error {
	if b.isCut = b.cut != nil && string(text) == cutMark; b.isCut {
		return nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	b.text = []byte(s)
	return err
}

// longestString returns where the longest string of a JSON document begins and ends, quotes
// included. What it returns for what is not JSON is not a string.
func longestString(document []byte) (start, end int) {
	for i := 0; ; {
		next := bytes.IndexByte(document[i:], '"')
		if next < 0 {
			return start, end
		}
		opening := i + next
		for i = opening + 1; ; i++ {
			if next = bytes.IndexByte(document[i:], '"'); next < 0 {
				return start, end
			}
			i += next
			backslashes := 0
			for document[i-1-backslashes] == '\\' {
				backslashes++
			}
			if backslashes%2 == 0 {
				break
			}
		}
		if i++; i-opening > end-start {
			start, end = opening, i
		}
	}
}

// unescaped are the characters that escapes of two characters stand for.
var unescaped = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// unquote decodes the inside of a JSON string, or the beginning of one that is longer than
// maxBytes. ok is false if it is not one, and if it is not UTF-8, for which encoding/json has rules
// of its own.
func unquote(inner []byte, maxBytes int) (text []byte, ok bool) {
	plain := bytes.IndexByte(inner, '\\') < 0
	if plain && len(inner)/2 > maxBytes {
		return inner[:2*maxBytes+1], true // too long in base64, too
	}
	if !utf8.Valid(inner) {
		return nil, false
	}
	for _, c := range inner {
		if c < ' ' {
			return nil, false
		}
	}
	if plain {
		return inner, true
	}
	text = make([]byte, 0, min(len(inner), maxBytes)+utf8.UTFMax)
	for len(inner) > 0 && len(text) <= maxBytes {
		size := 1
		switch c := inner[0]; {
		case c != '\\':
			text = append(text, c)
		case len(inner) > 1 && unescaped[inner[1]] != 0:
			text, size = append(text, unescaped[inner[1]]), 2
		default:
			var r rune
			if r, size = unicodeEscape(inner); size == 0 {
				return nil, false
			}
			text = utf8.AppendRune(text, r)
		}
		inner = inner[size:]
	}
	return text, true
}

// unicodeEscape decodes the escape, or the pair of escapes, that the text begins with; size is 0 if
// there is none. A lone surrogate is appended as U+FFFD, as encoding/json does.
func unicodeEscape(text []byte) (r rune, size int) {
	r, ok := unit(text)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		second, _ := unit(text[6:])
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

// unit decodes the UTF-16 unit that the text begins with, as \u and four hexadecimal digits.
func unit(text []byte) (u rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
		switch u <<= 4; {
		case '0' <= c && c <= '9':
			u |= rune(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			u |= rune(c|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	return u, true
}
