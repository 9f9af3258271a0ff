package api

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"didit-sessions/internal/strictjson"
	"didit-sessions/internal/verification"
)

const (
	// maxBody is how many bytes of a request are read. Lambda takes 6 MB, base64 included.
	maxBody = 4 << 20
	// maxDepth is how many braces and brackets may be open at once.
	maxDepth = 32
	// maxValues is how many values a body may have, not counting those inside of fields that are kept
	// as raw text. A request with every field has 32.
	maxValues = 1000
)

// decodeObject decodes a body that must be one JSON object. Duplicate keys, lone surrogates and NUL
// characters are returned as invalid fields beside the value. For every other error there is no
// value, and err is a [*verification.Error]. maxRaw is as [verification.Policy.MaxRaw]; what is
// inside such a field is checked, and kept as raw text.
func decodeObject(
	body []byte, maxRaw func(name string) int,
) (v verification.Value, invalid []verification.FieldError, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return v, nil, malformed("The body is empty; it must be a JSON object.")
	}
	root, err := strictjson.Parse(body, strictjson.Options{
		MaxDepth: maxDepth, MaxValues: maxValues, Opaque: maxRaw,
	})
	if faults, ok := errors.AsType[strictjson.Faults](err); ok {
		for _, fault := range faults {
			if fault.Problem != strictjson.TooLong { // which the domain reports, with its limit
				invalid = append(invalid, fieldError(fault))
			}
		}
	} else if err != nil {
		return v, nil, malformed(parseSentence(err))
	}
	if root.Kind() != strictjson.Object {
		return v, nil, malformed("The body must be a JSON object.")
	}
	return domainValue(root), invalid, nil
}

// unreadableQuery says what to do about a query that cannot be parsed, of which net/url would drop
// a part without a word.
const unreadableQuery = "cannot be read, because the query is malformed: write ; as %3B and % as %25."

func malformed(sentence string) *verification.Error {
	return &verification.Error{Code: verification.CodeInvalidRequest, Detail: sentence,
		Fields: []verification.FieldError{{Message: sentence}}}
}

// parseSentence says where the JSON becomes invalid, without quoting it.
func parseSentence(err error) string {
	e, ok := errors.AsType[*strictjson.Error](err)
	if !ok {
		return "The body is not JSON."
	}
	// Bytes are counted from 1 for people.
	place := strconv.Itoa(e.Offset + 1)
	switch e.Problem {
	case strictjson.NotUTF8:
		return "The body is not UTF-8."
	case strictjson.ByteOrderMark:
		return "The body begins with a byte order mark; send the JSON without it."
	case strictjson.TooManyValues:
		return fmt.Sprintf("The body has more than %d values.", maxValues)
	case strictjson.TooDeep:
		return fmt.Sprintf("The body is nested deeper than %d levels.", maxDepth)
	case strictjson.TrailingData:
		return "The body holds more than one JSON document, from byte " + place + " on."
	case strictjson.Truncated:
		return "The body is cut off: it ends inside its JSON."
	default:
		return "The body is not JSON, at byte " + place + "."
	}
}

// fieldError returns the fault of a body with its path as callers see it.
func fieldError(f strictjson.Fault) verification.FieldError {
	path := ""
	for i, step := range f.Path {
		switch {
		case step.Index >= 0:
			path += "[" + strconv.Itoa(step.Index) + "]"
		case f.Problem == strictjson.BadName && i == len(f.Path)-1:
			path = verification.FieldPath(path, "?")
		default:
			path = verification.FieldPath(path, step.Name)
		}
	}
	message := "contains a lone surrogate or a NUL character."
	switch f.Problem {
	case strictjson.DuplicateName:
		message = "is a duplicate key."
	case strictjson.BadName:
		message = "has a name with a lone surrogate or a NUL character."
	}
	return verification.FieldError{Field: path, Message: message}
}

var domainKinds = map[strictjson.Kind]verification.Kind{
	strictjson.Null: verification.KindNull, strictjson.String: verification.KindString,
	strictjson.Number: verification.KindNumber, strictjson.False: verification.KindBool,
	strictjson.True: verification.KindBool, strictjson.Array: verification.KindArray,
	strictjson.Object: verification.KindObject,
}

func domainValue(v strictjson.Value) verification.Value {
	value := verification.Value{
		Kind: domainKinds[v.Kind()], Raw: v.Raw(), Text: validText(v.Text()), Bool: v.Kind() == strictjson.True,
	}
	for item := range v.Items() {
		value.Items = append(value.Items, domainValue(item))
	}
	for name, member := range v.Members() {
		value.Members = append(value.Members, verification.Member{Name: validText(name), Value: domainValue(member)})
	}
	return value
}

// validText replaces lone surrogates, which were reported as faults.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
