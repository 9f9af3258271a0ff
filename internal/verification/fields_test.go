package verification

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// Ensure that a field that does not exist is a mistake by every door, and is not called one that
// may not be sent, and that what may not be sent is named first and alone.
func TestCreator_Create_unknownFieldByEveryDoor(t *testing.T) {
	t.Parallel()
	policy := Policy{WorkflowIDs: []string{workflow}, UserFields: []string{"contact_details.email", "expected_details.gender"}, ExtraFields: []string{"newest"}}
	for body, paths := range map[string][]string{
		`{"nonsense":1,"include_url":true}`:                             {"nonsense", "include_url"},
		`{"nonsense":null}`:                                             {"nonsense"},
		`{"contact_detail":{"email":"j@example.com"}}`:                  {"contact_detail"},
		`{"contact_details":{"fax":"1"},"expected_details":{"x":null}}`: {"contact_details.fax", "expected_details.x"},
		`{"contact_details":{"email.x":"1"}}`:                           {"contact_details.email.x"},
		`{"VENDOR_DATA":"x"}`:                                           {"VENDOR_DATA"},
		`{"contact_details.email":"j@example.com"}`:                     {"contact_details.email"},
		`{"contact_details.email":null,"portrait_image.x":null}`:        {"contact_details.email", "portrait_image.x"},
		`{"contact_details.phone":"+1234567"}`:                          {"contact_details.phone"},
	} {
		for _, caller := range []Caller{signedIn, trusted} {
			wantRefusal(t, body, refused(t, policy, caller, body), CodeInvalidRequest, paths...)
		}
	}
	for body, path := range map[string]string{
		`{"nonsense":1,"language":"en"}`:                          "language",
		`{"contact_details":{"fax":1,"phone":"+1234567"}}`:        "contact_details.phone",
		`{"nonsense":1,"newest":null,"contact_details.email":""}`: "newest",
	} {
		wantRefusal(t, body, refused(t, policy, signedIn, body), CodeFieldNotAllowed, path)
	}
}

func TestNearestField(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"contact_detail": "contact_details", "contactDetails": "contact_details", "Contact-Details": "contact_details", "contacts_details": "contact_details",
		"workflowId": "workflow_id", "workflow": "workflow_id", "workflow_ids": "workflow_id", "WORKFLOW_ID": "workflow_id", "vendorData": "vendor_data", "vendor_date": "vendor_data",
		"call_back": "callback", "callbak": "callback", "callback_url": "callback", "lang": "", "langauge": "language", "meta_data": "metadata", "portrait": "", "portraitImage": "portrait_image",
		"email": "contact_details.email", "e-mail": "contact_details.email", "phone": "contact_details.phone", "fax": "", "expected_details.email": "contact_details.email",
		"contact_details.mail": "contact_details.email", "contact_details.language": "language", "contact_details.emailLang": "contact_details.email_lang",
		"expected_details.firstname": "expected_details.first_name", "last_name": "expected_details.last_name", "expected_details.dob": "",
		"dateOfBirth": "expected_details.date_of_birth", "expected_details.nationalty": "expected_details.nationality", "expected_detail.country": "expected_details.country",
		"expected_details.idCountry": "expected_details.id_country", "expected_details.sex": "", "nonsense": "", "nickname": "", "": "", "x": "", "a.b.c": "",
		"newset": "newest", "nonsense.newest": "newest", "include_url": "", "qr": "", strings.Repeat("n", 64) + "…": "",
	} {
		if got := nearest(path, (&draft{furtherFields: []string{"newest"}}).names()); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
	// The first unknown fields get a suggestion, and the others cost nothing.
	body := `{` + strings.Repeat(`"emial":1,`, 400) + `"emial":1}`
	e := refused(t, Policy{WorkflowIDs: []string{workflow}}, trusted, body)
	count := 0
	for _, f := range e.Fields {
		if f.Message == "is not a field of this request: did you mean contact_details.email?" {
			count++
		}
	}
	if count != maxSuggestions || len(e.Fields) != 401 {
		t.Errorf("got %d suggestions for %d fields, want %d for 401", count, len(e.Fields), maxSuggestions)
	}
}

// Ensure that the suggestion for a path as a name says that the field is inside of an object, and
// that what the door takes itself is suggested there alone.
func TestCreator_Create_suggestions(t *testing.T) {
	t.Parallel()
	policy := Policy{WorkflowIDs: []string{workflow}, ExtraFields: []string{"newest"}}
	c := &Creator{Didit: new(recorder), Policy: policy}
	for name, want := range map[string]string{
		"contact_details.email": ": send email inside the object contact_details.", "contact_details.emial": ": did you mean email inside the object contact_details?",
		"expectedDetails.firstName": ": did you mean first_name inside the object expected_details?", "contact_details.newset": ": did you mean newest?", "portrait_image.x": ".",
		"contact_detail": ": did you mean contact_details?", "email": ": did you mean contact_details.email?", "": ".",
		"includeUrl": ": did you mean include_url?", "include_urls": ": did you mean include_url?", "newset": ": did you mean newest?",
	} {
		_, err := c.Create(t.Context(), CreateRequest{Caller: trusted, Fields: parse(t, `{"`+name+`":1}`), DoorFields: []string{"include_url"}})
		e := AsError(err)
		if len(e.Fields) != 1 || e.Fields[0].Message != "is not a field of this request"+want {
			t.Errorf("%q: got %q, want %q", name, fieldsOf(e), want)
		}
		e = refused(t, policy, trusted, `{"`+name+`":1}`)
		if got := e.Fields[0].Message; strings.Contains(got, "include_url") {
			t.Errorf("%q by a door without fields of its own: got %q", name, got)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"abcdef", "xabcde", 2},
	} {
		if got, back := distance(tt.a, tt.b), distance(tt.b, tt.a); got != tt.want || back != tt.want {
			t.Errorf("%q and %q: got %d and %d, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}

// Ensure that only fields inside of which nothing is looked at are raw.
func TestPolicy_MaxRaw(t *testing.T) {
	t.Parallel()
	p := Policy{ExtraFields: []string{"newest", "callback", "contact_details"}}
	for _, parameter := range parameters {
		want := map[string]int{"metadata": maxMetadata, "portrait_image": math.MaxInt}[parameter.path]
		if got := p.MaxRaw(parameter.path); got != want {
			t.Errorf("%s: got %d, want %d", parameter.path, got, want)
		}
	}
	if p.MaxRaw("newest") != math.MaxInt || p.MaxRaw("other") != 0 || (Policy{}).MaxRaw("newest") != 0 || (Policy{}).MaxRaw("metadata") != maxMetadata {
		t.Error("got an extra field that is not raw, or another one that is")
	}
	if !slices.ContainsFunc(parameters, func(q parameter) bool { return q.kind == KindObject }) {
		t.Error("no parameter is an object")
	}
}
