package strictjson

import (
	"errors"
	"testing"
)

// Whatever the limits are, a document that keeps them is read as without limits, one that breaks
// them has the error or the fault for that, and nothing else changes.
func FuzzParse_limits(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2,{"b":"\ud800","b":1}],"b":{"a":"\u0000","a":{}},"c":"\ud800"}`, `[[[[]]]]`, `{"a":{"a":{"a":{}}},"a":[]}`, `{"a":[],"a":[1],"b":2,"\u0061":[`,
	} {
		f.Add([]byte(seed), uint8(3), uint8(5), uint8(4))
	}
	f.Fuzz(func(t *testing.T, text []byte, depth, values, limit uint8) {
		opaque := func(name string) int {
			if name == "a" {
				return int(limit)
			}
			return 0
		}
		all, allErr := Parse(text, Options{})
		refused, _ := errors.AsType[*Error](allErr)
		got, err := Parse(text, Options{MaxDepth: int(depth), MaxValues: int(values), Opaque: opaque})
		if e, ok := errors.AsType[*Error](err); ok {
			if e.Problem != TooDeep && e.Problem != TooManyValues && (refused == nil || refused.Problem != e.Problem) {
				t.Errorf("%q: got %v, want %v", text, err, allErr)
			}
			return
		}
		if refused != nil || string(got.Raw()) != string(all.Raw()) {
			t.Fatalf("%q: got %s, %v, want %v", text, got.Raw(), err, allErr)
		}
		if n := nested(all); depth > 0 && n > int(depth) {
			t.Errorf("%q: got %d levels, want at most %d", text, n, depth)
		}
		faults, _ := errors.AsType[Faults](err)
		var long int
		for _, fault := range faults {
			if fault.Problem == TooLong {
				long++
			}
		}
		want := 0
		for name, member := range all.Members() {
			if container := member.Kind() == Object || member.Kind() == Array; name == "a" && container && limit > 0 && len(member.Raw()) > int(limit) {
				want++
			}
		}
		if len(faults) < maxFaults && long != want {
			t.Errorf("%q, up to %d bytes: got %d members that are too long, want %d", text, limit, long, want)
		}
		if values > 0 && counted(got) > int(values) {
			t.Errorf("%q: got %d values, want at most %d", text, counted(got), values)
		}
	})
}

// nested is how many braces and brackets are open at once.
func nested(v Value) (levels int) {
	for item := range v.Items() {
		levels = max(levels, nested(item))
	}
	for _, member := range v.Members() {
		levels = max(levels, nested(member))
	}
	if v.Kind() == Object || v.Kind() == Array {
		levels++
	}
	return levels
}

// counted is how many values there are to look at.
func counted(v Value) int {
	n := 1
	for item := range v.Items() {
		n += counted(item)
	}
	for _, member := range v.Members() {
		n += counted(member)
	}
	return n
}
