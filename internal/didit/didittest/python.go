package didittest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// plain turns a value into what a JSON decoder makes of it: maps, lists, strings, numbers as text, booleans and nil.
func plain(v any) any {
	var decoded any
	d := json.NewDecoder(bytes.NewReader(jsonAnswer(0, v).body))
	d.UseNumber()
	if err := d.Decode(&decoded); err != nil {
		panic(err) // it was encoded a line above
	}
	return decoded
}

// dumps writes a plain value as Didit's sender does: Python's json.dumps with sorted keys and no spaces, after whole
// floats became integers ("Didit: Webhooks"). With ascii, the wire's form, everything beyond ASCII is escaped.
func dumps(v any, ascii bool) string {
	var b strings.Builder
	dump(&b, v, ascii)
	return b.String()
}

func dump(b *strings.Builder, v any, ascii bool) {
	switch v := v.(type) {
	case map[string]any:
		separator := "{"
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(separator)
			dumpString(b, name, ascii)
			b.WriteByte(':')
			dump(b, v[name], ascii)
			separator = ","
		}
		if separator == "{" {
			b.WriteByte('{')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			dump(b, item, ascii)
		}
		b.WriteByte(']')
	case string:
		dumpString(b, v, ascii)
	case json.Number:
		b.WriteString(pythonNumber(v.String()))
	case nil:
		b.WriteString("null")
	default:
		fmt.Fprint(b, v) // true or false
	}
}

func dumpString(b *strings.Builder, text string, ascii bool) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}
	b.WriteByte('"')
	for _, r := range text {
		switch escape := short[r]; {
		case escape != "":
			b.WriteString(escape)
		case r > 0xFFFF && ascii:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		case r < ' ', r > '~' && ascii:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// pythonNumber is how Python prints a number of a request that it has read: integers as they are, whole floats as
// integers, other floats by repr.
func pythonNumber(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case !strings.ContainsAny(text, ".eE"), err != nil:
		return text
	case f == 0:
		return "0"
	case f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	case math.Abs(f) < 0.0001:
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
