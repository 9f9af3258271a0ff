package strictjson

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// unquote decodes a valid JSON string.
func unquote(quoted []byte) string {
	if inner, plain := unescaped(quoted); plain {
		return string(inner)
	}
	text, _ := decode(nil, quoted)
	return string(text)
}

// beginning decodes the first characters of a valid JSON string.
func beginning(quoted []byte) string {
	inner, _ := unescaped(quoted)
	end := 0
	for n := 0; n < maxStepName && end < len(inner); n++ {
		_, size := escape(inner[end:])
		end += size
	}
	return unquote(quote(inner[:end]))
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

func quote(inner []byte) []byte { return slices.Concat([]byte{'"'}, inner, []byte{'"'}) }

// decode appends the text of a valid JSON string. whole reports that it is without lone surrogates.
func decode(to, quoted []byte) (text []byte, whole bool) {
	text, err := jsontext.AppendUnquote(to, quoted)
	if err == nil {
		return text, true
	}
	// jsontext replaces lone surrogates by U+FFFD, which would make different names the same: decode
	// what is between them, and keep them.
	text = to
	inner, _ := unescaped(quoted)
	begin := 0
	for i := 0; i < len(inner); {
		unit, size := escape(inner[i:])
		if 0xD800 <= unit && unit < 0xE000 {
			if begin < i {
				text, _ = jsontext.AppendUnquote(text, quote(inner[begin:i]))
			}
			text = append(text, 0xE0|byte(unit>>12), 0x80|byte(unit>>6&0x3F), 0x80|byte(unit&0x3F))
			begin = i + size
		}
		i += size
	}
	text, _ = jsontext.AppendUnquote(text, quote(inner[begin:]))
	return text, false
}

// escape returns the size of the first character in the inside of a JSON string, and its UTF-16
// unit if it is escaped, else -1. A pair of escaped surrogates is one character.
func escape(text []byte) (unit, size int) {
	if text[0] != '\\' {
		_, size = utf8.DecodeRune(text)
		return -1, size
	}
	if text[1] != 'u' {
		return -1, 2
	}
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 16)
	if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		second, _ := strconv.ParseUint(string(text[8:12]), 16, 16)
		if utf16.DecodeRune(rune(n), rune(second)) != utf8.RuneError {
			return -1, 12
		}
	}
	return int(n), 6
}

// AppendQuote appends a JSON string with this text, and with no more escapes than JSON demands (RFC
// 8785, section 3.2.2.2). A lone surrogate, as [Value.Text] returns it, is escaped.
func AppendQuote(to []byte, text string) []byte {
	to = append(to, '"')
	for {
		valid := validPrefix(text)
		opening := len(to)
		to, _ = jsontext.AppendQuote(to, text[:valid])
		to = append(to[:opening], to[opening+1:len(to)-1]...)
		if text = text[valid:]; len(text) < 3 {
			return append(to, '"')
		}
		unit := uint64(text[0]&0x0F)<<12 | uint64(text[1]&0x3F)<<6 | uint64(text[2]&0x3F)
		to = strconv.AppendUint(append(to, `\u`...), unit, 16)
		text = text[3:]
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
