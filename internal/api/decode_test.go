package api

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

func TestDecodeObject(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body    string
		invalid []string // paths
	}{
		{`{"a":1}`, nil},
		{`{"a":1,"a":2}`, []string{"a"}},
		{`{"a":{"b":1,"b":1,"b":1}}`, []string{"a.b", "a.b"}},
		{`{"a":[{"b":1,"b":1}]}`, []string{"a[0].b"}},
		{`{"a":1,"\u0061":2}`, []string{"a"}},
		{`{"a":"\ud800"}`, []string{"a"}},
		{`{"a":"\udc00"}`, []string{"a"}},
		{`{"a":"\ud800\ud800"}`, []string{"a"}},
		{`{"a":"\ud800x\udc00"}`, []string{"a"}},
		{`{"a":"\ud83d\ude00"}`, nil},
		{`{"a":"\\ud800"}`, nil},
		{`{"a":"\\\ud800"}`, []string{"a"}},
		{`{"a":"\u0000"}`, []string{"a"}},
		{`{"a":["x",{"b":"\u0000"}]}`, []string{"a[1].b"}},
		{`{"a":"\u0000","b":{"c":1,"d":"\ud800","c":[{"\u0000":"\u0000"}]},"a":2}`, []string{"a", "b.d", "b.c", "b.c[0].?", "b.c[0].?", "a"}},
		{`{"\ud800":1}`, []string{"?"}},
		{`{"a":{"\u0000":1}}`, []string{"a.?"}},
		{`{"":1,"":2}`, []string{`""`}},
		{`{"a":{"":1,"":[{"":"\u0000"}]}}`, []string{`a.""`, `a.""[0].""`}},
		{`{"":{"a":1,"a":2}}`, []string{`"".a`}},
		{`{"` + strings.Repeat("n", 100) + `":1,"` + strings.Repeat("n", 100) + `":1}`, []string{strings.Repeat("n", 64) + "…"}},
		{strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32), nil},
	} {
		_, invalid, err := decodeObject([]byte(test.body), nil)
		var got []string
		for _, f := range invalid {
			got = append(got, f.Field)
		}
		if err != nil || !reflect.DeepEqual(got, test.invalid) {
			t.Errorf("%s: got %q, %v, want %q", test.body, got, err, test.invalid)
		}
	}
}

func rawEverything(string) int { return math.MaxInt }

func TestDecodeObject_values(t *testing.T) {
	t.Parallel()
	v, _, err := decodeObject([]byte(" {\"t\" : \"a\\u00e9<\" ,\"n\":1.50e+3,\"f\":true,\"l\":[1,[2]],\"o\":{\"x\":null}}\n"), rawEverything)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		kind verification.Kind
		raw  string
	}{
		{"t", verification.KindString, `"a\u00e9<"`}, {"n", verification.KindNumber, `1.50e+3`}, {"f", verification.KindBool, `true`},
		{"l", verification.KindArray, `[1,[2]]`}, {"o", verification.KindObject, `{"x":null}`}, {"none", verification.KindNull, ""},
	} {
		if got := v.Get(test.name); got.Kind != test.kind || string(got.Raw) != test.raw {
			t.Errorf("%s: got kind %d, %s, want kind %d, %s", test.name, got.Kind, got.Raw, test.kind, test.raw)
		}
	}
	if got := v.Get("t").Text; got != "aé<" {
		t.Errorf("text: got %q", got)
	}
	if !v.Get("f").Bool || v.Get("l").Items != nil || v.Get("o").Members != nil {
		t.Errorf("got %t and values inside, want true and raw text alone", v.Get("f").Bool)
	}
	v, _, err = decodeObject([]byte(`{"expected_details":{"l":[1,[2]],"o":{"x":null}}}`), verification.Policy{}.MaxRaw)
	if err != nil {
		t.Fatal(err)
	}
	if v = v.Get("expected_details"); len(v.Get("l").Items) != 2 || v.Get("o").Members[0].Name != "x" {
		t.Errorf("got %d items and %d members, want all of them", len(v.Get("l").Items), len(v.Get("o").Members))
	}
}

// Ensure that no body makes the decoder panic, and that what it accepts without complaint means the
// same to encoding/json.
func FuzzDecodeObject(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"a":[{"b":{}}]}`, `[`, `{"a":"\u0000"}`, "{\"a\":\"\xff\"}", `{}{}`,
		strings.Repeat(`{"a":`, 40)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, invalid, err := decodeObject(body, nil)
		if err != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", body, err)
		}
		if len(invalid) == 0 && len(v.Members) != len(want) {
			t.Errorf("%q: got %d members, want %d", body, len(v.Members), len(want))
		}
		for name, value := range want {
			text, isText := value.(string)
			if m := v.Get(name); len(invalid) == 0 && isText && m.Text != text {
				t.Errorf("%q: %s: got %q, want %q", body, name, m.Text, text)
			}
		}
	})
}
