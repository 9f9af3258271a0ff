package verification

import (
	"context"
	"strings"
	"testing"

	"didit-sessions/internal/didit"
)

// oldRecord is a [Recorder] with the record of one session, or with none.
type oldRecord struct {
	known bool
	owner string
	added []Record
}

func (r *oldRecord) Add(_ context.Context, added Record) (Record, bool, error) {
	r.added = append(r.added, added)
	return Record{SessionID: added.SessionID, VendorData: r.owner}, r.known, nil
}

func (*oldRecord) Latest(context.Context, string, int) ([]Record, error) { return nil, nil }

func (*oldRecord) Record(context.Context, string) (Record, bool, error) { return Record{}, false, nil }

func (*oldRecord) Replace(context.Context, Record) (bool, error) { return false, nil }

// Ensure that nothing of a session reaches the caller that is not the one asked for, and that the
// operator finds out which one Didit answered.
func TestCreator_Create_otherSession(t *testing.T) {
	t.Parallel()
	const foreign = "99999999-2222-3333-4444-555555555555"
	answer := func(members string) string {
		return `{"session_id":"` + foreign + `","url":"https://verify.didit.me/session/secret","session_token":"secret","status":"In Progress"` + members + `}`
	}
	anyWorkflow := Policy{AnyWorkflow: true}
	named := `{"vendor_data":"user-123","workflow_id":"` + workflow + `"}`
	nameless := `{"workflow_id":"` + workflow + `"}`
	for _, test := range []struct {
		name    string
		policy  Policy
		caller  Caller
		body    string
		members string // of Didit's answer
		reason  string // part of it; empty: the session is the one asked for
	}{
		{"own", Policy{}, signedIn, `{}`, `,"vendor_data":"user-123","workflow_id":"` + workflow + `"`, ""},
		{"own, by its least", Policy{}, signedIn, `{}`, ``, ""},
		{"own, nulls", Policy{}, signedIn, `{}`, `,"vendor_data":null,"workflow_id":null`, ""},
		{"own, workflow in upper case", Policy{}, trusted, `{"workflow_id":"` + otherWorkflow + `"}`, `,"workflow_id":"` + strings.ToUpper(otherWorkflow) + `"`, ""},
		{"own, escaped", Policy{}, signedIn, `{}`, `,"vendor_data":"user\u002d123"`, ""},
		{"another user's", Policy{}, signedIn, `{}`, `,"vendor_data":"user-124"`, "other vendor data"},
		{"another case", Policy{}, signedIn, `{}`, `,"vendor_data":"User-123"`, "other vendor data"},
		{"a space more", Policy{}, signedIn, `{}`, `,"vendor_data":"user-123 "`, "other vendor data"},
		{"no user's", Policy{}, signedIn, `{}`, `,"vendor_data":""`, "other vendor data"},
		{"half a surrogate", Policy{}, trusted, `{"vendor_data":"user\ufffd"}`, `,"vendor_data":"user\ud800"`, "other vendor data"},
		{"no string", Policy{}, trusted, `{"vendor_data":"123"}`, `,"vendor_data":["123"]`, "other vendor data"},
		{"trusted, another user's", Policy{}, trusted, named, `,"vendor_data":"user-124"`, "other vendor data"},
		{"trusted, any workflow, another user's", anyWorkflow, trusted, named, `,"vendor_data":"user-124"`, "other vendor data"},
		{"trusted, none sent", Policy{}, trusted, nameless, `,"vendor_data":"user-124"`, "other vendor data"},
		{"trusted, none sent, none answered", Policy{}, trusted, nameless, `,"vendor_data":null`, ""},
		{"another normal form", Policy{}, trusted, `{"vendor_data":"é"}`, `,"vendor_data":"e\u0301"`, "other vendor data"},
		{"another workflow", Policy{}, signedIn, `{}`, `,"vendor_data":"user-123","workflow_id":"` + otherWorkflow + `"`, otherWorkflow},
		{"trusted, another workflow", Policy{}, trusted, named, `,"workflow_id":"` + otherWorkflow + `"`, otherWorkflow},
		{"another workflow, of the list too", Policy{WorkflowIDs: []string{workflow, otherWorkflow}}, signedIn, `{}`, `,"workflow_id":"` + otherWorkflow + `"`, otherWorkflow},
		{"a workflow that is no UUID", Policy{}, signedIn, `{}`, `,"workflow_id":"Jane Doe"`, "not a UUID"},
		{"a workflow that is no string", Policy{}, signedIn, `{}`, `,"workflow_id":7`, "not a UUID"},
		{"any, signed in", anyWorkflow, signedIn, nameless, `,"workflow_id":"` + otherWorkflow + `"`, otherWorkflow},
		{"any, trusted", anyWorkflow, trusted, nameless, `,"workflow_id":"` + otherWorkflow + `"`, ""},
	} {
		for _, store := range []*oldRecord{nil, {}} {
			s := newCreator(newWire(t, 201, answer(test.members)).client)
			if test.policy.WorkflowIDs == nil && !test.policy.AnyWorkflow {
				test.policy.WorkflowIDs = []string{workflow, otherWorkflow}
			}
			test.policy.UserFields = UserFields
			if s.Policy = test.policy; store != nil {
				s.Store = store
			}
			session, err := create(t, s, test.caller, test.body)
			if test.reason == "" {
				if err != nil || session.ID != foreign || session.Known || store != nil && len(store.added) != 1 {
					t.Errorf("%s: got session %q, error %v, want it handed out and on record", test.name, session.ID, err)
				}
				continue
			}
			e := AsError(err)
			if e.Code != CodeInternal || !strings.Contains(e.Reason, test.reason) || e.Detail != "" || len(e.Fields) != 0 || session.ID+session.URL+session.Token != "" {
				t.Errorf("%s: got session %q, error %v, want %s that says %q", test.name, session.ID, err, CodeInternal, test.reason)
			}
			for _, leak := range []string{"secret", "user-124", "Jane"} {
				if strings.Contains(e.Reason, leak) {
					t.Errorf("%s: the reason %q shows %q", test.name, e.Reason, leak)
				}
			}
			if store != nil && len(store.added) != 0 {
				t.Errorf("%s: got %d records added, want none", test.name, len(store.added))
			}
		}
	}
}

// Ensure that the record says whether a session is new, and whose it is.
func TestCreator_Create_onRecord(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		store  oldRecord
		caller Caller
		body   string
		known  bool
		code   Code
	}{
		{"new", oldRecord{}, signedIn, `{}`, false, ""},
		{"on record", oldRecord{known: true, owner: "user-123"}, signedIn, `{}`, true, ""},
		{"awaited before its owner was known", oldRecord{known: true}, signedIn, `{}`, true, ""},
		{"another user's", oldRecord{known: true, owner: "user-124"}, signedIn, `{}`, false, CodeInternal},
		{"another case", oldRecord{known: true, owner: "USER-123"}, signedIn, `{}`, false, CodeInternal},
		{"trusted, another user's", oldRecord{known: true, owner: "user-124"}, trusted, `{"vendor_data":"user-123"}`, false, CodeInternal},
		{"trusted, a user's, none named", oldRecord{known: true, owner: "user-124"}, trusted, `{}`, false, CodeInternal},
		{"trusted, without an owner", oldRecord{known: true}, trusted, `{}`, true, ""},
	} {
		s := newCreator(&recorder{session: didit.Session{ID: "99999999-2222-3333-4444-55555555555A", URL: "u", Token: "t"}})
		s.Store = &test.store
		session, err := create(t, s, test.caller, test.body)
		e := AsError(err)
		if err == nil {
			e = &Error{}
		}
		if e.Code != test.code || session.Known != test.known || (session.URL == "") != (test.code != "") || len(test.store.added) != 1 {
			t.Errorf("%s: got %s, known %v, URL %q, want %q, %v", test.name, e, session.Known, session.URL, test.code, test.known)
		}
		if test.code != "" && !strings.Contains(e.Reason, "99999999-2222-3333-4444-55555555555a, which is on record for another end user") {
			t.Errorf("%s: got reason %q, want it to name the session", test.name, e.Reason)
		}
	}
}

// Ensure that a callback that our own list let through is for the operator to fix when Didit
// refuses it, and any other for the caller.
func TestCreator_Create_allowedDomains(t *testing.T) {
	t.Parallel()
	const web, app = "https://app.example.com/verified", "myapp://verified"
	var allowed []CallbackPrefix
	for _, entry := range []string{web, "myapp://"} {
		prefix, err := ParseCallbackPrefix(entry)
		if err != nil {
			t.Fatal(err)
		}
		allowed = append(allowed, prefix)
	}
	for _, test := range []struct {
		name, callback string
		caller         Caller
		status         int
		answer         string
		code           Code
	}{
		{"web", web, signedIn, 400, `{"callback":["Not among the allowed domains."]}`, CodeInternal},
		{"web, as a string", web, signedIn, 400, `{"callback":"Not among the allowed domains."}`, CodeInternal},
		{"web, nested", web, signedIn, 400, `{"error":{"callback":{"message":"No."}}}`, CodeInternal},
		{"web, 422", web, signedIn, 422, `{"callback":["No."]}`, CodeInternal},
		{"web, upper case", strings.Replace(web, "https", "HTTPS", 1), signedIn, 400, `{"callback":["No."]}`, CodeInternal},
		{"web, among others", web, signedIn, 400, `{"language":["No."],"callback":["No."]}`, CodeInternal},
		{"web, another field", web, signedIn, 400, `{"language":["No."]}`, CodeInvalidRequest},
		{"app", app, signedIn, 400, `{"callback":["No."]}`, CodeInvalidRequest},
		{"none sent", "", signedIn, 400, `{"callback":["This field is required."]}`, CodeInvalidRequest},
		{"web, trusted", web, trusted, 400, `{"callback":["No."]}`, CodeInvalidRequest},
		{"app, trusted", app, trusted, 400, `{"callback":["No."]}`, CodeInvalidRequest},
		{"web, a plan", web, signedIn, 400, `{"detail":"This needs a paid plan.","callback":["No."]}`, CodePlanRequired},
	} {
		s := newCreator(newWire(t, test.status, test.answer).client)
		s.Policy.AllowedCallbacks = allowed
		body := `{}`
		if test.callback != "" {
			body = `{"callback":"` + test.callback + `"}`
		}
		_, err := create(t, s, test.caller, body)
		e := AsError(err)
		if e.Code != test.code {
			t.Errorf("%s: got %v %q, want %s", test.name, e, fieldsOf(e), test.code)
		}
		if test.code == CodeInternal && (!strings.Contains(e.Reason, "ALLOWED_CALLBACKS") || !strings.Contains(e.Reason, "allowed domains") || len(e.Fields) != 0 || e.Detail != "") {
			t.Errorf("%s: got reason %q, detail %q, fields %q, want a reason for the operator alone", test.name, e.Reason, e.Detail, fieldsOf(e))
		}
	}
}
