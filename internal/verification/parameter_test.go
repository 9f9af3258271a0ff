package verification

import (
	"slices"
	"strings"
	"testing"
)

// row is what a test knows of one parameter. All values are JSON.
type row struct {
	path    string
	valid   []string // sent to Didit as they are
	atLimit string   // the longest that is taken; empty where the form alone decides
	over    string   // one more; empty where nothing is too long
	beside  string   // members that must stand beside the valid values
	says    string   // what the refusal of over says
}

func text(n int) string  { return quote(strings.Repeat("x", n)) }
func texts(n int) string { return quote(strings.Repeat("é", n)) } // twice as many bytes

func portrait(bytes int) string { return quote(zeros(bytes)) }

// zeros is so many zero bytes in base64.
func zeros(bytes int) string {
	return strings.Repeat("AAAA", bytes/3) + [...]string{"", "AA==", "AAA="}[bytes%3]
}

func address(n int) string { // an e-mail address of so many characters
	const domain = "@example.com"
	return quote(strings.Repeat("x", n-len(domain)) + domain)
}

func callback(n int) string {
	const start = "https://app.example.com/"
	return quote(start + strings.Repeat("x", n-len(start)))
}

var rows = []row{
	{"workflow_id", []string{quote(workflow)}, "", quote(workflow + "0"), "", "must be a UUID"},
	{"vendor_data", []string{`"user-123"`, `"<&>\u2028 "`}, texts(1024), quote(strings.Repeat("é", 1023) + "xxx"), "", "2048 bytes"},
	{"callback", []string{`"https://app.example.com/verified?a=1&b=2#c"`, `"myapp://verified"`}, callback(2048), callback(2049), "", "2048 characters"},
	{"callback_method", []string{`"initiator"`, `"completer"`, `"both"`}, "", `"bothh"`, "", "initiator, completer, both"},
	{"metadata", []string{`"text"`, `1.50`, `true`, `[]`, `{"z":1.50,"a":[null,{"b":"<&>"}],"n":123456789012345678901234567890}`},
		text(maxMetadata - 2), text(maxMetadata - 1), "", "65536 bytes"},
	{"language", []string{`"en"`, `"fil"`, `"pt-BR"`, `"zh-Hans"`}, `"abc-ABCD"`, `"abc-ABCDE"`, "", "language code"},
	{"portrait_image", []string{portrait(1), portrait(2), portrait(3)}, portrait(2 << 20), portrait(2<<20 + 1), "", "2 MB"},
	{"sandbox_scenario", []string{`"approve"`, `"decline_minimum_age"`, `"a-1"`}, text(100), text(101), "", "100 characters"},
	{"contact_details", []string{`{}`}, "", "", "", ""},
	{"contact_details.email", []string{`"jane@example.com"`}, address(254), address(255), "", "254 characters"},
	{"contact_details.email_lang", []string{`"es"`, `"pt-BR"`}, `"abc-ABCD"`, `"abc-ABCDE"`, "", "language code"},
	{"contact_details.phone", []string{`"+14155552671"`, `"+1234567"`}, `"+123456789012345"`, `"+1234567890123456"`, "", "7 to 15 digits"},
	{"contact_details.send_notification_emails", []string{`true`, `false`}, "", "", "", ""},
	{"expected_details", []string{`{}`}, "", "", "", ""},
	{"expected_details.first_name", []string{`"Jane"`, `" J "`}, texts(255), text(256), "", "255 characters"},
	{"expected_details.last_name", []string{`"O'Brien"`}, texts(255), text(256), "", "255 characters"},
	{"expected_details.date_of_birth", []string{`"1990-01-31"`, `"2024-02-29"`}, "", `"1990-01-310"`, "", "real date"},
	{"expected_details.gender", []string{`"M"`, `"F"`}, "", `"MF"`, "", "M, F"},
	{"expected_details.nationality", []string{`"ESP"`}, "", `"ESPA"`, "", "alpha-3"},
	{"expected_details.country", []string{`"USA"`}, "", `"USAA"`, "", "alpha-3"},
	{"expected_details.id_country", []string{`"GBR"`}, "", `"GBRA"`, "", "alpha-3"},
	{"expected_details.poa_country", []string{`"XKX"`}, "", `"XKXA"`, "", "alpha-3"},
	{"expected_details.address", []string{`"1 Main Street\nTown"`}, texts(512), text(513), `"country":"ESP"`, "512 characters"},
	{"expected_details.identification_number", []string{`"X-1"`}, texts(100), text(101), "", "100 characters"},
	{"expected_details.ip_address", []string{`"192.0.2.1"`, `"2001:db8::1"`, `"::ffff:192.0.2.1"`}, "", `"192.0.2.1111"`, "", "IPv4 or IPv6"},
	{"expected_details.expected_document_types", []string{`["P"]`, `["id","Dl","RP","HIC","TC","SSC"]`}, "", "", "", ""},
	{"expected_details.company_name", []string{`"Acme"`}, texts(255), text(256), "", "255 characters"},
	{"expected_details.registry_country", []string{`"US-DE"`}, texts(10), text(11), "", "10 characters"},
	{"expected_details.registration_number", []string{`"123"`}, texts(100), text(101), "", "100 characters"},
}

// Ensure that no parameter is without a row.
func TestParameters_complete(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, r := range rows {
		got = append(got, r.path)
	}
	for _, p := range parameters {
		want = append(want, p.path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows of the test: got %q, want %q", got, want)
	}
	for _, path := range want {
		if !KnownField(path) {
			t.Errorf("KnownField(%q) = false, want true", path)
		}
	}
	for _, path := range []string{"", "contact_details.", "expected_details.phone", "WORKFLOW_ID", "include_url", "qr"} {
		if KnownField(path) {
			t.Errorf("KnownField(%q) = true, want false", path)
		}
	}
	for _, path := range UserFields {
		if !KnownField(path) {
			t.Errorf("UserFields holds %q, which is no field", path)
		}
	}
}

// Ensure that what is valid arrives at Didit under its name, token for token.
func TestCreator_Create_valid(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		t.Run(r.path, func(t *testing.T) {
			t.Parallel()
			values := r.valid
			if r.atLimit != "" {
				values = append(slices.Clone(values), r.atLimit)
			}
			for _, value := range values {
				w := newWire(t, 201, okSession)
				body := bodyWith(r.path, value, r.beside)
				session, err := create(t, newCreator(w.client), trusted, body)
				if err != nil || session.ID == "" {
					t.Errorf("%s: got session %q, error %v %q, want it created", clip(body), session.ID, err, fieldsOf(err))
					continue
				}
				got, want := at(w.sent(t, body), r.path), parse(t, value)
				same := string(got.Raw) == string(want.Raw)
				if want.Kind == KindString { // one text has several spellings
					same = got.Kind == KindString && got.Text == want.Text
				}
				if !same {
					t.Errorf("%s: Didit got %s, want %s", clip(body), clip(string(got.Raw)), clip(value))
				}
			}
		})
	}
}

func TestCreator_Create_tooLong(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		if r.over == "" {
			continue
		}
		t.Run(r.path, func(t *testing.T) {
			t.Parallel()
			body := bodyWith(r.path, r.over, r.beside)
			e := refused(t, newCreator(nil).Policy, trusted, body)
			wantRefusal(t, body, e, CodeInvalidRequest, r.path)
			if len(e.Fields) > 0 && !strings.Contains(e.Fields[0].Message, r.says) {
				t.Errorf("%s: got %q, want it to say %q", clip(body), e.Fields[0].Message, r.says)
			}
		})
	}
}

func TestCreator_Create_wrongType(t *testing.T) {
	t.Parallel()
	samples := map[Kind]string{KindString: `"x"`, KindNumber: `7`, KindBool: `true`, KindArray: `["x"]`, KindObject: `{"x":1}`}
	for _, p := range parameters {
		for kind, sample := range samples {
			if kind == p.kind || p.kind == anyKind {
				continue
			}
			t.Run(p.path+"/"+kindWords[kind], func(t *testing.T) {
				t.Parallel()
				body := bodyWith(p.path, sample, "")
				e := refused(t, newCreator(nil).Policy, trusted, body)
				wantRefusal(t, body, e, CodeInvalidRequest, p.path)
				want := "must be " + kindWords[p.kind] + ", not " + kindWords[kind] + "."
				if len(e.Fields) > 0 && e.Fields[0].Message != want {
					t.Errorf("%s: got %q, want %q", body, e.Fields[0].Message, want)
				}
			})
		}
	}
}

func TestCreator_Create_empty(t *testing.T) {
	t.Parallel()
	for _, p := range parameters {
		if p.kind != KindString {
			continue
		}
		for _, value := range []string{`""`, `" "`, `"\t\n \u00a0\u3000"`} {
			t.Run(p.path+"/"+value, func(t *testing.T) {
				t.Parallel()
				beside := ""
				if p.path == "expected_details.address" {
					beside = `"country":"ESP"`
				}
				body := bodyWith(p.path, value, beside)
				e := refused(t, newCreator(nil).Policy, trusted, body)
				wantRefusal(t, body, e, CodeInvalidRequest, p.path)
				if len(e.Fields) > 0 && e.Fields[0].Message != "must not be empty." {
					t.Errorf("%s: got %q, want that it must not be empty", body, e.Fields[0].Message)
				}
			})
		}
	}
}

// Ensure that null is a field that was not sent, on either door, and reaches Didit as nothing.
func TestCreator_Create_null(t *testing.T) {
	t.Parallel()
	for _, p := range parameters {
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			for _, caller := range []Caller{trusted, signedIn} {
				w := newWire(t, 201, okSession)
				body := bodyWith(p.path, "null", "")
				if _, err := create(t, newCreator(w.client), caller, body); err != nil {
					t.Errorf("%s with trust %v: got %v %q, want it accepted", body, caller.Trusted, err, fieldsOf(err))
					continue
				}
				want := "" // the raw text of nothing
				switch {
				case p.path == "workflow_id":
					want = quote(workflow) // the default
				case p.path == "vendor_data" && !caller.Trusted:
					want = quote(caller.Principal)
				}
				if got := string(at(w.sent(t, body), p.path).Raw); got != want {
					t.Errorf("%s with trust %v: Didit got %s, want %q", body, caller.Trusted, got, want)
				}
			}
		})
	}
}

// Ensure that everything that is wrong is said at once, in the order sent, then what is missing.
func TestCreator_Create_allInvalid(t *testing.T) {
	t.Parallel()
	var top, contact, details []string
	want := []string{"body"}
	add := func(list *[]string, name, value string) { *list = append(*list, `"`+name+`":`+value) }
	for _, r := range rows {
		value := r.over
		switch r.path {
		case "contact_details", "expected_details":
			continue
		case "contact_details.send_notification_emails":
			value = `"yes"`
		case "expected_details.expected_document_types":
			value = `[]`
		}
		if r.path != "expected_details.date_of_birth" {
			want = append(want, r.path)
		}
		switch parent, name, _ := strings.Cut(r.path, "."); parent {
		case "contact_details":
			add(&contact, name, value)
		case "expected_details":
			add(&details, name, value)
		default:
			add(&top, r.path, value)
		}
	}
	body := "{" + strings.Join(top, ",") + `,"contact_details":{` + strings.Join(contact, ",") + `},"expected_details":{` +
		strings.Join(details, ",") + `,"nested":1},"unknown":null}`
	// The date needs the clock, and is looked at after the rest.
	want = append(want, "expected_details.nested", "unknown", "expected_details.date_of_birth")

	r := new(recorder)
	_, err := newCreator(r).Create(t.Context(), CreateRequest{Caller: trusted, Fields: parse(t, body),
		Invalid: []FieldError{{Field: "body", Message: "is odd."}}})
	e := AsError(err)
	wantRefusal(t, "everything over its limit", e, CodeInvalidRequest, want...)
	if len(r.requests) != 0 {
		t.Errorf("got %d calls of Didit, want none", len(r.requests))
	}
	for _, f := range e.Fields {
		if f.Message == "" || !strings.HasSuffix(f.Message, ".") {
			t.Errorf("%s: got message %q, want a sentence", f.Field, f.Message)
		}
	}
}
