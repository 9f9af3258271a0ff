package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse_errors(t *testing.T) {
	t.Parallel()
	list := func(n int) string { return "[" + strings.Repeat("1,", n-2) + "1]" } // n values with the list
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		text   string
		want   Problem
		offset int
	}{
		{"", Truncated, 0},
		{" \t", Truncated, 2},
		{`{"a":1`, Truncated, 6},
		{`{"a":tru`, Truncated, 8},
		{`"a`, Truncated, 2},
		{`{"a":1,}`, NotJSON, 6},
		{`[,]`, NotJSON, 1},
		{`{"a" 1}`, NotJSON, 5},
		{`{1:2}`, NotJSON, 1},
		{`{'a':1}`, NotJSON, 1},
		{`NaN`, NotJSON, 0},
		{`[1.]`, NotJSON, 3},
		{"\"\n\"", NotJSON, 1},
		{`"\x"`, NotJSON, 1},
		{"\ufeff{}", ByteOrderMark, 0},
		{"\ufeff", ByteOrderMark, 0},
		{" \ufeff{}", NotJSON, 1},
		{"\f{}", NotJSON, 0},
		{`[}`, NotJSON, 1},
		{"[\"ab\xff\"]", NotUTF8, 4},
		{"\"\xed\xa0\x80\"", NotUTF8, 1},
		{`{} {}`, TrailingData, 3},
		{`{}//`, TrailingData, 2},
		{`01`, TrailingData, 1},
		{nest(4), "", 0},
		{nest(5), TooDeep, 4},
		{`[[[` + `{"a":1}` + `]]]`, "", 0},
		{`[[[[` + `{"a":1}` + `]]]]`, TooDeep, 4},
		{strings.Repeat("[", 1<<20), TooDeep, 4},
		{list(20), "", 0},
		{list(21), TooManyValues, 39},
		{`{"a":{"b":[` + strings.Repeat(`"",`, 16) + `1]}}`, "", 0},
		{`{"a":{"b":[` + strings.Repeat(`"",`, 17) + `1]}}`, TooManyValues, 62},
	} {
		v, err := Parse([]byte(tt.text), Options{MaxDepth: 4, MaxValues: 20})
		e, _ := errors.AsType[*Error](err)
		if tt.want == "" && (err != nil || string(v.Raw()) != tt.text) || tt.want != "" && (e == nil || *e != Error{tt.want, tt.offset} || v != Value{}) {
			t.Errorf("%.40s: got %s, %v, want %q at byte %d", tt.text, v.Raw(), err, tt.want, tt.offset)
		}
	}
}

func TestParse_faults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string // problem and path
	}{
		{`{"a":1,"b":{"a":[{"a":2},{"a":3}]}}`, nil},
		{`{"a":1,"a":2}`, []string{"a duplicate key $.a"}},
		{`{"a":1,"\u0061":2}`, []string{"a duplicate key $.a"}},
		{`{"a":{"b":1,"c":0,"b":1,"b":1}}`, []string{"a duplicate key $.a.b", "a duplicate key $.a.b"}},
		{`{"x":0,"a":[7,{"b":1,"b":[{"c":1,"c":"\u0000"}]}],"x":1}`, []string{
			"a duplicate key $.a[1].b", "a duplicate key $.a[1].b[0].c", string(BadString) + " $.a[1].b[0].c", "a duplicate key $.x",
		}},
		{`{"a":"\ud800"}`, []string{string(BadString) + " $.a"}},
		{`{"a":"\udc00"}`, []string{string(BadString) + " $.a"}},
		{`{"a":"\ud800\ud800"}`, []string{string(BadString) + " $.a"}},
		{`{"a":"\ud800x\udc00"}`, []string{string(BadString) + " $.a"}},
		{`{"a":"\ud83d\ude00"}`, nil},
		{`{"a":"\\ud800"}`, nil},
		{`{"a":"\\\ud800"}`, []string{string(BadString) + " $.a"}},
		{`{"a":["x",{"b":"\u0000"}]}`, []string{string(BadString) + " $.a[1].b"}},
		{`"\u0000"`, []string{string(BadString) + " $"}},
		{`{"\ud800":1,"\ud800":1}`, []string{string(BadName) + " $.\xed\xa0\x80", string(BadName) + " $.\xed\xa0\x80"}},
		{`{"a":{"\u0000":1}}`, []string{string(BadName) + " $.a.\x00"}},
		{`{"` + strings.Repeat(`\u00e9`, 150) + `":"\u0000"}`, []string{string(BadString) + " $." + strings.Repeat("é", 100)}},
		{`{"o":{"a":1,"a":[{"b":"\u0000"},{"\ud800":2}]}}`, []string{
			"a duplicate key $.o.a", string(BadString) + " $.o.a[0].b", string(BadName) + " $.o.a[1].\xed\xa0\x80",
		}},
	} {
		for _, opaque := range []bool{false, true} {
			v, err := Parse([]byte(tt.text), Options{Opaque: func(name string) int { return limitOf(opaque && len(name) == 1) }})
			faults, _ := errors.AsType[Faults](err)
			var got []string
			for _, f := range faults {
				got = append(got, string(f.Problem)+" "+pathText(f.Path))
			}
			if (err == nil) != (tt.want == nil) || !reflect.DeepEqual(got, tt.want) || string(v.Raw()) != tt.text {
				t.Errorf("%s, opaque %t: got %s, %v, %q, want %q", tt.text, opaque, v.Raw(), err, got, tt.want)
			}
		}
	}
}

func pathText(path []Step) string {
	text := "$"
	for _, s := range path {
		if s.Index < 0 {
			text += "." + s.Name
		} else {
			text += fmt.Sprintf("[%d]", s.Index)
		}
	}
	return text
}

// Ensure that lone surrogates can be accepted, and that names which differ in nothing else differ.
func TestParse_anyString(t *testing.T) {
	t.Parallel()
	const text = `{"\ud800":1,"\ud801":2,"\ufffd":3,"\u0000":"\udc00\u0000"}`
	v, err := Parse([]byte(text), Options{AnyString: true})
	if err != nil || string(v.Get("\xed\xa0\x81").Raw()) != "2" || v.Get("\x00").Text() != "\xed\xb0\x80\x00" {
		t.Errorf("got %s, %q, %v, want 2 and the lone surrogate", v.Get("\xed\xa0\x81").Raw(), v.Get("\x00").Text(), err)
	}
	if v, err := Parse([]byte("{\"a\":\"\xff\",\"\xff\\u00e9\":1}"), Options{AnyString: true}); err != nil || v.Get("a").Text() != "\xff" || count(v) != 2 {
		t.Errorf("not UTF-8: got %q, %v, want it read", v.Raw(), err)
	}
	_, err = Parse([]byte(`{"\ud800":1,"\uD800":2}`), Options{AnyString: true})
	if faults, _ := errors.AsType[Faults](err); len(faults) != 1 || faults[0].Problem != DuplicateName || faults[0].Offset != 12 {
		t.Errorf("the same lone surrogate: got %v, want a duplicate key", err)
	}
}

// Ensure that duplicate names can be accepted, and nothing else with them.
func TestParse_anyName(t *testing.T) {
	t.Parallel()
	v, err := Parse([]byte(`{"a":1,"b":{"\u0061":2,"a":3},"a":4}`), Options{AnyName: true})
	if err != nil || string(v.Get("a").Raw()) != "1" || string(v.Get("b").Get("a").Raw()) != "2" || count(v) != 3 {
		t.Errorf("got %s, %v, want the first of each name", v.Raw(), err)
	}
	_, err = Parse([]byte(`{"a":1,"a":{"\ud800":"\u0000"}}`), Options{AnyName: true})
	if faults, _ := errors.AsType[Faults](err); len(faults) != 2 || faults[0].Problem != BadName || pathText(faults[1].Path) != "$.a.\xed\xa0\x80" {
		t.Errorf("got %v, want the faults of the name and the string", err)
	}
}

// Ensure that faults quote nothing in their text, and are bounded in number and in size.
func TestFaults_bounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 100_000)
	_, err := Parse([]byte(`{"`+long+`":["\u0000"`+strings.Repeat(`,"\u0000"`, 1000)+`]}`), Options{})
	faults, _ := errors.AsType[Faults](err)
	if len(faults) != maxFaults || len(faults[99].Path[0].Name) != maxStepName || faults[99].Path[1].Index != 99 {
		t.Fatalf("got %d faults, want %d with short paths", len(faults), maxFaults)
	}
	if got := err.Error(); got != "a string with a lone surrogate or a NUL character, at byte 100005" {
		t.Errorf("got %q", got)
	}
	_, err = Parse([]byte(`[1,PLANTED]`), Options{})
	if err == nil || err.Error() != "not JSON, at byte 3" {
		t.Errorf("got %v, want fixed words", err)
	}
}

func TestParse_opaque(t *testing.T) {
	t.Parallel()
	text := `{"list":[1,2],"raw":{"a":[` + strings.Repeat("0,", 100) + `0], "list":[3]},"text":"\u0061","after":{"raw":{"x":1}}}`
	opaque := func(name string) int { return limitOf(name == "raw" || name == "text") }
	v, err := Parse([]byte(text), Options{MaxValues: 9, Opaque: opaque})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Get("raw").Raw()); got != text[strings.Index(text, `{"a"`):strings.Index(text, `,"text"`)] {
		t.Errorf("got raw text %s", got)
	}
	if got := count(v.Get("raw")); got != 0 || v.Get("raw").Kind() != Object || v.Get("text").Text() != "a" {
		t.Errorf("got %d members, kind %v, text %q, want none, an object, a", got, v.Get("raw").Kind(), v.Get("text").Text())
	}
	if got := count(v.Get("after").Get("raw")); got != 1 {
		t.Errorf("further inside: got %d members, want 1", got)
	}
	for refused, o := range map[string]Options{
		`{"raw":[[[1]]]}`: {MaxDepth: 3, Opaque: opaque},
		`{"raw":[1,]}`:    {Opaque: opaque},
		`{"raw":{"a"}}`:   {Opaque: opaque},
		`[{"raw":[1,2]}]`: {MaxValues: 4, Opaque: opaque}, // not a member of the outermost object
	} {
		if _, err := Parse([]byte(refused), o); err == nil {
			t.Errorf("%s: got no error", refused)
		}
	}
}

func limitOf(opaque bool) int {
	if opaque {
		return math.MaxInt
	}
	return 0
}

// Ensure that a member which is too long is reported once, that nothing after its limit is looked
// at but depth and syntax, and that the members around it are read as ever.
func TestParse_tooLong(t *testing.T) {
	t.Parallel()
	const limit = 20
	parse := func(text string) (v Value, got []string, err error) {
		v, err = Parse([]byte(text), Options{MaxDepth: 6, MaxValues: 10, Opaque: func(name string) int {
			if name == "raw" {
				return limit
			}
			return 0
		}})
		faults, _ := errors.AsType[Faults](err)
		for _, f := range faults {
			got = append(got, fmt.Sprintf("%s at %d %s", f.Problem, f.Offset, pathText(f.Path)))
		}
		return v, got, err
	}
	long := string(TooLong)
	for value, want := range map[string][]string{
		`[` + strings.Repeat(" ", limit-2) + `]`:                     nil,
		`[` + strings.Repeat(" ", limit-1) + `]`:                     {long + " at 1 $.raw"},
		`{"a":1,"b":[1,2,345]}`:                                      {long + " at 1 $.raw"},
		`{"a":1,"b":[1,2,34]}`:                                       nil,
		`[1,2,3,4,5,6,7,"` + strings.Repeat("a", limit) + `"]`:       {long + " at 1 $.raw"},
		`{"a":1,"a":2,"` + strings.Repeat(`\u0000`, limit) + `":3}`:  {long + " at 1 $.raw", "a duplicate key at 14 $.raw.a"},
		`[["1234567890123456",{"\ud800":"\u0000","x":1,"x":2}]]`:     {long + " at 1 $.raw"},
		`{"a":{"b":"1234567890"},"a":[{"c":1,"c":[{"d":1,"d":1}]}]}`: {long + " at 1 $.raw"},
		`"` + strings.Repeat("a", limit) + `"`:                       nil, // neither an object nor an array
	} {
		text := `{"raw":` + value + `,"after":{"x":[1,2],"x":"\u0000"}}`
		v, got, _ := parse(text)
		at := len(`{"raw":` + value + `,"after":{"x":[1,2],`)
		want = append(want, fmt.Sprintf("a duplicate key at %d $.after.x", at), fmt.Sprintf("%s at %d $.after.x", BadString, at+4))
		if !reflect.DeepEqual(got, want) || string(v.Get("raw").Raw()) != value || count(v.Get("raw")) != 0 || count(v.Get("after").Get("x")) != 2 {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for _, value := range []string{`[1234567890123456789,]`, `[12345678901234567890,[[[[[[]]]]]]]`, `["12345678901234567890","\x"]`} {
		if v, got, err := parse(`{"raw":` + value + `}`); got != nil || err == nil || v != (Value{}) {
			t.Errorf("%s: got %q, %v, want an error alone", value, got, err)
		}
	}
}

func count(v Value) (n int) {
	for range v.Members() {
		n++
	}
	for range v.Items() {
		n++
	}
	return n
}

func TestValue(t *testing.T) {
	t.Parallel()
	v, err := Parse([]byte(" {\"t\" : \"a\\u00e9<\" ,\"n\":1.50e+3,\"yes\":true,\"l\":[1,[2],{}],\"o\":{\"x\":null},\"\\u006ee\":-0,\"no\":false}\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		kind Kind
		raw  string
		text string
	}{
		{"t", String, `"a\u00e9<"`, "aé<"}, {"n", Number, `1.50e+3`, ""}, {"yes", True, `true`, ""}, {"no", False, `false`, ""},
		{"l", Array, `[1,[2],{}]`, ""}, {"o", Object, `{"x":null}`, ""}, {"ne", Number, "-0", ""}, {"none", Missing, "", ""}, {"", Missing, "", ""},
	} {
		if got := v.Get(tt.name); got.Kind() != tt.kind || string(got.Raw()) != tt.raw || got.Text() != tt.text {
			t.Errorf("%s: got %v, %s, %q, want %v, %s, %q", tt.name, got.Kind(), got.Raw(), got.Text(), tt.kind, tt.raw, tt.text)
		}
	}
	var names, items []string
	for name := range v.Members() {
		names = append(names, name)
	}
	for name, member := range v.RawMembers() {
		if i := slices.Index(names, name.Text()); i < 0 || member != v.Get(names[i]) {
			t.Errorf("got a member %s: %s, want one of %q", name.Raw(), member.Raw(), names)
		}
	}
	for item := range v.Get("l").Items() {
		items = append(items, string(item.Raw()))
	}
	if fmt.Sprint(names) != "[t n yes l o ne no]" || fmt.Sprint(items) != "[1 [2] {}]" {
		t.Errorf("got members %v and items %v", names, items)
	}
	if v.Get("o").Get("x").Kind() != Null || string(v.Get("n").AppendText([]byte("x"))) != "x" || (Value{}).Get("x") != (Value{}) || count(v.Get("t")) != 0 || count(Value{}) != 0 || v.Get("l").Get("x") != (Value{}) {
		t.Error("got members where there are none")
	}
	for range v.Members() {
		break
	}
	for range v.RawMembers() {
		break
	}
	for range v.Get("l").Items() {
		break
	}
}

func TestAppendQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          `""`,
		"a\"\\/\b\f\n\r\t":          `"a\"\\/\b\f\n\r\t"`,
		"\x00\x1f\x7f":              `"\u0000\u001f` + "\x7f\"",
		"<é\u2028😀>&":               "\"<é\u2028😀>&\"",
		"\xed\xa0\x80":              `"\ud800"`,
		"a\xed\xbf\xbfb\ufffd":      "\"a\\udfffb\ufffd\"",
		"\xed\xa0\xbdx\xed\xb8\x80": `"\ud83dx\ude00"`,
		"\xed\xb4\x9a\xed\xab\xa5":  `"\udd1a\udae5"`,
		"abc\"déf\\\\😀":             "\"abc\\\"déf\\\\\\\\😀\"",
		"é\xed\xa0\x80é\x01é":       "\"é\\ud800é\\u0001é\"",
	} {
		v, err := Parse([]byte(want), Options{AnyString: true})
		if err != nil || v.Text() != text || string(v.AppendText([]byte("before"))) != "before"+text || string(v.AppendQuote([]byte("before"))) != "before"+want {
			t.Errorf("%s: got %q, %v, written as %s, want %q", want, v.Text(), err, v.AppendQuote(nil), text)
		}
	}
	for quoted, want := range map[string]string{
		`"\u0061\/\u0022\u005C\u000a\u0000\u001F\u007f\u00e9\uD83D\uDE00\uDE00"`: "\"a/\\\"\\\\\\n\\u0000\\u001f\x7fé😀\\ude00\"", `1`: "", `[""]`: "",
	} {
		v, err := Parse([]byte(quoted), Options{AnyString: true})
		if got := string(v.AppendQuote(nil)); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", quoted, got, err, want)
		}
	}
}

// FuzzParse compares with encoding/json, which has to accept the same documents and to find the
// same in them.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		` null `, `-`, `01`, `1.`, `.5`, `1e`, `+1`, `"\u00"`, `"\ud83d\ude00\ud83d"`, `"\ud83d\u0041"`, `"\x"`, "\"\x00\"", `{"a":1,}`, `[,]`, `{"a" 1}`,
		`{"b":[1,{"c":null}],"a":"é"}`, `[1e400,-1e-400,1e308]`, "\ufeff{}", `tru`, `nullx`, `[[]] []`, `{"":0}`, `{"a":1,"\u0061":{"a":1,"a":2}}`,
		`{"a":[{"b":"\u0000"},"\ud800"],"\udc00":"\ud800\udc00"}`, "\"\xff\"", `{"o":{"o":{"x":[1,2,{"y":{}}]}},"p":[{},{}]}`, strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		v, err := Parse(text, Options{})
		e, _ := errors.AsType[*Error](err)
		faults, _ := errors.AsType[Faults](err)
		if _, err := Parse(text, Options{AnyString: true}); json.Valid(text) == errors.As(err, new(*Error)) {
			t.Fatalf("%q with any strings: got %v, want valid %t", text, err, json.Valid(text))
		}
		if valid := json.Valid(text) && utf8.Valid(text); valid != (e == nil) || !bytes.Equal(before, text) {
			t.Fatalf("%q: got %v, want valid %t and the text unchanged", text, err, valid)
		}
		if e != nil {
			if e.Offset < 0 || e.Offset > len(text) || v != (Value{}) {
				t.Errorf("%q: got %v, %v", text, v, e)
			}
			return
		}
		hidden := 0
		opaque, err2 := Parse(text, Options{Opaque: func(string) int { hidden++; return math.MaxInt }})
		if fmt.Sprint(err2) != fmt.Sprint(err) || !bytes.Equal(opaque.Raw(), v.Raw()) || hidden > count(v) {
			t.Errorf("%q, opaque: got %v, want %v", text, err2, err)
		}
		loose, anyErr := Parse(text, Options{AnyString: true})
		if (anyErr != nil) != hasProblem(faults, DuplicateName) && len(faults) < maxFaults && !hasProblem(faults, BadName) {
			t.Errorf("%q: got %v with any strings, %v else", text, anyErr, err)
		}
		if form := appendValue(nil, loose); anyErr == nil {
			again, err := Parse(form, Options{AnyString: true})
			if err != nil || !bytes.Equal(appendValue(nil, again), form) {
				t.Errorf("%q: written as %q, which reads as %v, %v", text, form, again, err)
			}
		}
		if err != nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil || !reflect.DeepEqual(tree(v), want) {
			t.Errorf("%q: got %v, want %v, %v", text, tree(v), want, err)
		}
	})
}

func hasProblem(faults Faults, p Problem) bool {
	for _, f := range faults {
		if f.Problem == p {
			return true
		}
	}
	return false
}

// tree is a value as encoding/json has it.
func tree(v Value) any {
	switch v.Kind() {
	case Object:
		m := map[string]any{}
		for name, member := range v.Members() {
			m[name] = tree(member)
		}
		return m
	case Array:
		list := []any{}
		for item := range v.Items() {
			list = append(list, tree(item))
		}
		return list
	case String:
		return v.Text()
	case Number:
		return json.Number(v.Raw())
	case Null:
		return nil
	default:
		return v.Kind() == True
	}
}

// appendValue writes a value without white space.
func appendValue(to []byte, v Value) []byte {
	switch v.Kind() {
	case Object:
		to = append(to, '{')
		for name, member := range v.RawMembers() {
			to = append(appendValue(append(name.AppendQuote(to), ':'), member), ',')
		}
		return append(bytes.TrimSuffix(to, []byte(",")), '}')
	case Array:
		to = append(to, '[')
		for item := range v.Items() {
			to = append(appendValue(to, item), ',')
		}
		return append(bytes.TrimSuffix(to, []byte(",")), ']')
	case String:
		return v.AppendQuote(to)
	default:
		return append(to, v.Raw()...)
	}
}

// BenchmarkParse reads documents of the sizes and shapes that cost most.
func BenchmarkParse(b *testing.B) {
	const size = 4 << 20
	var names, many strings.Builder
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	for i := 0; many.Len() < size; i++ {
		many.WriteString(`{"a":1,"b":2,"a":3},`)
	}
	opaque := func(string) int { return math.MaxInt }
	for _, bm := range []struct {
		name, text string
		o          Options
	}{
		{"distinct names", `{"m":{` + strings.TrimSuffix(names.String(), ",") + `}}`, Options{Opaque: opaque}},
		{"duplicate names", `{"m":{"a":0` + strings.Repeat(`,"a":0`, size/6) + `}}`, Options{Opaque: opaque}},
		{"small objects", `{"m":[` + strings.TrimSuffix(many.String(), ",") + `]}`, Options{Opaque: opaque}},
		{"digits", `{"m":[0` + strings.Repeat(",0", size/2) + `]}`, Options{Opaque: opaque}},
		{"digits, indexed", `[0` + strings.Repeat(",0", size/2) + `]`, Options{}},
		{"escapes", `{"m":"` + strings.Repeat(`\ud800`, size/6) + `"}`, Options{}},
		{"bad strings", `{"m":["\u0000"` + strings.Repeat(`,"\u0000"`, size/9) + `]}`, Options{Opaque: opaque}},
		{"empty objects", `{"m":[{}` + strings.Repeat(`,{}`, size/3) + `]}`, Options{Opaque: opaque}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.text)))
			for b.Loop() {
				_, _ = Parse([]byte(bm.text), bm.o)
			}
		})
	}
}
