package stagetest

import (
	"fmt"
	"strings"
)

// CostlyJSON returns JSON texts of at most n bytes, by name, that are meant to cost a reader as
// much memory and time as so few bytes can. n is at least 4,096. Some of them are not valid JSON.
func CostlyJSON(n int) map[string]string {
	fill := func(opening, unit, closing string) string {
		return opening + strings.Repeat(unit, (n-len(opening)-len(closing))/len(unit)) + closing
	}
	var names strings.Builder
	for i := 0; names.Len() < n-32; i++ {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	deep, closing := "", ""
	for i := range 24 {
		deep += fmt.Sprintf(`{"%064d":`, i)
		closing += "}"
	}
	return map[string]string{
		"zeros":                       fill(`[`, `0,`, `0]`),
		"small numbers":               fill(`[`, `5e-324,`, `0]`),
		"one long number":             fill(``, `1`, ``),
		"booleans":                    fill(`[`, `true,`, `0]`),
		"empty strings":               fill(`[`, `"",`, `0]`),
		"escaped strings":             fill(`[`, `"\n",`, `0]`),
		"half surrogates":             fill(`[`, `"\ud800",`, `0]`),
		"NUL characters":              fill(`[`, `"\u0000",`, `0]`),
		"one long string":             fill(`"`, `a`, `"`),
		"one string of escapes":       fill(`"`, `\u0041`, `"`),
		"one string of line feeds":    fill(`"`, `\n`, `"`),
		"one string of surrogates":    fill(`"`, `\ud83d\ude00`, `"`),
		"one string of halves":        fill(`"`, `\ud800`, `"`),
		"one string of two-byte text": fill(`"`, "é", `"`),
		"empty arrays":                fill(`[`, `[],`, `0]`),
		"nested arrays":               fill(`[`, strings.Repeat("[", 24)+strings.Repeat("]", 24)+",", `0]`),
		"empty objects":               fill(`[`, `{},`, `0]`),
		"objects of one member":       fill(`[`, `{"a":0},`, `0]`),
		"nested objects":              fill(`[`, strings.Repeat(`{"a":`, 24)+"0"+strings.Repeat("}", 24)+",", `0]`),
		"one name again and again":    fill(`{`, `"a":0,`, `"a":0}`),
		"the empty name":              fill(`{`, `"":0,`, `"":0}`),
		"escaped names":               fill(`{`, `"\u0061":0,`, `"a":0}`),
		"half surrogates as names":    fill(`{`, `"\ud800":0,`, `"a":0}`),
		"different names":             `{` + names.String() + `"":0}`,
		"one long name":               fill(`{"`, `a`, `":0}`),
		"one long name of halves":     fill(`{"`, `\ud800`, `":0}`),
		"a name within long names":    fill(deep+`{`, `"a":0,`, `"a":0}`+closing),
		"halves within long names":    fill(deep+`[`, `"\ud800",`, `0]`+closing),
		"nested too deep":             fill(``, `[`, ``),
		"nested objects, too deep":    fill(``, `{"a":`, ``),
		"white space":                 fill(`[`, ` `, `]`),
		"cut off":                     fill(`[`, `"\ud800",`, ``),
		"bytes that are no text":      fill(`["`, "\xff", `"]`),
	}
}
