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
	// MaxValues is how many values the document may have, the outermost one and containers included;
	// names do not count. 0 means as many as fit.
	MaxValues int
	// AnyString accepts lone surrogates, NUL characters and bytes that are not UTF-8 in names and
	// strings.
	AnyString bool
	// Opaque, if set, reports whether only the raw text is wanted of the outermost object's member of
	// that name. What is inside such a member has to be valid, too, and its faults are reported; but
	// it does not count for MaxValues, and the member's value has neither members nor items.
	Opaque func(name string) bool
}

// Parse reads a document. It returns an [*Error] if there is no value, and [Faults] beside a value.
//
// It uses 12 bytes of memory for each value and each name outside of opaque members, and 16 bytes
// for each name, opaque members included, while the object of that name is open.
func Parse(text []byte, o Options) (Value, error) {
	if uint64(len(text)) > math.MaxUint32 {
		return Value{}, &Error{Problem: TooLarge}
	}
	if !o.AnyString && !utf8.Valid(text) {
		return Value{}, &Error{NotUTF8, validPrefix(string(text))}
	}
	p := &parser{
		Options: o,
		decoder: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		seed:    maphash.MakeSeed(),
		text:    text,
		nodes:   make([]node, 0, min(len(text)/16+1, 4096)),
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
	opaque  bool   // inside an opaque member
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

// name is a name in an open object. Duplicates are found by sorting the hashes, which take less
// memory than a map of the names.
type name struct {
	hash       uint64
	start, end uint32
}

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
			return p.name(end-len(raw), end)
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
		last := p.names[len(p.names)-1]
		p.opaque = p.Opaque(unquote(p.text[last.start:last.end]))
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
		p.opaque = false
	}
	if !p.opaque {
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
	if p.opaque {
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

func (p *parser) scalar(kind Kind, start, end int) error {
	if err := p.value(start, end); err != nil {
		return err
	}
	if kind == String {
		if _, sound := p.decode(start, end); !sound {
			p.fault(BadString, start, end)
		}
	}
	return nil
}

func (p *parser) name(start, end int) error {
	if !p.opaque {
		p.index(start, end)
	}
	text, sound := p.decode(start, end)
	p.names = append(p.names, name{maphash.Bytes(p.seed, text), uint32(start), uint32(end)})
	if !sound {
		p.fault(BadName, start, end)
	}
	return nil
}

// decode returns the text of a string, valid until the next call, and whether it may be in the
// document.
func (p *parser) decode(start, end int) (text []byte, sound bool) {
	quoted := p.text[start:end]
	if inner, plain := unescaped(quoted); plain {
		return inner, true
	}
	text, whole := decode(p.scratch[:0], quoted)
	p.scratch = text
	return text, p.AnyString || whole && bytes.IndexByte(text, 0) < 0
}

// checkNames looks for duplicates among the names of the innermost object. It changes their order.
func (p *parser) checkNames() {
	names := p.names[p.top().names:]
	slices.SortFunc(names, func(a, b name) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return cmp.Compare(a.start, b.start)
	})
	for i := 1; i < len(names) && len(p.faults) < maxFaults; i++ {
		a, b := names[i-1], names[i]
		if a.hash != b.hash || !equal(p.text[a.start:a.end], unquote(p.text[b.start:b.end])) {
			continue
		}
		if _, sound := p.decode(int(b.start), int(b.end)); sound { // else it is reported already
			p.fault(DuplicateName, int(b.start), int(b.end))
		}
	}
}

// fault notes a problem with the string or the name between start and end.
func (p *parser) fault(problem Problem, start, end int) {
	if len(p.faults) == maxFaults {
		return
	}
	path := p.path()
	if problem == DuplicateName {
		path[len(path)-1] = Step{beginning(p.text[start:end]), -1}
	}
	p.faults = append(p.faults, Fault{problem, start, path})
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
		last := p.names[count-1]
		path[i] = Step{beginning(p.text[last.start:last.end]), -1}
	}
	return path
}
