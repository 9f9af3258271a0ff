package didit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"didit-sessions/internal/strictjson"
)

// Ensure that members are sorted by the bytes of their names, whatever the names have in common.
func TestSortedMembers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	long := strings.Repeat("long", 1000)
	parts := []string{"", "a", "b", "\x00", "\x00\x00", "é", "\u00ff", "😀", "\\", `"`, "aaaa", "aaab", "abcdefgh", long}
	for range 300 {
		var names []string
		for i, prefix := 0, parts[random.IntN(len(parts))]; i < 1+random.IntN(60); i++ {
			name := prefix
			for range random.IntN(4) {
				name += parts[random.IntN(len(parts))]
			}
			names = append(names, name)
		}
		var document strings.Builder
		for i, name := range names {
			fmt.Fprintf(&document, ",%s:%d", quoteAtRandom(t, random, name), i)
		}
		object, err := strictjson.Parse([]byte("{"+document.String()[1:]+"}"), strictjson.Options{AnyName: true, AnyString: true})
		if err != nil {
			t.Fatal(err)
		}
		want := make([]int, len(names))
		for i := range want {
			want[i] = i
		}
		slices.SortStableFunc(want, func(a, b int) int { return strings.Compare(names[a], names[b]) })
		var got []int
		for _, m := range sortedMembers(object) {
			i, _ := strconv.Atoi(string(m.value.Raw()))
			if got = append(got, i); m.name.Text() != names[i] {
				t.Errorf("member %d: got the name %.40q, want %.40q", i, m.name.Text(), names[i])
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%.200q: got the order %v, want %v", names, got, want)
		}
	}
}

// quoteAtRandom escapes a name whole, or as little of it as possible.
func quoteAtRandom(t *testing.T, random *rand.Rand, name string) string {
	t.Helper()
	if random.IntN(2) > 0 {
		var quoted strings.Builder
		for _, unit := range utf16.Encode([]rune(name)) {
			fmt.Fprintf(&quoted, `\u%04x`, unit)
		}
		return `"` + quoted.String() + `"`
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}
