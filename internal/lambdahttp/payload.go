package lambdahttp

import (
	"bytes"
	"encoding/binary"
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
// maxBody it decodes a little more; 0 means no limit.
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
				e.Body.text, ok = unquote(e.Body.cut, e.maxText(maxBody))
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

// maxText returns how many bytes of text a body of up to maxBody bytes has. In base64 it has a
// third more, and line breaks.
func (e event) maxText(maxBody int) int {
	switch {
	case maxBody == 0:
		return math.MaxInt32 // more than any payload has
	case e.IsBase64:
		return 2 * maxBody
	default:
		return maxBody
	}
}

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
		if i = stringEnd(document, opening+1); i < 0 {
			return start, end
		}
		if i++; i-opening > end-start {
			start, end = opening, i
		}
	}
}

// stringEnd returns the offset of the quote that ends the string whose inside begins at i; -1 if
// there is none.
func stringEnd(document []byte, i int) int {
	n := bytes.IndexByte(document[i:], '"')
	if n < 0 {
		return -1
	}
	if bytes.IndexByte(document[i:i+n], '\\') < 0 { // most strings
		return i + n
	}
	for ; i < len(document); i++ {
		switch document[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// unescaped are the characters that escapes of two characters stand for.
var unescaped = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// unquote decodes the inside of a JSON string, or the beginning of one that is longer than
// maxBytes. ok is false if it is not one, and if it is not UTF-8, for which encoding/json has rules
// of its own.
func unquote(inner []byte, maxBytes int) (text []byte, ok bool) {
	if !utf8.Valid(inner) || hasControl(inner) {
		return nil, false
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner[:min(len(inner), maxBytes+1)], true
	}
	text = make([]byte, 0, min(len(inner), maxBytes)+utf8.UTFMax)
	for i := 0; i < len(inner); {
		left := maxBytes + 1 - len(text) // what is behind that is checked alone
		if inner[i] != '\\' {
			plain := bytes.IndexByte(inner[i:], '\\')
			if plain < 0 {
				plain = len(inner) - i
			}
			text = append(text, inner[i:i+max(0, min(plain, left))]...)
			i += plain
			continue
		}
		if i+1 < len(inner) && unescaped[inner[i+1]] != 0 {
			if left > 0 {
				text = append(text, unescaped[inner[i+1]])
			}
			i += 2
			continue
		}
		r, size := unicodeEscape(inner[i:])
		if size == 0 {
			return nil, false
		}
		if left > 0 {
			text = utf8.AppendRune(text, r)
		}
		i += size
	}
	return text, true
}

// hasControl reports whether the text has a character that JSON must escape.
func hasControl(text []byte) bool {
	// Eight bytes at a time: a borrow out of a byte that is below a space sets its highest bit, which
	// is not set in the byte itself.
	const ones = math.MaxUint64 / 255
	for ; len(text) >= 8; text = text[8:] {
		if eight := binary.LittleEndian.Uint64(text); (eight-' '*ones)&^eight&(0x80*ones) != 0 {
			return true
		}
	}
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
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
