// Package strictjson reads JSON documents that cannot be trusted.
//
// It accepts one document of RFC 8259 in UTF-8 and keeps everything in it that matters: the text of
// numbers, the order of members, lone surrogates. What other readers settle silently, each in its
// own way, it reports: duplicate names, lone surrogates and NUL characters, trailing data. Depth
// and the number of values are bounded while the document is read, and memory with them. It depends
// on the standard library and on jsontext, which is to become encoding/json/jsontext.
//
//	v, err := strictjson.Parse(body, strictjson.Options{MaxDepth: 32, MaxValues: 1000})
//	if faults, ok := errors.AsType[strictjson.Faults](err); ok {
//		// v is there; each fault has the path of the value that it concerns.
//	} else if err != nil {
//		// an [*Error]: there is no value
//	}
//	id := v.Get("session_id").Text()
package strictjson

import (
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is the kind of a JSON value. The zero value is [Missing].
type Kind = jsontext.Kind

// The kinds of values.
const (
	Missing Kind = 0 // no value, which is not the value null
	Null         = jsontext.KindNull
	False        = jsontext.KindFalse
	True         = jsontext.KindTrue
	String       = jsontext.KindString
	Number       = jsontext.KindNumber
	Object       = jsontext.KindBeginObject
	Array        = jsontext.KindBeginArray
)

// Value is one value of a parsed document. The zero value is missing: it has no text, no members
// and no items. A Value is small, cheap to copy and safe for concurrent use. It refers to the
// document that [Parse] was given, which must not be changed while its values are in use.
type Value struct {
	document *document
	index    int // into the document's nodes
}

// document is a JSON text with the places of all values and names, in the text's order.
type document struct {
	text  []byte
	nodes []node
}

// node is a value or a name. Places are 32 bits wide, because a document may consist of little else
// than nodes.
type node struct {
	start, end uint32 // of its text
	next       uint32 // index of the first node that is not inside it
}

func (d *document) raw(index int) []byte {
	n := d.nodes[index]
	return d.text[n.start:n.end:n.end]
}

// Kind returns the value's kind.
func (v Value) Kind() Kind {
	if v.document == nil {
		return Missing
	}
	switch b := v.Raw()[0]; b {
	case '{', '[', '"', 'n', 't', 'f':
		return Kind(b)
	default:
		return Number
	}
}

// Raw returns the value's text exactly as it stands in the document, without the white space around
// it; nil for a missing value. The caller must not change it.
func (v Value) Raw() []byte {
	if v.document == nil {
		return nil
	}
	return v.document.raw(v.index)
}

// Text returns the decoded text of a string, and "" for every other value. A lone surrogate, which
// only [Options.AnyString] accepts without a fault, is kept as the three bytes that UTF-8 would use
// for its code point; [utf8.ValidString] does not accept them.
func (v Value) Text() string {
	if v.Kind() != String {
		return ""
	}
	return unquote(v.Raw())
}

// AppendText appends what [Value.Text] returns.
func (v Value) AppendText(to []byte) []byte {
	if v.Kind() != String {
		return to
	}
	return decode(to, v.Raw())
}

// Get returns the member of that name, the first one where the name is a duplicate. It is missing
// where there is none, or where v is not an object.
func (v Value) Get(name string) Value {
	for quoted, member := range v.members() {
		if equal(quoted, name) {
			return member
		}
	}
	return Value{}
}

// Members returns the names, decoded as [Value.Text] does, and values of an object's members, in
// the document's order. Duplicates are among them. A value that is not an object has none, nor has
// one that [Options.Opaque] names.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for quoted, member := range v.members() {
			if !yield(unquote(quoted), member) {
				return
			}
		}
	}
}

// RawMembers is [Value.Members] with each name as a string of the document.
func (v Value) RawMembers() iter.Seq2[Value, Value] {
	return func(yield func(name, member Value) bool) {
		for i := range v.memberNodes() {
			if !yield(Value{v.document, i}, Value{v.document, i + 1}) {
				return
			}
		}
	}
}

// members has the names as they stand in the document.
func (v Value) members() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for i := range v.memberNodes() {
			if !yield(v.document.raw(i), Value{v.document, i + 1}) {
				return
			}
		}
	}
}

// memberNodes has the indexes of the names; a member's value is the next node.
func (v Value) memberNodes() iter.Seq[int] {
	return func(yield func(int) bool) {
		if v.Kind() != Object {
			return
		}
		end := int(v.document.nodes[v.index].next)
		for i := v.index + 1; i < end; i = int(v.document.nodes[i+1].next) {
			if !yield(i) {
				return
			}
		}
	}
}

// Items returns the items of an array in order. A value that is not an array has none, nor has one
// that [Options.Opaque] names.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		end := int(v.document.nodes[v.index].next)
		for i := v.index + 1; i < end; i = int(v.document.nodes[i].next) {
			if !yield(Value{v.document, i}) {
				return
			}
		}
	}
}
