package verification

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Ensure that a field that breaks a rule prints without what is private about it, alone and within
// what holds it.
func TestFieldError_redaction(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	quoted := FieldError{Field: "contact_details.email", Message: marker, Private: true}
	for _, test := range []struct {
		value any
		want  string
	}{
		{FieldError{Field: "callback", Message: "is too long."}, "callback is too long."},
		{FieldError{Message: "The body is empty."}, "The body is empty."},
		{quoted, "contact_details.email [redacted]"},
		{&quoted, "contact_details.email [redacted]"},
		{FieldError{Field: marker, Message: marker, Private: true}, "[redacted]"},
		{[]FieldError{quoted}, "[redacted]"},
		{struct{ Invalid []FieldError }{[]FieldError{quoted}}, "[redacted]"},
		{CreateRequest{Invalid: []FieldError{quoted}}, "[redacted]"},
		{map[string]any{"f": quoted}, "[redacted]"},
		{&draft{invalid: []FieldError{quoted}, fields: map[string]any{"callback": marker}, texts: map[string]string{"callback": marker}, vendorData: marker}, "[redacted]"},
	} {
		encoded, err := json.Marshal(test.value)
		if err != nil {
			t.Errorf("%T as JSON: %v", test.value, err)
		}
		prints := []string{string(encoded)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			prints = append(prints, fmt.Sprintf(verb, test.value))
		}
		var text, object bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", test.value)
		slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", test.value)
		for i, got := range append(prints, text.String(), object.String()) {
			if strings.Contains(got, marker) || strings.Contains(got, fmt.Sprintf("%x", marker)) || !strings.Contains(got, test.want) {
				t.Errorf("%T, output %d: got %s, want %q and no marker", test.value, i, got, test.want)
			}
		}
	}
}
