package didit

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"didit-sessions/internal/strictjson"
)

// document reads the answer's JSON, which has to be an object or null. Its form is checked for no
// more than that: what Didit has done is worth more than how it writes about it.
func (a answer) document() (document strictjson.Value, ok bool) {
	document, err := strictjson.Parse(a.body, strictjson.Options{AnyString: true})
	if _, refused := errors.AsType[*strictjson.Error](err); refused {
		return strictjson.Value{}, false
	}
	return document, document.Kind() == strictjson.Object || document.Kind() == strictjson.Null
}

// text returns the text of a string, in UTF-8 whatever Didit sent; "" for any other value.
func text(v strictjson.Value) string { return strings.ToValidUTF8(v.Text(), "\ufffd") }

// unicodeText returns the text of a string without lone surrogates; ok is false for any other
// value.
func unicodeText(v strictjson.Value) (s string, ok bool) {
	s = v.Text()
	return s, v.Kind() == strictjson.String && utf8.ValidString(s)
}

// optionalText is unicodeText with nil for any other value.
func optionalText(v strictjson.Value) *string {
	s, ok := unicodeText(v)
	if !ok {
		return nil
	}
	return &s
}

// nameOf returns what Didit names by a value: the text of a Unicode string, nil for null and for a
// missing value, and the JSON of any other.
func nameOf(v strictjson.Value) *string {
	if s, ok := unicodeText(v); ok {
		return &s
	}
	if v.Kind() == strictjson.Null || len(v.Raw()) == 0 {
		return nil
	}
	return new(string(v.Raw()))
}

// number returns a number, or the one that a string holds, as it is written; "" for any other
// value.
func number(v strictjson.Value) string {
	var n json.Number
	if json.Unmarshal(v.Raw(), &n) != nil {
		return ""
	}
	return n.String()
}

// float returns a number, or the one that a string holds.
func float(v strictjson.Value) (f float64, ok bool) {
	f, err := strconv.ParseFloat(number(v), 64)
	return f, err == nil
}

// integer returns a whole number of 64 bits, or the one that a string holds.
func integer(v strictjson.Value) *int64 {
	n, err := strconv.ParseInt(number(v), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// uuid returns a UUID in lower case, and nil for what is not one.
func uuid(v strictjson.Value) *string {
	id := v.Text()
	if !uuidForm.MatchString(id) {
		return nil
	}
	id = strings.ToLower(id)
	return &id
}

// maxWord is how long a status, a type or a feature may be, in characters.
const maxWord = 64

// word returns a string that is a word, and "" for any other value.
func word(v strictjson.Value) string {
	if s := text(v); isWord(s) {
		return s
	}
	return ""
}

// isWord reports whether a string may be one of Didit's words: short, and on one line.
func isWord(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxWord &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F })
}
