package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"didit-sessions/internal/verification"
)

const (
	// hiddenValue replaces what the page does not show.
	hiddenValue = "•••"
	// maxShownBody is the largest body that the page shows, 64 KiB. Of a larger one it names the size.
	maxShownBody = 64 << 10
)

// shownMembers are the members of JSON bodies whose strings and numbers the page shows. All others
// may open a session or be about a person. Objects and arrays are always gone through.
var shownMembers = strings.Fields(`
	session_id session_number workflow_id workflow_version session_kind vendor_data status final next created_at updated_at
	feature features checks sessions type title detail code errors field message request_id callback callback_method language
	webhook_type timestamp event_id environment occurred_at sent_at version id detail-type source account time region
	resources expires_in error node_id simulate status_at due_from asked awaited doubt_at name state outcome started_at
	output user_id due_class`)

// shownHeaders are the headers whose values the page shows.
var shownHeaders = []string{
	"Accept", "Content-Type", "Content-Length", "Content-Encoding", "Cache-Control", "Host", "Origin", "Retry-After", "User-Agent",
	"Location", "Www-Authenticate", "X-Timestamp", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset",
}

// redactHeaders returns the lines of a header, sorted, without the values that the page hides. Of
// Authorization the scheme stays.
func redactHeaders(header http.Header) []string {
	lines := []string{}
	for name, values := range header {
		value := strings.Join(values, ", ")
		scheme, _, isScheme := strings.Cut(value, " ")
		switch {
		case slices.Contains(shownHeaders, name):
			value = redactPath(value)
		case name == "Authorization" && isScheme:
			value = scheme + " " + hiddenValue
		default:
			value = hiddenValue
		}
		lines = append(lines, name+": "+value)
	}
	slices.Sort(lines)
	return lines
}

// redactPath returns a path without the token of a session in it.
func redactPath(path string) string {
	before, after, found := strings.Cut(path, "/session/")
	if !found {
		return path
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	token := after[:end]
	if token != "" && !verification.ValidUUID(token) { // ids are no secrets
		token = hiddenValue
	}
	return before + "/session/" + token + after[end:]
}

// redactBody returns a body as the page shows it: JSON indented and without hidden values, of a
// form the names, and of anything else the kind and size.
func redactBody(contentType string, body []byte) string {
	switch {
	case len(body) == 0:
		return ""
	case len(body) > maxShownBody:
		return fmt.Sprintf("(more than %d bytes)", maxShownBody)
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		form, _ := url.ParseQuery(string(body))
		for name := range form {
			if name != "grant_type" {
				form.Set(name, hiddenValue)
			}
		}
		text, _ := url.QueryUnescape(form.Encode())
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) != nil || decoder.More() {
		kind, _, _ := strings.Cut(contentType, ";")
		if kind == "" {
			kind = "no named kind"
		}
		return fmt.Sprintf("(%d bytes of %s)", len(body), kind)
	}
	return indent(redactValue("", document))
}

// indent returns JSON for a person to read.
func indent(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // what JSON decoded to, and the maps of this package
	return strings.TrimSuffix(out.String(), "\n")
}

// redactValue returns the value of a member without what the page hides.
func redactValue(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for member, value := range v {
			v[member] = redactValue(member, value)
		}
	case []any:
		for i := range v {
			v[i] = redactValue(name, v[i])
		}
	case string, json.Number:
		if !slices.Contains(shownMembers, name) {
			return hiddenValue
		}
	}
	return v
}
