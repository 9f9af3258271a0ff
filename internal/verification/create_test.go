package verification

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/didit"
)

// Ensure that of several reasons to refuse the first of the contract answers.
func TestCreator_Create_order(t *testing.T) {
	t.Parallel()
	policy := newCreator(nil).Policy
	for _, test := range []struct {
		name, body string
		caller     Caller
		code       Code
		paths      []string
	}{
		{"everything wrong", `{"portrait_image":"!","language":"x","vendor_data":"someone","workflow_id":"` + otherWorkflow + `"}`,
			signedIn, CodeFieldNotAllowed, []string{"portrait_image"}},
		{"a wrong value, a foreign user, a foreign workflow", `{"language":"x","vendor_data":"someone","workflow_id":"` + otherWorkflow + `"}`,
			signedIn, CodeInvalidRequest, []string{"language"}},
		{"a foreign user, a foreign workflow", `{"language":"en","vendor_data":"someone","workflow_id":"` + otherWorkflow + `"}`,
			signedIn, CodeVendorDataMismatch, []string{"vendor_data"}},
		{"a foreign workflow", `{"language":"en","vendor_data":"user-123","workflow_id":"` + otherWorkflow + `"}`,
			signedIn, CodeWorkflowNotAllowed, []string{"workflow_id"}},
		{"trusted: a wrong value, a foreign workflow", `{"portrait_image":"!","workflow_id":"` + otherWorkflow + `"}`,
			trusted, CodeInvalidRequest, []string{"portrait_image"}},
		{"trusted: a foreign workflow", `{"portrait_image":"QUJD","vendor_data":"someone","workflow_id":"` + otherWorkflow + `"}`,
			trusted, CodeWorkflowNotAllowed, []string{"workflow_id"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, test.body, refused(t, policy, test.caller, test.body), test.code, test.paths...)
		})
	}
	// What a door found wrong waits its turn, too.
	_, err := newCreator(new(recorder)).Create(t.Context(), CreateRequest{
		Caller: signedIn, Fields: parse(t, `{"portrait_image":"QUJD"}`), Invalid: []FieldError{{Field: "x"}}})
	wantRefusal(t, "Invalid and a field not allowed", AsError(err), CodeFieldNotAllowed, "portrait_image")
	_, err = newCreator(new(recorder)).Create(t.Context(), CreateRequest{
		Caller: signedIn, Fields: parse(t, `{"vendor_data":"someone"}`), Invalid: []FieldError{{Field: "x"}}})
	wantRefusal(t, "Invalid and a foreign user", AsError(err), CodeInvalidRequest, "x")
}

func TestCreator_Create_fieldNotAllowed(t *testing.T) {
	t.Parallel()
	const mayNot = "may not be sent by a signed-in user."
	for _, test := range []struct {
		name   string
		fields []string // of USER_FIELDS
		body   string
		want   []string // path and message; none where it is accepted
	}{
		{"default", UserFields, `{"language":"en","metadata":{"any":{"thing":1}},"contact_details":{"email":"j@example.com","phone":"+1234567"},"expected_details":{"country":"ESP"}}`, nil},
		{"default: top level", UserFields, `{"portrait_image":"QUJD","sandbox_scenario":"approve"}`, []string{"portrait_image " + mayNot, "sandbox_scenario " + mayNot}},
		{"default: nested", UserFields, `{"contact_details":{"send_notification_emails":true,"email":"j@example.com"},"expected_details":{"id_country":"ESP","country":"ESP","ip_address":"::1"}}`,
			[]string{"contact_details.send_notification_emails " + mayNot, "expected_details.id_country " + mayNot, "expected_details.ip_address " + mayNot}},
		{"own id", nil, `{"vendor_data":"user-123"}`, nil},
		{"nothing", nil, `{}`, nil},
		{"no fields at all", nil, `{"workflow_id":"` + workflow + `","contact_details":{"email":"j@example.com"}}`, []string{"workflow_id " + mayNot, "contact_details " + mayNot}},
		{"dotted", []string{"contact_details.email"}, `{"contact_details":{"email":"j@example.com"}}`, nil},
		{"dotted, the other object", []string{"contact_details.email"}, `{"expected_details":{"gender":"F"}}`, []string{"expected_details " + mayNot}},
		{"dotted, an empty object", []string{"contact_details.email"}, `{"contact_details":{}}`, nil},
		{"whole object", []string{"contact_details"}, `{"contact_details":{"email":"j@example.com","send_notification_emails":true}}`, nil},
		{"null", nil, `{"portrait_image":null,"contact_details":null,"expected_details":null}`, nil},
		{"nested null", []string{"expected_details.gender"}, `{"expected_details":{"gender":"F","id_country":null}}`, nil},
		{"extra, not the user's", UserFields, `{"newest":1,"other":null}`, []string{"newest " + mayNot, "other " + mayNot}},
		{"extra, the user's", []string{"newest"}, `{"newest":{"a":null}}`, nil},
		// A path that is no field matches nothing, above all not the field around it.
		{"no field, in a value that is kept whole", []string{"metadata.user_type", "portrait_image.x", "callback.y", "newest.z"},
			`{"metadata":{"user_type":1},"portrait_image":"QUJD","callback":"https://app.example.com/","newest":{"z":1}}`,
			[]string{"metadata " + mayNot, "portrait_image " + mayNot, "callback " + mayNot, "newest " + mayNot}},
		{"no field, in an object", []string{"contact_details.fax", "expected_details.gender.x"}, `{"contact_details":{},"expected_details":{"gender":"F"}}`,
			[]string{"contact_details " + mayNot, "expected_details " + mayNot}},
		{"no field, beside one", []string{"contact_details.fax", "contact_details.email"}, `{"contact_details":{"email":"j@example.com"}}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			policy := Policy{WorkflowIDs: []string{workflow}, UserFields: test.fields, ExtraFields: []string{"newest", "other"}}
			if test.want == nil {
				accepted(t, policy, signedIn, test.body)
				return
			}
			e := refused(t, policy, signedIn, test.body)
			if got := fieldsOf(e); e.Code != CodeFieldNotAllowed || !slices.Equal(got, test.want) {
				t.Errorf("%s: got %s %q\nwant %s %q", test.body, e.Code, got, CodeFieldNotAllowed, test.want)
			}
		})
	}
}

// Ensure that an allowed object that is none is a wrong value, and that an unknown field in an
// object that is allowed whole is reported.
func TestCreator_Create_allowedObject(t *testing.T) {
	t.Parallel()
	policy := Policy{WorkflowIDs: []string{workflow}, UserFields: []string{"contact_details", "expected_details.gender"}}
	for body, path := range map[string]string{
		`{"contact_details":"x"}`:           "contact_details",
		`{"expected_details":["gender"]}`:   "expected_details",
		`{"contact_details":{"fax":"1"}}`:   "contact_details.fax",
		`{"contact_details":{"fax":null}}`:  "contact_details.fax",
		`{"contact_details":{"email":"j"}}`: "contact_details.email",
	} {
		wantRefusal(t, body, refused(t, policy, signedIn, body), CodeInvalidRequest, path)
	}
}

// Ensure that only a trusted caller chooses whose session it is.
func TestCreator_Create_vendorData(t *testing.T) {
	t.Parallel()
	policy := newCreator(nil).Policy
	for _, test := range []struct {
		body   string
		caller Caller
		want   string
	}{
		{`{}`, signedIn, "user-123"},
		{`{"vendor_data":null}`, signedIn, "user-123"},
		{`{"vendor_data":"user-123"}`, signedIn, "user-123"},
		{`{}`, trusted, ""},
		{`{"vendor_data":"anyone"}`, trusted, "anyone"},
		{`{}`, Caller{Trusted: true, Principal: "user-123"}, ""},
		{`{"vendor_data":"anyone"}`, Caller{Trusted: true, Principal: "user-123"}, "anyone"},
	} {
		if got := accepted(t, policy, test.caller, test.body).Get("vendor_data").Text; got != test.want {
			t.Errorf("%s with trust %v: got vendor data %q, want %q", test.body, test.caller.Trusted, got, test.want)
		}
	}
	for _, sent := range []string{"someone", "User-123", "user-123 ", "user-1234", "user-12"} {
		body := bodyWith("vendor_data", quote(sent), "")
		wantRefusal(t, body, refused(t, policy, signedIn, body), CodeVendorDataMismatch, "vendor_data")
	}
}

func TestCreator_Create_workflow(t *testing.T) {
	t.Parallel()
	listed := []string{otherWorkflow, workflow, otherWorkflow} // twice is harmless
	for _, test := range []struct {
		name   string
		policy Policy
		body   string
		want   string // the workflow sent, or empty
		code   Code
	}{
		{"default is the first", Policy{WorkflowIDs: listed}, `{}`, otherWorkflow, ""},
		{"null is the default", Policy{WorkflowIDs: listed}, `{"workflow_id":null}`, otherWorkflow, ""},
		{"second", Policy{WorkflowIDs: listed}, bodyWith("workflow_id", quote(workflow), ""), workflow, ""},
		{"upper case", Policy{WorkflowIDs: listed}, bodyWith("workflow_id", quote(strings.ToUpper(otherWorkflow)), ""), otherWorkflow, ""},
		{"not listed", Policy{WorkflowIDs: listed[1:2]}, bodyWith("workflow_id", quote(otherWorkflow), ""), "", CodeWorkflowNotAllowed},
		{"any", Policy{AnyWorkflow: true}, bodyWith("workflow_id", quote(strings.ToUpper(otherWorkflow)), ""), otherWorkflow, ""},
		{"any has no default", Policy{AnyWorkflow: true}, `{}`, "", CodeInvalidRequest},
		{"any beside a list has no default", Policy{AnyWorkflow: true, WorkflowIDs: listed}, `{}`, "", CodeInvalidRequest},
		{"any takes no other form", Policy{AnyWorkflow: true}, bodyWith("workflow_id", `"kyc"`, ""), "", CodeInvalidRequest},
		{"zero policy", Policy{}, `{}`, "", CodeInvalidRequest},
		{"zero policy allows none", Policy{}, bodyWith("workflow_id", quote(workflow), ""), "", CodeWorkflowNotAllowed},
		{"wrong type is one error", Policy{}, `{"workflow_id":1}`, "", CodeInvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.code != "" {
				wantRefusal(t, test.body, refused(t, test.policy, trusted, test.body), test.code, "workflow_id")
				return
			}
			if got := accepted(t, test.policy, trusted, test.body).Get("workflow_id").Text; got != test.want {
				t.Errorf("%s: got workflow %q, want %q", test.body, got, test.want)
			}
		})
	}
}

// Ensure that a workflow that compares faces knows whose.
func TestCreator_Create_biometric(t *testing.T) {
	t.Parallel()
	policy := Policy{WorkflowIDs: []string{otherWorkflow, workflow}, BiometricWorkflowIDs: []string{otherWorkflow}, UserFields: UserFields}
	upper := quote(strings.ToUpper(otherWorkflow))
	for body, message := range map[string]string{
		`{}`:                               "is required by this workflow.",
		`{"vendor_data":null}`:             "is required by this workflow.",
		bodyWith("workflow_id", upper, ""): "is required by this workflow.",
		`{"vendor_data":""}`:               "must not be empty.",
		`{"vendor_data":1}`:                "must be a string, not a number.",
		`{"vendor_data":" ","workflow_id":` + upper + `}`: "must not be empty.",
	} {
		e := refused(t, policy, trusted, body)
		wantRefusal(t, body, e, CodeInvalidRequest, "vendor_data")
		if got := e.Fields[0].Message; got != message {
			t.Errorf("%s: got %q, want %q", body, got, message)
		}
	}
	accepted(t, policy, trusted, `{"vendor_data":"u"}`)
	accepted(t, policy, trusted, bodyWith("workflow_id", quote(workflow), "")) // not a biometric one
	if got := accepted(t, policy, signedIn, `{}`).Get("vendor_data").Text; got != "user-123" {
		t.Errorf("signed-in user: got vendor data %q, want user-123", got)
	}
}

// Ensure that what Didit answered comes back, and that a service may be used by many at once.
func TestCreator_Create_concurrent(t *testing.T) {
	t.Parallel()
	r := &recorder{session: didit.Session{ID: "s", URL: "u", Metadata: []byte(`{"z":1.50}`)}}
	s := newCreator(r)
	spare := make([]FieldError, 0, 8) // the request's own slices must not be written to
	request := CreateRequest{Caller: trusted, Invalid: spare, Fields: parse(t, `{"vendor_data":"u","metadata":{"b":1,"a":2}}`)}
	wrong := CreateRequest{Caller: trusted, Invalid: spare, Fields: parse(t, `{"language":"x"}`)}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			session, err := s.Create(t.Context(), request)
			if err != nil || session.ID != "s" || session.URL != "u" || string(session.Metadata) != `{"z":1.50}` {
				t.Errorf("got session %q with metadata %s, error %v", session.ID, session.Metadata, err)
			}
			if _, err := s.Create(t.Context(), wrong); !slices.Equal(pathsOf(AsError(err).Fields), []string{"language"}) {
				t.Errorf("got %v %q, want language refused", err, fieldsOf(err))
			}
		})
	}
	group.Wait()
	if got := spare[:1][0]; got != (FieldError{}) {
		t.Errorf("the request's spare capacity holds %v, want it untouched", got)
	}
	if got := len(r.requests); got != 20 {
		t.Errorf("got %d calls of Didit, want 20", got)
	}
	if _, err := s.Create(t.Context(), wrong); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("got %v, want an error that wraps none", err)
	}
}
