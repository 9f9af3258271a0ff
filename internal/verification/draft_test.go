package verification

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestCreator_Create_unknownField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 65)
	for body, path := range map[string]string{
		`{"nonsense":1}`:                                 "nonsense",
		`{"nonsense":null}`:                              "nonsense",
		`{"contact_details":{"fax":"1"}}`:                "contact_details.fax",
		`{"contact_details":{"fax":null}}`:               "contact_details.fax",
		`{"expected_details":{"email":"j@example.com"}}`: "expected_details.email",
		`{"expected_details":{"expected_details":{}}}`:   "expected_details.expected_details",
		`{"":1}`:                                    `""`,
		`{"":null}`:                                 `""`,
		`{"contact_details":{"":1}}`:                `contact_details.""`,
		`{"Workflow_ID":"` + workflow + `"}`:        "Workflow_ID",
		`{"include_url":false}`:                     "include_url",
		`{"qr":"svg"}`:                              "qr",
		`{"contact_details.email":"j@example.com"}`: "contact_details.email",
		`{"contact_details.email":null}`:            "contact_details.email",
		`{"expected_details":{"address.x":null}}`:   "expected_details.address.x",
		`{"a\u0001b\u007f\n":1}`:                    "a?b??",
		`{"language\u0000":"en"}`:                   "language?",
		`{"` + long + `":1}`:                        long[:64] + "…",
		`{"contact_details":{"` + strings.Repeat("é", 65) + `":1}}`: "contact_details." + strings.Repeat("é", 64) + "…",
	} {
		e := refused(t, newCreator(nil).Policy, trusted, body)
		wantRefusal(t, body, e, CodeInvalidRequest, path)
		if got := e.Fields[0].Message; !strings.HasPrefix(got, "is not a field of this request") {
			t.Errorf("%s: got %q, want that it is not a field", body, got)
		}
	}
	// A dotted name does not stand in for the field at that path.
	body := `{"contact_details":{"email":"jane@example.com"},"contact_details.email":"joe@example.com"}`
	wantRefusal(t, body, refused(t, newCreator(nil).Policy, trusted, body), CodeInvalidRequest, "contact_details.email")
}

// Ensure that the configured extra fields arrive at Didit as they were sent.
func TestCreator_Create_extraFields(t *testing.T) {
	t.Parallel()
	extra := []string{"newest", "flag", "none", "language"}
	for _, caller := range []Caller{trusted, signedIn} {
		w := newWire(t, 201, okSession)
		s := newCreator(w.client)
		s.Policy.ExtraFields, s.Policy.UserFields = extra, append([]string{"language"}, extra...)
		body := `{"newest":{"b":1.50,"a":[null,"<&>\u2028"],"n":12345678901234567890123},"flag":false,"none":null,"language":"en"}`
		if _, err := create(t, s, caller, body); err != nil {
			t.Fatalf("%s with trust %v: got %v %q, want it accepted", body, caller.Trusted, err, fieldsOf(err))
		}
		sent := w.sent(t, body)
		for name, want := range map[string]string{
			"newest": `{"b":1.50,"a":[null,"<&>\u2028"],"n":12345678901234567890123}`, "flag": "false", "none": "null", "language": `"en"`, "other": ""} {
			if got := string(sent.Get(name).Raw); got != want {
				t.Errorf("%s with trust %v: Didit got %s %s, want %s", body, caller.Trusted, name, got, want)
			}
		}
	}
	policy := newCreator(nil).Policy
	policy.ExtraFields = extra
	// A field that is known stays under its own rules.
	wantRefusal(t, "language", refused(t, policy, trusted, `{"language":"x"}`), CodeInvalidRequest, "language")
	wantRefusal(t, "other", refused(t, policy, trusted, `{"other":1}`), CodeInvalidRequest, "other")
	wantRefusal(t, "nested", refused(t, policy, trusted, `{"contact_details":{"newest":1}}`), CodeInvalidRequest, "contact_details.newest")
	if got := accepted(t, policy, trusted, `{"language":"en"}`); len(got.Members) != 2 {
		t.Errorf("Didit got %s, want workflow_id and language alone", unredacted(got))
	}
}

// Ensure that metadata is carried token for token, and measured in the bytes sent.
func TestCreator_Create_metadata(t *testing.T) {
	t.Parallel()
	policy := newCreator(nil).Policy
	for _, raw := range []string{
		`{"z":1,"a":2}`, `1.50`, `-0`, `1e400`, `123456789012345678901234567890`, `"<\/&\u00e9"`, `""`, `false`, `[null]`, `{"a":null}`,
		"{ \"a\" :\n [ ] }", quote(strings.Repeat("é", (maxMetadata-2)/2)),
	} {
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(raw)); err != nil {
			t.Fatal(err)
		}
		if got := string(accepted(t, policy, trusted, bodyWith("metadata", raw, "")).Get("metadata").Raw); got != want.String() {
			t.Errorf("metadata %s: got %s, want it unchanged but for white space", clip(raw), clip(got))
		}
	}
	for _, raw := range []string{quote(strings.Repeat("é", (maxMetadata-2)/2) + "x"), `[` + strings.Repeat(" ", maxMetadata-1) + `]`} {
		wantRefusal(t, raw, refused(t, policy, trusted, bodyWith("metadata", raw, "")), CodeInvalidRequest, "metadata")
	}
	for _, body := range []string{`{}`, `{"metadata":null}`} {
		if got := accepted(t, policy, trusted, body).Get("metadata").Raw; got != nil {
			t.Errorf("%s: got metadata %s, want none", body, got)
		}
	}
}

// Ensure that an address comes with a country, as Didit demands.
func TestCreator_Create_address(t *testing.T) {
	t.Parallel()
	const path = "expected_details.address"
	policy := newCreator(nil).Policy
	for _, test := range []struct {
		beside string
		paths  []string
	}{
		{"", []string{path}},
		{`"country":null,"id_country":null`, []string{path}},
		{`"nationality":"ESP"`, []string{path}},
		{`"registry_country":"ES"`, []string{path}},
		{`"country":"ESP"`, nil},
		{`"id_country":"ESP"`, nil},
		{`"poa_country":"ESP"`, nil},
		{`"country":"ES"`, []string{"expected_details.country"}},
	} {
		body := bodyWith(path, `"1 Main Street"`, test.beside)
		if test.paths == nil {
			accepted(t, policy, trusted, body)
			accepted(t, policy, trusted, bodyWith(path, "null", test.beside))
			continue
		}
		e := refused(t, policy, trusted, body)
		wantRefusal(t, body, e, CodeInvalidRequest, test.paths...)
		if got := e.Fields[0].Message; test.paths[0] == path && !strings.Contains(got, "id_country or poa_country") {
			t.Errorf("%s: got %q, want it to name the countries", body, got)
		}
	}
}

func TestFieldPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ parent, name, want string }{
		{"", "a", "a"}, {"a", "b", "a.b"}, {"", "", `""`}, {"a", "", `a.""`}, {`""`, "", `"".""`}, {`""`, "a", `"".a`}, {"", "a\r\nb\x00\x7f", "a??b??"}, {"", "é\u2028", "é\u2028"},
		{"", strings.Repeat("é", 64), strings.Repeat("é", 64)}, {"p", strings.Repeat("é", 65), "p." + strings.Repeat("é", 64) + "…"},
	} {
		if got := FieldPath(test.parent, test.name); got != test.want {
			t.Errorf("FieldPath(%q, %q) = %q, want %q", test.parent, test.name, got, test.want)
		}
	}
}

func TestValue_Get(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"a":1,"b":null}`)
	for name, want := range map[string]string{"a": "1", "b": "null", "c": "", "": ""} {
		if got := string(v.Get(name).Raw); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if got := (Value{}).Get("a"); got.Kind != KindNull || got.Raw != nil {
		t.Errorf("Get of nothing = %v, want null", got)
	}
}
