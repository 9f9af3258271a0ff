package didit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// No body of an error makes the reader panic, or lets through more than its limits.
func FuzzReadRefusal(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `""`, `1E700`, `<html>`, `{"workflow_id":["This field is required."]}`, `{"workflow_id":"Invalid workflow_id."}`,
		`{"detail":"You need to have a paid plan to perform this workflow."}`, `{"detail":["Only finished sessions …"]}`,
		`["The new status is the same as the current status."]`, `{"error":"invalid_client","error_description":"x"}`,
		`{"nodes_to_resubmit":[{"feature":["\"BOGUS\" is not a valid choice."]},"x",[["y"]]]}`, `{"a":{"b":{"c":[1,true,null,"\u0000\ud800"]}}}`,
		"{\"\xff\":\"\xfe\"}", `{"detail":"a"}{"detail":"b"}`, strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100),
	} {
		f.Add([]byte(seed))
	}
	short := func(t *testing.T, body []byte, text string) {
		if n := utf8.RuneCountInString(text); n > maxSentence || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q: got %d characters, %q, want at most %d on one line", body, n, text, maxSentence)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := readRefusal(body)
		if !got.readable && (got.detail != "" || got.fields != nil) {
			t.Errorf("%q: got %q and %q of an unreadable body", body, got.detail, got.fields)
		}
		if want := json.Valid(body) && bytes.ContainsAny(body[:1+len(body)-len(bytes.TrimLeft(body, " \t\r\n"))], `{["`); got.readable != want {
			t.Errorf("%q: got readable %t, want %t", body, got.readable, want)
		}
		if len(got.fields) > maxFields {
			t.Errorf("%q: got %d fields, want at most %d", body, len(got.fields), maxFields)
		}
		short(t, body, got.detail)
		for _, field := range got.fields {
			short(t, body, field.Field)
			short(t, body, field.Message)
		}
		if kind := kindOfRefusal(got); kind == "" {
			t.Errorf("%q: got %v", body, kind)
		}
	})
}

// No success makes the reader panic; what it returns has an id and a URL, and no more than
// Didit sent.
func FuzzParseSession(f *testing.F) {
	for _, seed := range []string{
		okSession, seedSession + `}`, ``, `null`, `[]`, `{}`, `{"session_id":1,"url":"u"}`, `{"session_id":"i","url":"u","session_number":"12"}`,
		`{"session_id":"i","url":"u","metadata":{"a":1e999}}`, `{"session_id":"i","url":"u","vendor_data":null,"session_number":1.5}`, "{\"session_id\":\"\xff\",\"url\":\"u\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseSession(answer{op: opCreateSession, status: 201, body: body})
		if err != nil {
			if e := failure(t, body, err); e.Kind != KindUnavailable || got.ID != "" || got.URL != "" {
				t.Errorf("%q: got %s, %v, want nothing but an error of kind %v", body, fields(got), err, KindUnavailable)
			}
			return
		}
		if got.ID == "" || got.URL == "" || !json.Valid(body) || !bytes.Contains(body, got.Metadata) {
			t.Errorf("%q: got %s, want an id, a URL and metadata as sent", body, fields(got))
		}
		size := len(got.ID) + len(got.URL) + len(got.Token) + len(got.Status) + len(got.WorkflowID) + len(got.Metadata)
		if size > 3*len(body) { // a byte that is not UTF-8 becomes three
			t.Errorf("%q: got %d bytes of %d", body, size, len(body))
		}
	})
}
