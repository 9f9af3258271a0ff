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
	readable  bool
	detail    string   // the sentences, joined
	sentences []string // about the whole request
	fields    []FieldError
	free      []string // top-level fields in which the caller sent text of its own
}

// sentenceNames are the members in which Didit writes about the whole request, or about the whole
// of a field.
var sentenceNames = []string{"detail", "error", "message", "error_description", "non_field_errors"}

// readRefusal reads a body that is one JSON object, array or string. Anything else is not readable:
// the words 400 Bad Request begin with a number, and are not Didit's. free are the top-level fields
// in which the caller sent text of its own.
func readRefusal(body []byte, free ...string) refusal {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // one that is too large for a float is no reason to lose the sentences
	if !json.Valid(body) || d.Decode(&value) != nil {
		return refusal{}
	}
	switch value.(type) {
	case map[string]any, []any, string:
	default:
		return refusal{}
	}
	r := refusal{readable: true, free: free}
	r.collect("", value, 0)
	r.detail = clip(strings.Join(r.sentences, " "))
	return r
}

// collect adds the sentences in a value: to those about the field at the path and about what is
// within it, or with an empty path to those about the whole request. Only strings are sentences.
func (r *refusal) collect(path string, value any, depth int) {
	if depth > maxRefusalDepth {
		return
	}
	switch v := value.(type) {
	case string:
		r.add(path, v)
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner := clip(strings.TrimPrefix(path+"."+name, "."))
			if slices.Contains(sentenceNames, name) {
				inner = path
			} else if inner == "" {
				continue // a member without a name is not about the whole request
			}
			r.collect(inner, v[name], depth+1)
		}
	case []any:
		r.add(path, strings.Join(stringsOf(v), " "))
		for i, item := range v {
			inner := path
			if path != "" {
				inner = clip(path + "[" + strconv.Itoa(i) + "]")
			}
			if _, isString := item.(string); !isString {
				r.collect(inner, item, depth+1)
			}
		}
	}
}

func (r *refusal) add(path, text string) {
	text = clip(text)
	switch {
	case text == "" || len(r.fields)+len(r.sentences) >= maxFields:
	case path == "":
		r.sentences = append(r.sentences, text)
	default:
		r.fields = append(r.fields, FieldError{Field: path, Message: text})
	}
}

func stringsOf(list []any) (texts []string) {
	for _, item := range list {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
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
