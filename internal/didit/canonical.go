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
	return appendCanonical(nil, document, appendPython)
}

func appendPython(to []byte, number string) []byte { return append(to, pythonNumber(number)...) }

// canonicalForms returns the forms that Didit may have signed; none if a number is not simple.
func canonicalForms(document strictjson.Value) [][]byte {
	size := len(document.Raw())
	var plain []byte // up to the last number that the two recipes print differently
	simple, long, copied := true, 0, 0
	python := appendCanonical(make([]byte, 0, size), document, func(to []byte, number string) []byte {
		if len(number) > shortFloat && isFloat(number) {
			long++
		}
		if simple = simple && isSimple(number) && long <= maxLongFloats; !simple {
			return to
		}
		printed, asSent := pythonNumber(number), plainNumber(number)
		if printed != asSent {
			if plain == nil {
				plain = make([]byte, 0, size)
			}
			plain = append(append(plain, to[copied:]...), asSent...)
			copied = len(to) + len(printed)
		}
		return append(to, printed...)
	})
	switch {
	case !simple:
		return nil
	case plain == nil:
		return [][]byte{python}
	default:
		return [][]byte{python, append(plain, python[copied:]...)}
	}
}

const (
	maxExponent = 30 // of Didit's numbers none has one
	maxFloat    = 25 // characters of a number that is no integer; Python writes no more than 24
	// shortFloat is up to how many characters such a number has no more than 15 digits, which a
	// float keeps.
	shortFloat    = 16
	maxLongFloats = 2_000
)

func isFloat(number string) bool {
	for i := range len(number) {
		if c := number[i]; c == '.' || c|0x20 == 'e' {
			return true
		}
	}
	return false
}

// isSimple reports whether a number can be read and written at little cost. The conversion of one
// such as 5e-324 takes thousands of times as long as the reading of its text.
func isSimple(number string) bool {
	exponent := exponentOf(number)
	if exponent == "" {
		return len(number) <= maxFloat || !isFloat(number)
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && -maxExponent <= n && n <= maxExponent && len(number) <= maxFloat
}

func exponentOf(number string) string {
	for i := range len(number) {
		if number[i]|0x20 == 'e' {
			return number[i+1:]
		}
	}
	return ""
}

// appendCanonical appends the canonical form, with numbers appended by the given function.
func appendCanonical(to []byte, v strictjson.Value, number func(to []byte, number string) []byte) []byte {
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
		return v.AppendQuote(to)
	case strictjson.Number:
		return number(to, string(v.Raw()))
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

func appendObject(to []byte, members []member, number func(to []byte, number string) []byte) []byte {
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
	if isFloat(text) {
		text = pythonFloat(text)
	}
	if text == "-0" {
		return "0"
	}
	return text
}

func pythonFloat(text string) string {
	if len(text) <= shortFloat && exponentOf(text) == "" && !strings.HasPrefix(strings.TrimPrefix(text, "-"), "0.0000") {
		// Python writes the digits as they are from 0.0001 on.
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil: // too large for a float: no recipe has a number for it
		return text
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
