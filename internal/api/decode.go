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
	d := &decoder{}
	v = d.value("", document)
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

// decoder builds values from valid JSON of bounded depth.
type decoder struct{ invalid []verification.FieldError }

func (d *decoder) refuse(path, message string) {
	d.invalid = append(d.invalid, verification.FieldError{Field: path, Message: message})
}

func (d *decoder) value(path string, raw json.RawMessage) verification.Value {
	v := verification.Value{Raw: raw}
	switch raw[0] {
	case '{':
		v.Kind, v.Members = verification.Object, d.members(path, raw)
	case '[':
		v.Kind, v.Items = verification.List, d.items(path, raw)
	case '"':
		v.Kind, v.Text = verification.Text, d.text(path, raw)
	case 't', 'f':
		v.Kind, v.Flag = verification.Flag, raw[0] == 't'
	case 'n':
	default:
		v.Kind = verification.Number
	}
	return v
}

func (d *decoder) members(path string, raw json.RawMessage) []verification.Member {
	var members []verification.Member
	seen := map[string]bool{}
	tokens := json.NewDecoder(bytes.NewReader(raw))
	_, _ = tokens.Token()
	for tokens.More() {
		from := tokens.InputOffset()
		token, err := tokens.Token()
		if err != nil {
			break
		}
		name, _ := token.(string)
		field := verification.FieldPath(path, name)
		if forbidden(raw[from:tokens.InputOffset()]) {
			d.refuse(verification.FieldPath(path, "?"), "has a name with a lone surrogate or NUL.")
		} else if seen[name] {
			d.refuse(field, "is there more than once.")
		}
		seen[name] = true
		var value json.RawMessage
		if tokens.Decode(&value) != nil {
			break
		}
		members = append(members, verification.Member{Name: name, Value: d.value(field, value)})
	}
	return members
}

func (d *decoder) items(path string, raw json.RawMessage) []verification.Value {
	var items []verification.Value
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for i, item := range list {
		items = append(items, d.value(path+"["+strconv.Itoa(i)+"]", item))
	}
	return items
}

func (d *decoder) text(path string, raw json.RawMessage) string {
	if forbidden(raw) {
		d.refuse(path, "holds a lone surrogate or NUL, which is no text.")
	}
	var text string
	_ = json.Unmarshal(raw, &text)
	return text
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
