package didit

import (
	"bytes"
	"math"
	"slices"
	"strconv"

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

func appendPython(to, number []byte) []byte { return append(to, pythonNumber(number)...) }

// canonicalForms returns the forms that Didit may have signed; none if a number is not simple.
func canonicalForms(document strictjson.Value) [][]byte {
	size := len(document.Raw())
	var plain []byte // up to the last number that the two recipes print differently
	simple, long, copied := true, 0, 0
	python := appendCanonical(make([]byte, 0, size), document, func(to, number []byte) []byte {
		if len(number) > shortFloat && isFloat(number) {
			long++
		}
		if simple = simple && isSimple(number) && long <= maxLongFloats; !simple {
			return to
		}
		printed, asSent := pythonNumber(number), plainNumber(number)
		if !bytes.Equal(printed, asSent) {
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

func isFloat(number []byte) bool {
	for i := range len(number) {
		if c := number[i]; c == '.' || c|0x20 == 'e' {
			return true
		}
	}
	return false
}

// isSimple reports whether a number can be read and written at little cost. The conversion of one
// such as 5e-324 takes thousands of times as long as the reading of its text.
func isSimple(number []byte) bool {
	exponent := exponentOf(number)
	if exponent == nil {
		return len(number) <= maxFloat || !isFloat(number)
	}
	n, err := strconv.Atoi(string(exponent))
	return err == nil && -maxExponent <= n && n <= maxExponent && len(number) <= maxFloat
}

func exponentOf(number []byte) []byte {
	for i := range len(number) {
		if number[i]|0x20 == 'e' {
			return number[i+1:]
		}
	}
	return nil
}

// appendCanonical appends the canonical form, with numbers appended by the given function.
func appendCanonical(to []byte, v strictjson.Value, number func(to, number []byte) []byte) []byte {
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
		return number(to, v.Raw())
	default:
		return append(to, v.Raw()...)
	}
}

// member is a member of an object, its name a string of the document. It is hidden because a name
// may be personal data.
type member struct {
	hidden
	name, value strictjson.Value
}

// sortedMembers sorts by the names' bytes, which is the order of their code points.
func sortedMembers(object strictjson.Value) []member {
	n := 0
	for range object.RawMembers() {
		n++
	}
	if n == 0 {
		return nil
	}
	members, names, order := make([]member, 0, n), make([][]byte, 0, n), make([]uint64, 0, n)
	var decoded []byte // the names that have escapes
	for name, value := range object.RawMembers() {
		text := name.Raw()
		if text = text[1 : len(text)-1]; bytes.IndexByte(text, '\\') >= 0 {
			start := len(decoded)
			decoded = name.AppendText(decoded)
			text = decoded[start:]
		}
		order = append(order, uint64(len(members)))
		members, names = append(members, member{name: name, value: value}), append(names, text)
	}
	sortNames(names, order, 0)
	sorted := make([]member, n)
	for i, index := range order {
		sorted[i] = members[index&maxIndex]
	}
	return sorted
}

const (
	indexBits  = 28
	maxIndex   = 1<<indexBits - 1 // more members than a body of 1 GiB can have
	symbolBits = 9
	maxSymbol  = 1<<symbolBits - 1
	symbols    = (64 - indexBits) / symbolBits
)

// sortNames sorts indexes of names that are the same up to depth. A stranger may send 20,000 names
// that differ in their last bytes alone. Comparisons of whole names take several times as long as
// those of numbers: here an index has the next bytes of its name above itself.
func sortNames(names [][]byte, order []uint64, depth int) {
	depth += commonPrefix(names, order, depth)
	for i := range order {
		index := order[i] & maxIndex
		order[i] = nextSymbols(names[index][depth:])<<indexBits | index
	}
	slices.Sort(order)
	for len(order) > 0 {
		next, same := order[0]>>indexBits, 1
		for same < len(order) && order[same]>>indexBits == next {
			same++
		}
		if same > 1 && next&maxSymbol != 0 { // the names go on
			sortNames(names, order[:same], depth+symbols)
		}
		order = order[same:]
	}
}

// nextSymbols are the first bytes of a name, each plus one: 0 stands for its end.
func nextSymbols(name []byte) (next uint64) {
	for i := range symbols {
		next <<= symbolBits
		if i < len(name) {
			next |= uint64(name[i]) + 1
		}
	}
	return next
}

// commonPrefix is how many bytes all of the names have in common behind depth.
func commonPrefix(names [][]byte, order []uint64, depth int) int {
	common := names[order[0]&maxIndex][depth:]
	for _, index := range order[1:] {
		name := names[index&maxIndex][depth:]
		if bytes.HasPrefix(name, common) {
			continue
		}
		n := 0
		for n < len(name) && name[n] == common[n] {
			n++
		}
		common = common[:n]
	}
	return len(common)
}

func appendObject(to []byte, members []member, number func(to, number []byte) []byte) []byte {
	to = append(to, '{')
	for i, m := range members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendCanonical(to, m.name, number), ':')
		to = appendCanonical(to, m.value, number)
	}
	return append(to, '}')
}

// pythonNumber returns how Python prints the number after a round trip: integers digit for digit,
// floats in the fewest digits that identify them, and whole floats as integers.
func pythonNumber(text []byte) []byte {
	if isFloat(text) {
		text = pythonFloat(text)
	}
	if string(text) == "-0" {
		return text[1:]
	}
	return text
}

func pythonFloat(text []byte) []byte {
	if len(text) <= shortFloat && exponentOf(text) == nil && !bytes.HasPrefix(bytes.TrimPrefix(text, []byte("-")), []byte("0.0000")) {
		// Python writes the digits as they are from 0.0001 on.
		return bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	}
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil: // too large for a float: no recipe has a number for it
		return text
	case f == math.Trunc(f):
		return strconv.AppendFloat(nil, f, 'f', 0, 64)
	case math.Abs(f) < 1e-4:
		return strconv.AppendFloat(nil, f, 'e', -1, 64)
	default:
		return strconv.AppendFloat(nil, f, 'f', -1, 64)
	}
}

// plainNumber returns a number as it was sent, without a fraction of zeros.
func plainNumber(text []byte) []byte {
	whole, fraction, found := bytes.Cut(text, []byte("."))
	if found && len(bytes.Trim(fraction, "0")) == 0 {
		return pythonNumber(whole)
	}
	return text
}
