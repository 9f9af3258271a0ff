package didit

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Limits of what is kept of a refusal.
const (
	maxSentence     = 500 // characters
	maxFields       = 50
	maxRefusalDepth = 8
)

// refusal is the content of a 4xx answer's body. Didit writes at least seven shapes: an object with
// arrays, strings, objects or arrays of objects by field; a sentence, or an array of sentences, as
// detail, error or message; a bare array; and HTML pages, which are not readable.
type refusal struct {
	hidden
	readable bool
	detail   string
	fields   []FieldError
}

func readRefusal(body []byte) refusal {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return refusal{}
	}
	r := refusal{readable: true}
	object, ok := value.(map[string]any)
	if !ok {
		r.detail = sentence(value)
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch name {
		case "detail", "error", "message", "error_description", "non_field_errors":
			r.detail = clip(strings.TrimSpace(r.detail + " " + sentence(object[name])))
		default:
			r.collect(clip(name), object[name], 1)
		}
	}
	return r
}

// collect adds the messages in a value as field errors, under its path and the paths inside it.
func (r *refusal) collect(path string, value any, depth int) {
	if len(r.fields) >= maxFields || depth > maxRefusalDepth {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			r.collect(clip(path+"."+name), v[name], depth+1)
		}
	case []any:
		if text := sentence(onlyStrings(v)); text != "" {
			r.add(path, text)
		}
		for i, item := range v {
			if _, text := item.(string); !text {
				r.collect(clip(path+"["+strconv.Itoa(i)+"]"), item, depth+1)
			}
		}
	default:
		if text := sentence(v); text != "" {
			r.add(path, text)
		}
	}
}

func (r *refusal) add(path, text string) {
	if len(r.fields) < maxFields {
		r.fields = append(r.fields, FieldError{Field: path, Message: text})
	}
}

func onlyStrings(list []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		_, text := v.(string)
		return !text
	})
}

// sentence joins the strings and numbers in a value.
func sentence(value any) string {
	var texts []string
	var walk func(any, int)
	walk = func(value any, depth int) {
		if depth > maxRefusalDepth || len(texts) >= maxFields {
			return
		}
		switch v := value.(type) {
		case string:
			texts = append(texts, v)
		case json.Number:
			texts = append(texts, v.String())
		case []any:
			for _, item := range v {
				walk(item, depth+1)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				walk(v[name], depth+1)
			}
		}
	}
	walk(value, 0)
	return clip(strings.Join(texts, " "))
}

// clip shortens a string and keeps it on one line.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxSentence {
		text = string(runes[:maxSentence])
	}
	return strings.TrimSpace(text)
}
