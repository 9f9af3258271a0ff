package didit

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Didit's X-Signature-V2 covers the document rather than the bytes: keys sorted, no white
// space, Unicode unescaped, and floats that are whole numbers written as such (Didit:
// Webhooks). encoding/json cannot write that: it escapes <, >, &, U+2028 and U+2029.
//
// Didit's recipes for Python and for JavaScript print some numbers differently, and its sender
// is not public. pythonNumber is what the first does; plainNumber changes no more than what
// both agree on.

// canonical is the document's canonical form, with numbers as Python prints them.
func (v jsonValue) canonical() []byte { return v.append(nil, pythonNumber) }

// append writes the canonical form, numbers by the given function.
func (v jsonValue) append(to []byte, number func(string) string) []byte {
	switch v.kind {
	case '{':
		to = append(to, '{')
		for i, m := range v.members {
			if i > 0 {
				to = append(to, ',')
			}
			to = append(appendString(to, m.name), ':')
			to = m.value.append(to, number)
		}
		return append(to, '}')
	case '[':
		to = append(to, '[')
		for i, item := range v.items {
			if i > 0 {
				to = append(to, ',')
			}
			to = item.append(to, number)
		}
		return append(to, ']')
	case '"':
		return appendString(to, v.text)
	case '0':
		return append(to, number(v.text)...)
	case 't':
		return append(to, "true"...)
	case 'f':
		return append(to, "false"...)
	default:
		return append(to, "null"...)
	}
}

const hexDigits = "0123456789abcdef"

// appendString escapes what JSON demands to be escaped, and half of a surrogate pair, which
// UTF-8 has no bytes for.
func appendString(to []byte, text string) []byte {
	to = append(to, '"')
	for i := 0; i < len(text); {
		b := text[i]
		if b < utf8.RuneSelf {
			to = appendASCII(to, b)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			half := uint(b&0x0F)<<12 | uint(text[i+1]&0x3F)<<6 | uint(text[i+2]&0x3F)
			to = append(to, `\u`...)
			to = strconv.AppendUint(to, uint64(half), 16)
			i += 3
			continue
		}
		to = append(to, text[i:i+size]...)
		i += size
	}
	return append(to, '"')
}

func appendASCII(to []byte, b byte) []byte {
	switch {
	case b == '"' || b == '\\':
		return append(to, '\\', b)
	case b >= ' ':
		return append(to, b)
	}
	if i := strings.IndexByte("\b\f\n\r\t", b); i >= 0 {
		return append(to, '\\', "bfnrt"[i])
	}
	return append(to, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xF])
}

// pythonNumber is how Python prints the number after a round trip: integers digit for digit,
// floats in the fewest digits that identify them, and whole floats as integers.
func pythonNumber(text string) string {
	if text == "-0" {
		return "0"
	}
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil: // too large for a float: no recipe has a number for it
		return text
	case f == 0:
		return "0"
	case f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	case math.Abs(f) < 1e-4:
		return strconv.FormatFloat(f, 'e', -1, 64)
	default:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
}

// plainNumber keeps a number as it was sent, but for a fraction of zeros.
func plainNumber(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	if found && strings.Trim(fraction, "0") == "" {
		return pythonNumber(whole)
	}
	return text
}
