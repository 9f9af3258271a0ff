package verification

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"didit-sessions/internal/didit"
)

// everything is a body with every field.
const everything = `{"workflow_id":"` + workflow + `","vendor_data":"user-123","callback":"https://app.example.com/verified","callback_method":"both",` +
	`"metadata":{"z":1.50},"language":"pt-BR","portrait_image":"QUJD","sandbox_scenario":"approve","newest":[1],` +
	`"contact_details":{"email":"jane@example.com","email_lang":"es","phone":"+14155552671","send_notification_emails":false},` +
	`"expected_details":{"first_name":"Jane","last_name":"Doe","date_of_birth":"1990-01-31","gender":"F","nationality":"ESP","country":"FRA","id_country":"DEU",` +
	`"poa_country":"ITA","address":"1 Main Street","identification_number":"X-1","ip_address":"192.0.2.1","expected_document_types":["P","id"],` +
	`"company_name":"Acme","registry_country":"US-DE","registration_number":"123"}}`

// Ensure that the whole request arrives: the same fields with the same values, and no other.
func TestCreator_Create_wire(t *testing.T) {
	t.Parallel()
	w := newWire(t, 201, `{"session_id":"s-1","session_number":7,"session_token":"tok","url":"https://verify.didit.me/session/tok","vendor_data":"user-123",`+
		`"metadata":{"z":1.50},"status":"Not Started","workflow_id":"`+workflow+`","callback":null}`)
	s := newCreator(w.client)
	s.Policy.ExtraFields = []string{"newest"}
	session, err := create(t, s, trusted, everything)
	if err != nil {
		t.Fatalf("got %v %q, want a session", err, fieldsOf(err))
	}
	if got, want := leaves("", w.sent(t, everything)), leaves("", parse(t, everything)); !slices.Equal(got, want) {
		t.Errorf("Didit got %q\nwant %q", got, want)
	}
	if got, want := leaves("", accepted(t, s.Policy, trusted, `{}`)), []string{"/workflow_id " + quote(workflow)}; !slices.Equal(got, want) {
		t.Errorf("{}: Didit got %q\nwant %q", got, want)
	}
	if session.ID != "s-1" || *session.Number != 7 || session.Token != "tok" || session.URL != "https://verify.didit.me/session/tok" || *session.VendorData != "user-123" ||
		string(session.Metadata) != `{"z":1.50}` || session.Status != "Not Started" || session.WorkflowID != workflow || session.Callback != nil {
		t.Errorf("got session %v with other fields than Didit answered", session)
	}
}

// leaves lists paths and values, sorted.
func leaves(path string, v Value) (all []string) {
	if v.Kind != KindObject {
		return []string{path + " " + string(v.Raw)}
	}
	for _, m := range v.Members {
		all = append(all, leaves(path+"/"+m.Name, m.Value)...)
	}
	slices.Sort(all)
	return all
}

// Ensure that every kind of failure has its code, and what helps the caller beside it.
func TestExplain(t *testing.T) {
	t.Parallel()
	const advice = 42 * time.Second
	type told struct{ fields, detail bool } // what of Didit's words is passed on
	for _, test := range []struct {
		kind          didit.Kind
		code          Code
		silent, named time.Duration // RetryAfter where Didit gave none, and where it did
		told          told
	}{
		{didit.KindUnexpected, CodeInternal, 0, 0, told{}},
		{didit.KindInvalidRequest, CodeInvalidRequest, 0, 0, told{fields: true, detail: true}},
		{didit.KindPlanRequired, CodePlanRequired, 0, 0, told{detail: true}},
		{didit.KindInsufficientCredits, CodeInsufficientCredits, 0, 0, told{detail: true}},
		{didit.KindUserBlocked, CodeUserBlocked, 0, 0, told{}},
		{didit.KindCredentialsRejected, CodeCredentialsRejected, 0, 0, told{}},
		{didit.KindThrottled, CodeThrottled, 30 * time.Second, advice, told{}},
		{didit.KindUnavailable, CodeDiditUnavailable, 30 * time.Second, advice, told{}},
		{didit.KindTimeout, CodeDiditTimeout, 0, 0, told{}},
		{didit.KindNotFound, CodeNotFound, 0, 0, told{}},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			failure := &didit.Error{Kind: test.kind, Op: "create_session", Status: 418, Reason: "in fixed words", Detail: "Sentence.",
				Fields: []didit.FieldError{{Field: "contact_details.email", Message: "Word."}}}
			e := explain(fmt.Errorf("wrapped: %w", failure))
			if e.Code != test.code || e.RetryAfter != test.silent || e.Reason != failure.Error() {
				t.Errorf("got %s, retry after %v, reason %q, want %s, %v, %q", e.Code, e.RetryAfter, e.Reason, test.code, test.silent, failure.Error())
			}
			if got := len(e.Fields) == 1 && e.Fields[0] == (FieldError{Field: "contact_details.email", Message: "Word.", Private: true}); got != test.told.fields {
				t.Errorf("got fields %q, want Didit's %v", fieldsOf(e), test.told.fields)
			}
			if got := strings.HasPrefix(e.Detail, "Sentence."); got != test.told.detail {
				t.Errorf("got detail %q, want Didit's %v", e.Detail, test.told.detail)
			}
			failure.RetryAfter = advice
			if e := explain(failure); e.RetryAfter != test.named {
				t.Errorf("Didit's advice %v: got retry after %v, want %v", advice, e.RetryAfter, test.named)
			}
		})
	}
}

// Ensure that sentences of one field are passed on as detail, where there is no other.
func TestExplain_sentences(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		detail string
		fields []didit.FieldError
		want   string
	}{
		{"", nil, ""},
		{"A.", nil, "A."},
		{"", []didit.FieldError{{Field: "workflow_id", Message: "B b."}}, "B b."},
		{"", []didit.FieldError{{Field: "organization", Message: "B b."}}, ""},
		{"A.", []didit.FieldError{{Field: "organization", Message: "B b."}, {Field: "workflow_id.owner", Message: "C c."}, {Field: "newest.x", Message: "D d."},
			{Field: "expected_details.expected_document_types[1]", Message: "E e."}, {Field: "metadata.name", Message: "F f."}}, "A. D d. E e."},
		{"A.", []didit.FieldError{{Field: "workflow_id", Message: workflow}, {Field: "vendor_data", Message: "user-123"}}, "A."}, // values, no sentences
	} {
		e := explain(&didit.Error{Kind: didit.KindPlanRequired, Detail: test.detail, Fields: test.fields}, "newest")
		if e.Code != CodePlanRequired || e.Detail != test.want || len(e.Fields) != 0 {
			t.Errorf("%q and %v: got %s %q with fields %q, want detail %q", test.detail, test.fields, e.Code, e.Detail, fieldsOf(e), test.want)
		}
	}
}

// Ensure that no name is passed on that Didit chose: it may quote anything.
func TestExplain_names(t *testing.T) {
	t.Parallel()
	e := explain(&didit.Error{Kind: didit.KindInvalidRequest, Fields: []didit.FieldError{
		{Field: "newest", Message: "A."}, {Field: "newest.jane@example.com", Message: "B."}, {Field: "newest[0].jane@example.com", Message: "C."},
		{Field: "newest jane@example.com", Message: "D."}, {Field: "jane@example.com.newest", Message: "E."}, {Field: "metadata.jane@example.com", Message: "F."},
		{Field: "expected_details.expected_document_types[1]", Message: "G."}, {Field: "[0].newest", Message: "H."}, {Field: "", Message: "I."},
	}}, "newest")
	want := []string{"newest A.", "newest B.", "newest C.", "expected_details.expected_document_types G."}
	if got := fieldsOf(e); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, f := range e.Fields {
		if !f.Private {
			t.Errorf("%s is not private", f.Field)
		}
	}
}

// Ensure that the source of the credentials speaks for itself, and that nothing else does.
func TestExplain_foreign(t *testing.T) {
	t.Parallel()
	own := NewError(CodeSecretUnavailable, "the secret is binary")
	for _, test := range []struct {
		name string
		err  error
		want Error
	}{
		{"own", own, *own},
		{"own, wrapped", fmt.Errorf("leaky: %w", own), *own},
		{"deadline", fmt.Errorf("leaky: %w", context.DeadlineExceeded), Error{Code: CodeBackendUnavailable, RetryAfter: 30 * time.Second}},
		{"cancelled", context.Canceled, Error{Code: CodeBackendUnavailable, RetryAfter: 30 * time.Second}},
		{"foreign", errors.New("leaky"), Error{Code: CodeInternal, Reason: "unexpected error"}},
	} {
		_, err := create(t, newCreator(&recorder{err: test.err}), trusted, `{}`)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%s: got %v (%T), want an *Error", test.name, err, err)
			continue
		}
		got := *e
		if test.want.Reason == "" {
			got.Reason = "" // any, in our own words
		}
		if !reflect.DeepEqual(got, test.want) || strings.Contains(err.Error(), "leaky") {
			t.Errorf("%s: got %v (%T), want %v", test.name, err, err, &test.want)
		}
	}
}

// Ensure that Didit's answers become what the contract says, through the real client.
func TestCreator_Create_refusals(t *testing.T) {
	t.Parallel()
	sent := bodyWith("workflow_id", quote(workflow), "")
	for _, test := range []struct {
		name, body string
		status     int
		answer     string
		header     []string
		code       Code
		retryAfter time.Duration
		detail     string
		fields     []string
	}{
		{"workflow sent", sent, 400, `{"workflow_id":["Invalid workflow."]}`, nil, CodeInvalidRequest, 0, "", []string{"workflow_id Invalid workflow."}},
		{"workflow of the configuration", `{}`, 400, `{"workflow_id":["Invalid workflow."]}`, nil, CodeInternal, 0, "", nil},
		{"null is the configuration's", `{"workflow_id":null}`, 400, `{"workflow_id":["Invalid workflow."]}`, nil, CodeInternal, 0, "", nil},
		{"configuration's among others", `{}`, 400, `{"language":["No."],"workflow_id":["Invalid workflow."]}`, nil, CodeInternal, 0, "", nil},
		{"another field", `{}`, 400, `{"contact_details":{"email":["Enter a valid email."]}}`, nil, CodeInvalidRequest, 0, "", []string{"contact_details.email Enter a valid email."}},
		{"items of an array", sent, 400, `{"expected_details":{"expected_document_types":{"0":["Bad."],"12":["Worse."]}}}`, nil, CodeInvalidRequest, 0, "",
			[]string{"expected_details.expected_document_types Bad.", "expected_details.expected_document_types Worse."}},
		{"members that are none of the request's", sent, 400,
			`{"detail":"No.","organization":{"name":"ACME Ltd"},"owner_email":["ops@example.com"],"language":["Bad."],"workflow_id":{"name":"KYC of ACME"},"phone2":"+1"}`, nil,
			CodeInvalidRequest, 0, "No.", []string{"language Bad."}},
		{"no member of the request's", sent, 400, `{"organization":{"name":"ACME Ltd"},"":"ACME Ltd"}`, nil, CodeInvalidRequest, 0,
			"Didit refused the request, and named none of its fields.", nil},
		{"a plan, and more", sent, 400, `{"detail":"You need to have a paid plan.","organization":"ACME Ltd","balance":"12.30","owner":{"detail":"Jane Doe"},"plan":["free plan"]}`, nil,
			CodePlanRequired, 0, "You need to have a paid plan.", nil},
		{"a plan under another name", sent, 400, `{"reason":"ACME Ltd needs a paid plan"}`, nil, CodePlanRequired, 0, "", nil},
		{"a plan, in what was sent", bodyWith("sandbox_scenario", `"paid-plan"`, ""), 400, `{"sandbox_scenario":["\"paid plan\" is not a valid choice."]}`, nil,
			CodeInvalidRequest, 0, "", []string{`sandbox_scenario "paid plan" is not a valid choice.`}},
		{"credits, and more", sent, 403, `{"error":"You don't have enough credits.","organization":"ACME Ltd","balance":"0.02 USD"}`, nil,
			CodeInsufficientCredits, 0, "You don't have enough credits.", nil},
		{"a callback, trusted", bodyWith("callback", `"https://app.example.com/"`, ""), 400, `{"callback":["Not an allowed domain."]}`, nil, CodeInvalidRequest, 0, "",
			[]string{"callback Not an allowed domain."}},
		{"a sentence", `{}`, 400, `{"detail":"Something else."}`, nil, CodeInvalidRequest, 0, "Something else.", nil},
		{"a plan, of the configuration's workflow", `{}`, 400, `{"workflow_id":["This needs a paid plan."]}`, nil, CodePlanRequired, 0, "This needs a paid plan.", nil},
		{"credits", sent, 403, `{"detail":"You don't have enough credits."}`, nil, CodeInsufficientCredits, 0, "You don't have enough credits.", nil},
		{"blocked", sent, 400, `{"detail":"This user has been blocked."}`, nil, CodeUserBlocked, 0, "", nil},
		{"credentials", sent, 403, `{"detail":"You do not have permission to perform this action."}`, nil, CodeCredentialsRejected, 0, "", nil},
		{"throttled", sent, 429, `{}`, []string{"Retry-After", "42"}, CodeThrottled, 42 * time.Second, "", nil},
		{"throttled without a time", sent, 429, `{}`, nil, CodeThrottled, 30 * time.Second, "", nil},
		{"down", sent, 503, ``, nil, CodeDiditUnavailable, 30 * time.Second, "", nil},
		{"not JSON", sent, 201, `<html>`, nil, CodeDiditUnavailable, 30 * time.Second, "", nil},
		{"not found", sent, 404, `{"detail":"Not found."}`, nil, CodeInternal, 0, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := create(t, newCreator(newWire(t, test.status, test.answer, test.header...).client), trusted, test.body)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("%s: got %v (%T), want an *Error", test.body, err, err)
			}
			if e.Code != test.code || e.RetryAfter != test.retryAfter || e.Detail != test.detail || !slices.Equal(fieldsOf(e), test.fields) {
				t.Errorf("%s answered by %d %s: got %s, retry after %v, detail %q, fields %q\nwant %s, %v, %q, %q", test.body, test.status, test.answer,
					e.Code, e.RetryAfter, e.Detail, fieldsOf(e), test.code, test.retryAfter, test.detail, test.fields)
			}
		})
	}
	refused := roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	})
	s := newCreator(&didit.Client{APIURL: "https://didit.invalid", Transport: refused, Credentials: &didit.CredentialCache{
		Read: func(context.Context) (string, error) { return `{"api_key":"key"}`, nil }}})
	if _, err := create(t, s, trusted, `{}`); AsError(err).Code != CodeDiditUnavailable || AsError(err).RetryAfter != 30*time.Second {
		t.Errorf("connection refused: got %v, want %s", err, CodeDiditUnavailable)
	}
}
