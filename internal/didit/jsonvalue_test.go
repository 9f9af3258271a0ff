package didit

import (
	"errors"
	"strings"
	"testing"
)

func TestParseJSON_refusals(t *testing.T) {
	t.Parallel()
	list := func(n int) string { return "[" + strings.Repeat("1,", n-2) + "1]" } // n values with the list
	for _, tt := range []struct {
		name, document string
		want           error
	}{
		{"most values", list(20_000), nil},
		{"too many", list(20_001), errTooMany},
		{"a megabyte of them", list(500_000), errTooMany},
		{"deepest", strings.Repeat("[", 64) + strings.Repeat("]", 64), nil},
		{"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), errTooDeep},
		{"deep objects", strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), errTooDeep},
		{"a bomb", strings.Repeat("[", 1<<20), errTooDeep},
		{"key twice", `{"a":1,"b":2,"a":3}`, errDuplicateKey},
		{"key twice, once escaped", `{"a":1,"\u0061":3}`, errDuplicateKey},
		{"the same key in two objects", `[{"a":1},{"a":1}]`, nil},
		{"two documents", `{} {}`, errMoreThanOne},
		{"space around", " \t\r\n{} \t\r\n", nil},
		{"form feed", "\f{}", errNotJSON},
		{"byte order mark", "\ufeff{}", errNotJSON},
		{"not UTF-8", "\"\xff\"", errNotJSON},
		{"surrogate as bytes", "\"\xed\xa0\x80\"", errNotJSON},
		{"half a surrogate pair", `"\ud800"`, nil},
		{"control character", "\"\n\"", errNotJSON},
		{"leading zero", `01`, errMoreThanOne},
		{"NaN", `NaN`, errNotJSON},
		{"single quotes", `{'a':1}`, errNotJSON},
		{"comment", `{}//`, errMoreThanOne},
		{"nothing", ``, errNotJSON},
	} {
		if _, err := parseJSON([]byte(tt.document)); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestJSONValue_member(t *testing.T) {
	t.Parallel()
	v, err := parseJSON([]byte(`{"z":"é\ud83d\ude00","half":"\udc00","n":-12,"f":12.0,"big":9223372036854775808,"text":"5","null":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"z": "é😀", "text": "5"} {
		if got, ok := v.member(name).string(); got != want || !ok {
			t.Errorf("%s: got %q, %t, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"half", "n", "null", "none", ""} {
		if got, ok := v.member(name).string(); ok {
			t.Errorf("%s: got the text %q, want none", name, got)
		}
	}
	if got, ok := v.member("n").integer(); got != -12 || !ok {
		t.Errorf("n: got %d, %t, want -12", got, ok)
	}
	for _, name := range []string{"f", "big", "text", "null", "none"} {
		if got, ok := v.member(name).integer(); ok {
			t.Errorf("%s: got the integer %d, want none", name, got)
		}
	}
}
