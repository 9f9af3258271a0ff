package verification

import (
	"encoding/json"
	"strings"
)

// Kind is the kind of a JSON value.
type Kind int

// The kinds. The zero value is null, which counts as not sent.
const (
	Null Kind = iota
	Text
	Number
	Flag
	List
	Object
)

var kindWords = [...]string{"null", "a text", "a number", "true or false", "a list", "an object"}

// Value is a JSON value as a caller sent it, already checked for its form: no duplicate keys, no
// lone surrogates, no NUL.
type Value struct {
	Kind    Kind
	Raw     json.RawMessage // its exact text
	Text    string          // of a Text
	Flag    bool            // of a Flag
	Items   []Value         // of a List
	Members []Member        // of an Object, in the order sent
}

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// Get returns the member of that name, and null where there is none.
func (v Value) Get(name string) Value {
	for _, m := range v.Members {
		if m.Name == name {
			return m.Value
		}
	}
	return Value{}
}

// longestName is how much is shown of a name that a caller made up.
const longestName = 64

// FieldPath is the path of a member within its parent, as it is shown to callers and in logs:
// control characters and the end of a long name are left out.
func FieldPath(parent, name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > longestName {
		name = string(runes[:longestName]) + "…"
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}
