package strictjson

import (
	"bytes"
	"cmp"
	"errors"
	"hash/maphash"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Options are what [Parse] accepts. The zero value limits the depth only.
type Options struct {
	// MaxDepth is how many braces and brackets may be open at once; 0 means 10,000.
	MaxDepth int
	// MaxValues is how many values the document may have, the outermost one and containers
	// included; names do not count. 0 means as many as fit.
	MaxValues int
	// AnyString accepts lone surrogates, NUL characters and bytes that are not UTF-8 in names and
	// strings.
	AnyString bool
	// AnyName accepts duplicate names.
	AnyName bool
	// Opaque, if set, returns a positive number for the name of an outermost object's member of
	// which only the raw text is wanted. What is inside such a member has to be valid, too, and its
	// faults are reported; but it does not count for MaxValues, and the member's value has neither
	// members nor items. The number is how many bytes of an object or an array are checked like
	// that: a longer one has the fault [TooLong], and the rest is checked for depth and syntax
	// alone.
	Opaque func(name string) (maxBytes int)
}

// Parse reads a document. It returns an [*Error] if there is no value, and [Faults] beside a value.
//
// It uses 12 bytes of memory for each value and each name outside of opaque members, and 8 bytes
// for each name, opaque members included, while the object of that name is open.
func Parse(text []byte, o Options) (Value, error) {
	if uint64(len(text)) > math.MaxUint32 {
		return Value{}, &Error{Problem: TooLarge}
	}
	switch {
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return Value{}, &Error{Problem: ByteOrderMark}
	case !o.AnyString && !utf8.Valid(text):
		return Value{}, &Error{NotUTF8, validPrefix(string(text))}
	}
	p := &parser{
		Options: o,
		decoder: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		seed:    maphash.MakeSeed(),
		text:    text,
		nodes:   make([]node, 0, min(len(text)/16+1, cmp.Or(2*o.MaxValues, 4096))),
	}
	if err := p.document(); err != nil {
		return Value{}, err
	}
	v := Value{&document{text: text, nodes: p.nodes}, 0}
	if len(p.faults) == 0 {
		return v, nil
	}
	slices.SortFunc(p.faults, func(a, b Fault) int { return cmp.Compare(a.Offset, b.Offset) })
	return v, p.faults
}

// parser checks and indexes a document. It does not recurse, so that depth costs no stack.
type parser struct {
	Options
	decoder *jsontext.Decoder
	seed    maphash.Seed
	text    []byte
	nodes   []node
	values  int
	open    []level
	names   []name // of all open objects
	opaque  int    // the offset up to which the open opaque member is checked; see beyond
	faults  Faults
	scratch []byte
}

// level is an open object or array.
type level struct {
	node   int // of the container
	names  int // how many names there were before its first
	object bool
	named  bool // of an object: a name was read, and its value is next
	index  int  // of an array's last item
}

// name is a name in an open object: 32 bits of a hash, and its offset. Duplicates are found by
// sorting, which takes less memory than a map of the names.
type name uint64

func (n name) hash() uint32 { return uint32(n >> 32) }
func (n name) offset() int  { return int(uint32(n)) }

func (p *parser) document() error {
	for begun := false; !begun || len(p.open) > 0; begun = true {
		if err := p.token(); err != nil {
			return err
		}
	}
	end := int(p.decoder.InputOffset())
	if rest := bytes.TrimLeft(p.text[end:], " \t\r\n"); len(rest) > 0 {
		return &Error{TrailingData, len(p.text) - len(rest)}
	}
	return nil
}

// token reads a brace, a bracket, or a whole string, number or literal.
func (p *parser) token() error {
	switch kind := p.decoder.PeekKind(); kind {
	case jsontext.KindEndObject, jsontext.KindEndArray:
		if _, err := p.decoder.ReadToken(); err != nil {
			return p.syntaxError(err)
		}
		p.beyond()
		p.end()
		return nil
	case Object, Array:
		if _, err := p.decoder.ReadToken(); err != nil {
			return p.syntaxError(err)
		}
		return p.begin(kind == Object)
	default:
		raw, err := p.decoder.ReadValue()
		if err != nil {
			return p.syntaxError(err)
		}
		end := int(p.decoder.InputOffset())
		if top := p.top(); top != nil && top.object && !top.named {
			top.named = true
			if !p.beyond() {
				p.name(end-len(raw), end)
			}
			return nil
		}
		return p.scalar(kind, end-len(raw), end)
	}
}

func (p *parser) syntaxError(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Truncated, len(p.text)}
	}
	e := &Error{Problem: NotJSON}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.Offset = int(syntax.ByteOffset)
	}
	return e
}

// top returns the innermost open container, nil outside of all.
func (p *parser) top() *level {
	if len(p.open) == 0 {
		return nil
	}
	return &p.open[len(p.open)-1]
}

func (p *parser) begin(object bool) error {
	start := int(p.decoder.InputOffset()) - 1
	if len(p.open) == cmp.Or(p.MaxDepth, 10_000) {
		return &Error{TooDeep, start}
	}
	if err := p.value(start, start+1); err != nil {
		return err
	}
	if len(p.open) == 1 && p.open[0].object && p.Opaque != nil {
		if maxBytes := p.Opaque(unquote(p.quoted(p.names[len(p.names)-1].offset()))); maxBytes > 0 {
			p.opaque = start + min(maxBytes, len(p.text))
		}
	}
	p.open = append(p.open, level{node: len(p.nodes) - 1, names: len(p.names), object: object, index: -1})
	return nil
}

func (p *parser) end() {
	last := p.open[len(p.open)-1]
	if last.object {
		p.checkNames()
		p.names = p.names[:last.names]
	}
	p.open = p.open[:len(p.open)-1]
	if len(p.open) == 1 {
		p.opaque = 0
	}
	if p.opaque == 0 {
		n := &p.nodes[last.node]
		n.end, n.next = uint32(p.decoder.InputOffset()), uint32(len(p.nodes))
	}
}

// value counts and indexes a value whose text begins and, unless it is a container, ends there.
func (p *parser) value(start, end int) error {
	if top := p.top(); top != nil {
		top.named = false
		top.index++
	}
	if p.opaque != 0 {
		return nil
	}
	if p.values++; p.MaxValues > 0 && p.values > p.MaxValues {
		return &Error{TooManyValues, start}
	}
	p.index(start, end)
	return nil
}

func (p *parser) index(start, end int) {
	p.nodes = append(p.nodes, node{uint32(start), uint32(end), uint32(len(p.nodes) + 1)})
}

// beyond reports whether the parser is so far inside an opaque member that it checks no more than
// the syntax, and notes the fault when it gets there. It must be called while the member is open.
func (p *parser) beyond() bool {
	const noMore = -1
	if p.opaque > 0 && int(p.decoder.InputOffset()) > p.opaque {
		p.opaque = noMore
		p.fault(TooLong, p.names[p.open[1].names-1].offset(), func() []Step { return p.path()[:1] })
	}
	return p.opaque == noMore
}

func (p *parser) scalar(kind Kind, start, end int) error {
	if err := p.value(start, end); err != nil {
		return err
	}
	if !p.beyond() && kind == String && !p.sound(start, end) {
		p.fault(BadString, start, p.path)
	}
	return nil
}

func (p *parser) name(start, end int) {
	if p.opaque == 0 {
		p.index(start, end)
	}
	p.names = append(p.names, p.newName(start, end))
	if !p.sound(start, end) {
		p.fault(BadName, start, p.path)
	}
}

func (p *parser) newName(start, end int) name {
	if p.AnyName {
		return name(start)
	}
	text, plain := unescaped(p.text[start:end])
	if !plain {
		p.scratch = decode(p.scratch[:0], p.text[start:end])
		text = p.scratch
	}
	return name(maphash.Bytes(p.seed, text)<<32 | uint64(start))
}

// sound reports whether a name or a string may be in the document.
func (p *parser) sound(start, end int) bool { return p.AnyString || sound(p.text[start:end]) }

// quoted returns the valid JSON string that begins at the offset.
func (p *parser) quoted(offset int) []byte {
	end := offset + 1
	for p.text[end] != '"' {
		if p.text[end] == '\\' {
			end++
		}
		end++
	}
	return p.text[offset : end+1]
}

// checkNames looks for duplicates among the names of the innermost object. It changes their order.
func (p *parser) checkNames() {
	if p.AnyName {
		return
	}
	names := p.names[p.top().names:]
	slices.Sort(names)
	for i := 1; i < len(names) && len(p.faults) < maxFaults; i++ {
		if names[i-1].hash() != names[i].hash() {
			continue
		}
		first, second := p.quoted(names[i-1].offset()), p.quoted(names[i].offset())
		// One that is not sound is reported already.
		if equal(first, unquote(second)) && (p.AnyString || sound(second)) {
			p.fault(DuplicateName, names[i].offset(), func() []Step {
				path := p.path()
				path[len(path)-1] = Step{beginning(second), -1}
				return path
			})
		}
	}
}

// fault notes a problem with the string or the name at the offset, unless there are many already.
func (p *parser) fault(problem Problem, offset int, path func() []Step) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, Fault{problem, offset, path()})
	}
}

// path returns the path to the value or the name that was read last.
func (p *parser) path() []Step {
	path := make([]Step, len(p.open))
	for i, l := range p.open {
		if !l.object {
			path[i] = Step{Index: l.index}
			continue
		}
		count := len(p.names)
		if i+1 < len(p.open) {
			count = p.open[i+1].names
		}
		path[i] = Step{beginning(p.text[p.names[count-1].offset():]), -1}
	}
	return path
}
