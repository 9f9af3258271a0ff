package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"didit-sessions/internal/verification"
)

const (
	// bodyLimit is the most that is read of a request. Lambda takes 6 MB, base64 included.
	bodyLimit = 4 << 20
	// deepest is how many braces and brackets may be open at once.
	deepest = 32
)

// decodeObject reads a body that must be one JSON object. Errors of form that do not stop it,
// duplicate keys and forbidden characters, are returned as invalid fields beside the value; err is a
// [*verification.Error] where there is no value.
func decodeObject(body []byte) (v verification.Value, invalid []verification.FieldError, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return v, nil, malformed("The body is empty; it must be a JSON object.")
	}
	if !utf8.Valid(body) {
		return v, nil, malformed("The body is not UTF-8.")
	}
	if tooDeep(body) {
		return v, nil, malformed(fmt.Sprintf("The body is nested deeper than %d levels.", deepest))
	}
	var document json.RawMessage
	if err := json.Unmarshal(body, &document); err != nil {
		return v, nil, malformed(syntaxSentence(err))
	}
	if document = bytes.TrimSpace(document); document[0] != '{' {
		return v, nil, malformed("The body must be a JSON object.")
	}
	d := newDecoder(document)
	v = d.value("")
	return v, d.invalid, nil
}

func malformed(sentence string) *verification.Error {
	return &verification.Error{Code: verification.CodeInvalidRequest, Detail: sentence,
		Fields: []verification.FieldError{{Field: "", Message: sentence}}}
}

// syntaxSentence says where the JSON ends to be JSON, without quoting it.
func syntaxSentence(err error) string {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	switch {
	case !ok:
		return "The body is not JSON."
	case strings.Contains(syntax.Error(), "after top-level value"):
		return "The body holds more than one JSON document, from byte " + strconv.FormatInt(syntax.Offset, 10) + " on."
	case strings.Contains(syntax.Error(), "unexpected end"):
		return "The body is cut off: it ends inside its JSON."
	default:
		return "The body is not JSON, at byte " + strconv.FormatInt(syntax.Offset, 10) + "."
	}
}

// tooDeep counts brackets before anything walks the body, so that depth costs no stack.
func tooDeep(body []byte) bool {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > deepest {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// decoder builds values from valid JSON of bounded depth, in one pass.
type decoder struct {
	document []byte
	tokens   *json.Decoder
	invalid  []verification.FieldError
}

func newDecoder(document []byte) *decoder {
	d := &decoder{document: document, tokens: json.NewDecoder(bytes.NewReader(document))}
	d.tokens.UseNumber()
	return d
}

func (d *decoder) refuse(path, message string) {
	d.invalid = append(d.invalid, verification.FieldError{Field: path, Message: message})
}

// next returns the next token, and where its text begins. The document is valid, so there is one.
func (d *decoder) next() (token json.Token, from int64) {
	from = d.tokens.InputOffset()
	for strings.IndexByte(" \t\r\n:,", d.document[from]) >= 0 {
		from++
	}
	token, _ = d.tokens.Token()
	return token, from
}

func (d *decoder) value(path string) verification.Value {
	token, from := d.next()
	var v verification.Value
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			v.Kind, v.Members = verification.Object, d.members(path)
		} else {
			v.Kind, v.Items = verification.List, d.items(path)
		}
		_, _ = d.tokens.Token() // the closing one
	case string:
		v.Kind, v.Text = verification.Text, token
	case bool:
		v.Kind, v.Flag = verification.Flag, token
	case json.Number:
		v.Kind = verification.Number
	}
	v.Raw = d.document[from:d.tokens.InputOffset()]
	if v.Kind == verification.Text && forbidden(v.Raw) {
		d.refuse(path, "holds a lone surrogate or NUL, which is no text.")
	}
	return v
}

func (d *decoder) members(path string) []verification.Member {
	var members []verification.Member
	seen := map[string]bool{}
	for d.tokens.More() {
		token, from := d.next()
		name, _ := token.(string)
		field := verification.FieldPath(path, name)
		if forbidden(d.document[from:d.tokens.InputOffset()]) {
			d.refuse(verification.FieldPath(path, "?"), "has a name with a lone surrogate or NUL.")
		} else if seen[name] {
			d.refuse(field, "is there more than once.")
		}
		seen[name] = true
		members = append(members, verification.Member{Name: name, Value: d.value(field)})
	}
	return members
}

func (d *decoder) items(path string) []verification.Value {
	var items []verification.Value
	for d.tokens.More() {
		items = append(items, d.value(path+"["+strconv.Itoa(len(items))+"]"))
	}
	return items
}

// forbidden reports whether the text of JSON strings escapes NUL or half a surrogate pair.
// encoding/json would quietly replace the latter.
func forbidden(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		switch unit := escaped(raw[i:]); {
		case unit == 0, unit >= 0xdc00 && unit < 0xe000:
			return true
		case unit >= 0xd800 && unit < 0xdc00:
			if i+6 >= len(raw) || raw[i+5] != '\\' || raw[i+6] != 'u' {
				return true
			}
			if low := escaped(raw[i+6:]); low < 0xdc00 || low >= 0xe000 {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

// escaped reads the four digits after the u of an escape.
func escaped(raw []byte) int {
	if len(raw) < 5 {
		return 0
	}
	unit, _ := strconv.ParseUint(string(raw[1:5]), 16, 16)
	return int(unit)
}
