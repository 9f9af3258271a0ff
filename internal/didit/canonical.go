package didit

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"didit-sessions/internal/strictjson"
)

// Didit's X-Signature-V2 covers the document rather than the bytes: keys sorted, no white space,
// Unicode unescaped, and floats that are whole numbers written as such (Didit: Webhooks).
// encoding/json cannot write that: it escapes <, >, &, U+2028 and U+2029.
//
// Didit's recipes for Python and for JavaScript print some numbers differently, and its sender is
// not public. pythonNumber does what the first does; plainNumber changes no more than what both
// agree on.

// canonical returns the document's canonical form, with numbers as Python prints them.
func canonical(document strictjson.Value) []byte {
	return appendCanonical(nil, document, pythonNumber)
}

// canonicalForms returns the forms that Didit may have signed.
func canonicalForms(document strictjson.Value) [][]byte {
	ambiguous := false
	forms := [][]byte{appendCanonical(nil, document, func(number string) string {
		printed := pythonNumber(number)
		ambiguous = ambiguous || printed != plainNumber(number)
		return printed
	})}
	if ambiguous {
		forms = append(forms, appendCanonical(nil, document, plainNumber))
	}
	return forms
}

// appendCanonical appends the canonical form, with numbers printed by the given function.
func appendCanonical(to []byte, v strictjson.Value, number func(string) string) []byte {
	switch v.Kind() {
	case strictjson.Object:
		return appendObject(to, sortedMembers(v), number)
	case strictjson.Array:
		to = append(to, '[')
		first := len(to)
		for item := range v.Items() {
			if len(to) > first {
				to = append(to, ',')
			}
			to = appendCanonical(to, item, number)
		}
		return append(to, ']')
	case strictjson.String:
		if bytes.IndexByte(v.Raw(), '\\') < 0 { // most strings
			return append(to, v.Raw()...)
		}
		return strictjson.AppendQuote(to, v.Text())
	case strictjson.Number:
		return append(to, number(string(v.Raw()))...)
	default:
		return append(to, v.Raw()...)
	}
}

// member is a member of an object. It is hidden because its name may be personal data.
type member struct {
	hidden
	name  string
	value strictjson.Value
}

// sortedMembers sorts by the names' bytes, which is the order of their code points.
func sortedMembers(object strictjson.Value) (members []member) {
	for name, value := range object.Members() {
		members = append(members, member{name: name, value: value})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return members
}

func appendObject(to []byte, members []member, number func(string) string) []byte {
	to = append(to, '{')
	for i, m := range members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(strictjson.AppendQuote(to, m.name), ':')
		to = appendCanonical(to, m.value, number)
	}
	return append(to, '}')
}

// pythonNumber returns how Python prints the number after a round trip: integers digit for digit,
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

// plainNumber returns a number as it was sent, without a fraction of zeros.
func plainNumber(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	if found && strings.Trim(fraction, "0") == "" {
		return pythonNumber(whole)
	}
	return text
}
