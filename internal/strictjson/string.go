package strictjson

import (
	"bytes"
	"iter"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote decodes a valid JSON string.
func unquote(quoted []byte) string {
	if inner, plain := unescaped(quoted); plain {
		return string(inner)
	}
	return string(decode(nil, quoted))
}

// beginning decodes the first characters of the valid JSON string that the text begins with.
func beginning(text []byte) string {
	start := make([]byte, 0, 4*maxStepName)
	for i, n := 1, 0; n < maxStepName && text[i] != '"'; n++ {
		r, size := char(text[i:])
		start = appendRune(start, r)
		i += size
	}
	return string(start)
}

// equal reports whether a valid JSON string says the same as the text.
func equal(quoted []byte, text string) bool {
	if inner, plain := unescaped(quoted); plain {
		return string(inner) == text
	}
	return unquote(quoted) == text
}

// unescaped returns what is between the quotes, and whether that is the text itself.
func unescaped(quoted []byte) (inner []byte, plain bool) {
	inner = quoted[1 : len(quoted)-1]
	return inner, bytes.IndexByte(inner, '\\') < 0
}

// escapes yields the escaped characters of a valid JSON string, each with the unescaped text before
// it; at last, a negative character with the text after them.
func escapes(quoted []byte) iter.Seq2[[]byte, rune] {
	return func(yield func([]byte, rune) bool) {
		rest := quoted[1 : len(quoted)-1]
		for {
			i := bytes.IndexByte(rest, '\\')
			if i < 0 {
				yield(rest, -1)
				return
			}
			r, size := char(rest[i:])
			if !yield(rest[:i], r) {
				return
			}
			rest = rest[i+size:]
		}
	}
}

// decode appends the text of a valid JSON string.
func decode(to, quoted []byte) []byte {
	to = slices.Grow(to, len(quoted))
	for before, r := range escapes(quoted) {
		if to = append(to, before...); r >= 0 {
			to = appendRune(to, r)
		}
	}
	return to
}

// sound reports whether a valid JSON string is without lone surrogates and NUL characters.
func sound(quoted []byte) bool {
	for _, r := range escapes(quoted) {
		if r == 0 || utf16.IsSurrogate(r) {
			return false
		}
	}
	return true
}

// simpleEscapes are the characters after a backslash, and what they mean.
var simpleEscapes = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// shortEscapes are the inverse of simpleEscapes, for the characters that must be escaped.
var shortEscapes = [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// char decodes the first character in the inside of a valid JSON string. A pair of escaped
// surrogates is one character; a lone one is returned as it is.
func char(text []byte) (r rune, size int) {
	switch {
	case text[0] != '\\':
		return utf8.DecodeRune(text)
	case text[1] != 'u':
		return rune(simpleEscapes[text[1]]), 2
	}
	r = unit(text)
	if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if pair := utf16.DecodeRune(r, unit(text[6:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

// unit returns the UTF-16 unit that the text begins with, as \u and four hexadecimal digits.
func unit(text []byte) (u rune) {
	for _, digit := range text[2:6] {
		u <<= 4
		if digit <= '9' {
			u |= rune(digit - '0')
		} else {
			u |= rune(digit|0x20) - 'a' + 10
		}
	}
	return u
}

// appendRune appends a character in UTF-8. A lone surrogate gets the bytes that UTF-8 would use for
// it: U+FFFD would make different names the same.
func appendRune(to []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(to, 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
	}
	return utf8.AppendRune(to, r)
}

// AppendQuote appends a string of a document in UTF-8 with no more escapes than JSON demands (RFC
// 8785, section 3.2.2.2); nothing for any other value. A lone surrogate, which only
// [Options.AnyString] accepts without a fault, is escaped.
func (v Value) AppendQuote(to []byte) []byte {
	if v.Kind() != String {
		return to
	}
	to = append(to, '"')
	for before, r := range escapes(v.Raw()) {
		if to = append(to, before...); r >= 0 {
			to = appendEscaped(to, r)
		}
	}
	return append(to, '"')
}

// appendEscaped appends a character, escaped if it must be.
func appendEscaped(to []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(to, '\\', byte(r))
	case r < ' ' && shortEscapes[r] != 0:
		return append(to, '\\', shortEscapes[r])
	case r < ' ' || utf16.IsSurrogate(r):
		return append(to, '\\', 'u', digits[r>>12], digits[r>>8&0xF], digits[r>>4&0xF], digits[r&0xF])
	default:
		return utf8.AppendRune(to, r)
	}
}

// validPrefix returns the length of the longest prefix in UTF-8.
func validPrefix(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return len(text)
}
