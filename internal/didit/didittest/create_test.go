package didittest

import (
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Ensure the answers of v2 and v3 have the documented members, in their order, and no other.
func TestServer_create(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{BaseURL: "https://verify.example.com/"})
	order := `{"workflow_id":"` + workflow + `","vendor_data":"user-123","callback":"https://example.com/done?a=1&b=2",` +
		`"metadata":{"user_type":"premium"}}`
	for path, extra := range map[string]string{
		"/v2/session/": "",
		"/v3/session/": `,"workflow_version":1,"session_kind":"user"`,
	} {
		got := r.do("POST", path, order, "Content-Type", "application/json", "X-Api-Key", DefaultAPIKey)
		v := decode[createBody](t, got.body)
		want := `{"session_id":"` + v.SessionID + `","session_number":1,"session_token":"` + v.SessionToken +
			`","vendor_data":"user-123","metadata":{"user_type":"premium"},"status":"Not Started","workflow_id":"` +
			workflow + `","callback":"https://example.com/done?a=1&b=2","url":"https://verify.example.com/session/` +
			v.SessionToken + `"` + extra + `}`
		if got.status != 201 || got.body != want {
			t.Errorf("%s: status %d, body %s\nwant %s", path, got.status, got.body, want)
		}
	}
}

// Ensure the example of "Didit: Creating a Verification Session" is accepted unchanged, with a
// token.
func TestServer_create_example(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	got := r.do("POST", "/v2/session/", `{
	  "workflow_id": "11111111-2222-3333-4444-555555555555",
	  "vendor_data": "user-123",
	  "callback": "https://example.com/verification/callback",
	  "metadata": {
	    "user_type": "premium"
	  },
	  "contact_details": {
	    "email": "john.doe@example.com",
	    "email_lang": "en",
	    "phone": "+14155552671"
	  },
	  "expected_details": {
	    "first_name": "John",
	    "last_name": "Doe",
	    "date_of_birth": "1990-05-15",
	    "gender": "M",
	    "nationality": "USA",
	    "country": "GBR",
	    "address": "123 Main St, San Francisco, CA 94105, USA"
	  }
	}`, "Content-Type", "application/json", "Authorization", "Bearer "+r.token())
	if got.status != 201 {
		t.Fatalf("status %d, body %s", got.status, got.body)
	}
	keys := slices.Sorted(maps.Keys(decode[map[string]any](t, got.body)))
	want := strings.Fields("callback metadata session_id session_number session_token status url vendor_data workflow_id")
	if !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if list := r.Sessions(); len(list) != 1 || !strings.Contains(string(list[0].Request), `"+14155552671"`) {
		t.Errorf("sessions %+v, want one with what was sent", list)
	}
}

// Ensure identities have their documented form and never repeat, and that nothing sent is null.
func TestServer_create_identity(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	id := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	token := regexp.MustCompile(`^[A-Za-z0-9_-]{12}$`)
	seen := map[string]bool{}
	for i := range 20 {
		got := r.create(`{"workflow_id":"AAAAAAAA-2222-3333-4444-555555555555","vendor_data":null}`)
		v := decode[createBody](t, got.body)
		if !id.MatchString(v.SessionID) || !token.MatchString(v.SessionToken) || seen[v.SessionID] || seen[v.SessionToken] {
			t.Errorf("session id %q, token %q: malformed or repeated", v.SessionID, v.SessionToken)
		}
		seen[v.SessionID], seen[v.SessionToken] = true, true
		if v.SessionNumber != i+1 || v.URL != r.origin+"/session/"+v.SessionToken {
			t.Errorf("number %d, URL %q; want %d, under %s", v.SessionNumber, v.URL, i+1, r.origin)
		}
		for _, part := range []string{`"vendor_data":null`, `"metadata":null`, `"callback":null`,
			`"workflow_id":"aaaaaaaa-2222-3333-4444-555555555555"`} {
			if !strings.Contains(got.body, part) {
				t.Errorf("body %s lacks %s", got.body, part)
			}
		}
	}
}

// Ensure metadata comes back token for token.
func TestServer_create_metadata(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, metadata := range []string{
		`{"z":1,"a":2}`, `{"n":12345678901234567890123456789,"f":1.0,"e":1E-05}`, `{"h":"<a href=\"x\">&</a>"}`,
		"{\"u\":\"é\u2028\\u00e9\\/\"}", `{"a":1,"a":2}`, `"a string"`, `[1,null,{}]`, `0`, `false`, `{"x":null}`,
	} {
		got := r.create(`{"workflow_id":"` + workflow + `","metadata":` + metadata + `}`)
		if want := `"metadata":` + metadata + `,"status"`; !strings.Contains(got.body, want) {
			t.Errorf("metadata %s: body %s", metadata, got.body)
		}
	}
}

func TestServer_create_language(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(`{"workflow_id":"` + workflow + `","language":"pt-BR"}`)
	if want := r.origin + "/pt-BR/session/" + v.SessionToken; v.URL != want {
		t.Errorf("URL %q, want %q", v.URL, want)
	}
}

// Ensure every refusal has Didit's status, shape and words, and makes no session.
func TestServer_create_refusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	field := func(rest string) string { return `{"workflow_id":"` + workflow + `",` + rest + `}` }
	large := base64.StdEncoding.EncodeToString(make([]byte, maxPortrait+1))
	tests := []struct{ name, body, want string }{
		{"no body", ``, `{"workflow_id":["This field is required."]}`},
		{"no workflow", `{"vendor_data":"a"}`, `{"workflow_id":["This field is required."]}`},
		{"null workflow", `{"workflow_id":null}`, `{"workflow_id":["This field may not be null."]}`},
		{"bad workflow", `{"workflow_id":"x"}`, `{"workflow_id":"Invalid workflow_id."}`},
		{"number workflow", `{"workflow_id":1}`, `{"workflow_id":"Invalid workflow_id."}`},
		{"bad JSON", "{\n \"a\": x}", `{"detail":"JSON parse error - invalid character 'x' looking for beginning of value"}`},
		{"cut JSON", `{"a":`, `{"detail":"JSON parse error - unexpected end of JSON input"}`},
		{"two documents", `{}{}`, `{"detail":"JSON parse error - invalid character '{' after top-level value"}`},
		{"array", `[]`, `{"non_field_errors":["Invalid data. Expected a dictionary."]}`},
		{"null", `null`, `{"non_field_errors":["Invalid data. Expected a dictionary."]}`},
		{"vendor data type", field(`"vendor_data":true`), `{"vendor_data":["Not a valid string."]}`},
		{"callback", field(`"callback":"example.com"`), `{"callback":["Enter a valid URL."]}`},
		{"callback method", field(`"callback_method":"x"`), `{"callback_method":["\"x\" is not a valid choice."]}`},
		{"language", field(`"language":"xx"`), LanguageInvalid.Body},
		{"portrait", field(`"portrait_image":"?"`), `{"portrait_image":["Invalid base64 image."]}`},
		{"large portrait", field(`"portrait_image":"` + large + `"`), `{"portrait_image":["Image size exceeds 2MB."]}`},
		{"contact type", field(`"contact_details":1`),
			`{"contact_details":{"non_field_errors":["Invalid data. Expected a dictionary."]}}`},
		{"email", field(`"contact_details":{"email":"a@"}`), NestedField.Body},
		{"named email", field(`"contact_details":{"email":"A <a@example.com>"}`), NestedField.Body},
		{"birth date", field(`"expected_details":{"date_of_birth":"1990-02-30"}`),
			`{"expected_details":{"date_of_birth":["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]}}`},
		{"gender", field(`"expected_details":{"gender":"X"}`),
			`{"expected_details":{"gender":["\"X\" is not a valid choice."]}}`},
		{"country", field(`"expected_details":{"nationality":"ES"}`),
			`{"expected_details":{"nationality":["\"ES\" is not a valid choice."]}}`},
		{"address", field(`"expected_details":{"address":"Main St","country":null}`),
			`{"expected_details":{"address":["An address needs country or poa_country."]}}`},
		{"ip address", field(`"expected_details":{"ip_address":"1.2.3"}`),
			`{"expected_details":{"ip_address":["Enter a valid IPv4 or IPv6 address."]}}`},
		{"document type", field(`"expected_details":{"expected_document_types":["id","XX"]}`),
			`{"expected_details":{"expected_document_types":["\"XX\" is not a valid choice."]}}`},
		{"document list", field(`"expected_details":{"expected_document_types":"ID"}`),
			`{"expected_details":{"expected_document_types":["Expected a list of items."]}}`},
		{"several", `{"callback":"x","contact_details":{"email":"x"}}`, `{"callback":["Enter a valid URL."],` +
			`"contact_details":{"email":["Enter a valid email address."]},"workflow_id":["This field is required."]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.create(tt.body); got.status != 400 || got.body != tt.want {
				t.Errorf("%.200s: status %d, body %s\nwant 400, %s", tt.body, got.status, got.body, tt.want)
			}
		})
	}
	if n := len(r.Sessions()); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
}

// Ensure what Didit takes is taken, the bad phone number that it ignores included.
func TestServer_create_accepted(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{Sandbox: true})
	for _, fields := range []string{
		`"contact_details":{"email":"john.doe@example.com","email_lang":"en","phone":"nonsense","send_notification_emails":true}`,
		`"expected_details":{"first_name":"John","last_name":"Doe","date_of_birth":"1990-05-15","gender":"M",` +
			`"nationality":"USA","country":"GBR","address":"123 Main St"}`,
		`"expected_details":{"address":"x","poa_country":"ESP"}`,
		`"expected_details":{"address":"x","id_country":"ESP"}`,
		`"expected_details":{"gender":null,"ip_address":"2001:db8::1","expected_document_types":["p","ID"]}`,
		`"portrait_image":"` + base64.StdEncoding.EncodeToString(make([]byte, maxPortrait)) + `"`,
		`"callback":"myapp://done","callback_method":"both"`,
		`"sandbox_scenario":"approve","unknown":{"a":[1]}`,
		`"contact_details":null,"expected_details":null,"metadata":null`,
	} {
		r.created(`{"workflow_id":"` + workflow + `",` + fields + `}`)
	}
	if v := r.created(`{"workflow_id":"` + workflow + `","vendor_data":123}`); text(v.VendorData) != "123" {
		t.Errorf("vendor data %q, want a number's text", text(v.VendorData))
	}
}

func TestServer_create_contentType(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for contentType, want := range map[string]int{
		"application/json": 201, "application/json; charset=utf-8": 201, "text/plain": 415, "": 415,
	} {
		got := r.do("POST", "/v2/session/", `{"workflow_id":"`+workflow+`"}`,
			"Content-Type", contentType, "X-Api-Key", DefaultAPIKey)
		if got.status != want {
			t.Errorf("Content-Type %q: status %d, want %d", contentType, got.status, want)
		}
	}
}
