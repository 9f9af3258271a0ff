package strictjson

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// Ensure that no document makes the parser allocate for each of its bytes: in an opaque member, the
// names of one object at a time cost memory, and little else does.
func TestParse_allocations(t *testing.T) {
	const (
		size           = 256 << 10
		maxAllocations = 40 * maxFaults // a fault has up to 32 steps
	)
	many := func(unit string) string { return strings.TrimSuffix(strings.Repeat(unit, size/len(unit)), ",") }
	deep := strings.Repeat(`{"`+strings.Repeat("n", 64)+`":`, 28)
	var names strings.Builder
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	for name, text := range map[string]string{
		"numbers": `[` + many(`0,`) + `]`, "strings": `[` + many(`"",`) + `]`, "escapes": `[` + many(`"\n",`) + `]`, "arrays": `[` + many(`[],`) + `]`, "objects": `[` + many(`{},`) + `]`,
		"half surrogates": `[` + many(`"\ud800",`) + `]`, "a string of them": `"` + many(`\ud800`) + `"`, "a name of them": `{"` + many(`\ud800`) + `":0}`, "names of them": `{` + many(`"\ud800":0,`) + `}`,
		"duplicate names": `{` + many(`"a":0,`) + `}`, "different names": `{` + strings.TrimSuffix(names.String(), ",") + `}`,
		"a name below long ones": deep + `{` + many(`"a":0,`) + `}` + strings.Repeat("}", 28), "NUL below long names": deep + `[` + many(`"\u0000",`) + `]` + strings.Repeat("}", 28),
	} {
		document := []byte(`{"m":` + text + `}`)
		for _, limit := range []int{0, 64 << 10, math.MaxInt} { // 0: not opaque
			o := Options{MaxDepth: 32, MaxValues: 1000, Opaque: func(string) int { return limit }}
			if got := testing.AllocsPerRun(1, func() { _, _ = Parse(document, o) }); got > maxAllocations {
				t.Errorf("%s, opaque up to %d bytes: got %v allocations, want at most %d", name, limit, got, maxAllocations)
			}
		}
	}
}
