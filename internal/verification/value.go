package verification

import (
	"encoding/json"
	"strings"
)

// Kind is the kind of a JSON value.
type Kind int

// The kinds. The zero value is null, which counts as not sent.
const (
	KindNull Kind = iota
	KindString
	KindNumber
	KindBool
	KindArray
	KindObject
)

var kindWords = [...]string{"null", "a string", "a number", "a boolean", "an array", "an object"}

// Value is a JSON value as a caller sent it. Its form was checked before: duplicate keys, lone
// surrogates and NUL characters are reported in [CreateRequest.Invalid]. It prints as redacted.
type Value struct {
	hidden
	Kind Kind
	Raw  json.RawMessage // exactly as sent
	Text string          // of a string
	Bool bool            // of a boolean
	// Items of an array and Members of an object, in the order sent. The value of an object's member
	// may be without them; see [Policy.MaxRaw].
	Items   []Value
	Members []Member
}

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// Get returns the first member of that name, or null if there is none.
func (v Value) Get(name string) Value {
	for _, m := range v.Members {
		if m.Name == name {
			return m.Value
		}
	}
	return Value{}
}

// maxName is how many characters of a name are shown that a caller made up.
const maxName = 64

// FieldPath returns the path of a member within its parent as it is shown to callers and in logs:
// control characters are replaced, and long names are cut off. An empty name is shown as two
// quotes, because without a path an error is about the whole body.
func FieldPath(parent, name string) string {
	characters := 0
	for i := range name {
		if characters++; characters > maxName {
			name = name[:i] + "…"
			break
		}
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
	if name == "" {
		name = `""`
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}
