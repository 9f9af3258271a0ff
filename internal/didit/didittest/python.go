package didittest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
)

// plain returns a value as Didit's sender reads it from JSON, its numbers as Python prints them.
func plain(v any) any {
	var decoded any
	d := json.NewDecoder(bytes.NewReader(jsonAnswer(0, v).body))
	d.UseNumber()
	if err := d.Decode(&decoded); err != nil {
		panic(err) // it was just encoded
	}
	return pythonNumbers(decoded)
}

func pythonNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			v[name] = pythonNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = pythonNumbers(item)
		}
	case json.Number:
		return json.Number(pythonNumber(v.String()))
	}
	return v
}

// unescapeSeparators undoes what encoding/json escapes and Python does not. An escaped backslash is
// skipped whole.
var unescapeSeparators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// dumps encodes a plain value as Didit's sender does: by Python's json.dumps with sorted keys and
// no spaces, after whole floats became integers ("Didit: Webhooks"). With ascii, as on the wire,
// every character beyond ASCII is escaped.
func dumps(v any, ascii bool) string {
	text := unescapeSeparators.Replace(string(jsonAnswer(0, v).body))
	if !ascii {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r <= '~' {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// pythonNumber returns a number of a request as Python prints it after reading it: integers as they
// are, whole floats as integers, other floats by repr. It shares no code with the client's own
// form: each checks the other.
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
