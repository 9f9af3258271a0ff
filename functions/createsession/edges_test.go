package main

import (
	"fmt"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that requests which people send by mistake get an answer that says what to do, and that
// nothing of them reaches Didit.
func TestMistakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{Env: map[string]string{"EXTRA_FIELDS": "newest"}})
	body := func(text string) func(e map[string]any) {
		return func(e map[string]any) { e["body"] = text }
	}
	header := func(name, value string) func(e map[string]any) {
		return func(e map[string]any) { stagetest.Object(e, "headers")[name] = value }
	}
	principal := func(name string) func(e map[string]any) {
		return func(e map[string]any) {
			stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["sub"] = name
		}
	}
	for _, test := range []struct {
		name   string
		change func(e map[string]any)
		status int
		says   []string
	}{
		{"unknown field", body(`{"nonsense":1}`), 400, []string{`"field":"nonsense"`, "is not a field of this request."}},
		{"unknown null", body(`{"nonsense":null}`), 400, []string{`"field":"nonsense"`}},
		{"empty name", body(`{"":1,"":2}`), 400, []string{`{"field":"\"\"","message":"is a duplicate key."}`, `{"field":"\"\"","message":"is not a field of this request."}`}},
		{"misspelt field", body(`{"contact_detail":{"email":"j@example.com"}}`), 400, []string{"did you mean contact_details?"}},
		{"field in another place", body(`{"email":"j@example.com"}`), 400, []string{"did you mean contact_details.email?"}},
		{"path as a name", body(`{"contact_details.email":"j@example.com"}`), 400, []string{"send email inside the object contact_details."}},
		{"field of the other door", body(`{"includeUrl":false}`), 400, []string{"is not a field of this request."}},
		{"field in camel case", body(`{"workflowId":"x"}`), 400, []string{"did you mean workflow_id?"}},
		{"misspelt extra field", body(`{"newset":1}`), 400, []string{"did you mean newest?"}},
		{"field that a user may not send", body(`{"portrait_image":"QUJD","nonsense":1}`), 403, []string{`"field_not_allowed"`, `"field":"portrait_image"`}},
		{"extra field that a user may not send", body(`{"newest":1}`), 403, []string{`"field":"newest"`}},
		{"gzip", header("content-encoding", "gzip"), 415, []string{"Content-Encoding"}},
		{"byte order mark", body("\ufeff{}"), 400, []string{"byte order mark"}},
		{"too many values", body(`{"contact_details":[` + strings.Repeat("0,", 1000) + `0]}`), 400, []string{"more than 1000 values"}},
		{"long metadata", body(`{"metadata":"` + strings.Repeat("x", 64<<10) + `","language":"xx-"}`), 400, []string{`"field":"metadata"`, "65536 bytes", `"field":"language"`}},
		{"long list as metadata", body(`{"metadata":[0` + strings.Repeat(",0", 100_000) + `],"language":"xx-"}`), 400, []string{`"field":"metadata"`, "65536 bytes", `"field":"language"`}},
		{"long principal", principal(strings.Repeat("x", 3000)), 401, []string{"2048 bytes"}},
	} {
		a := w.HTTP(t, stagetest.Edit(t, event(t, "http-minimal"), test.change))
		if a.Status != test.status {
			t.Errorf("%s: got %d %s, want %d", test.name, a.Status, a.Body, test.status)
		}
		for _, part := range test.says {
			if !strings.Contains(string(a.Body), part) {
				t.Errorf("%s: got %s, want it to say %s", test.name, a.Body, part)
			}
		}
	}
	for payload, says := range map[string]string{
		`{"vendorData":"user-123","include_url":false}`: "did you mean vendor_data?", `{"includeUrl":false}`: "did you mean include_url?",
	} {
		if r := w.Call(t, []byte(payload)); r.ErrorType != "InvalidRequest" || !strings.Contains(r.ErrorMessage, says) {
			t.Errorf("directly, %s: got %q %s, want it to say %s", payload, r.ErrorType, r.ErrorMessage, says)
		}
	}
	if got := w.Didit.Count(didittest.OpCreate); got != 0 {
		t.Errorf("got %d requests to Didit, want none", got)
	}
}

// Ensure that document types may be named in any case and more than once, and that Didit gets each
// once.
func TestDocumentTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{})
	if r := w.Call(t, []byte(`{"expected_details":{"expected_document_types":["P","p","id","ID","P"]}}`)); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	for _, r := range w.Didit.Requests() {
		if r.Op == didittest.OpCreate && !strings.Contains(string(r.Body), `"expected_document_types":["P","id"]`) {
			t.Errorf("Didit got %s, want P and id once each", r.Body)
		}
	}
}

// Ensure that metadata and extra fields may have more values than the rest of a body, and that
// Didit gets all of them.
func TestRawFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{Env: map[string]string{"EXTRA_FIELDS": "newest"}})
	list := "[0" + strings.Repeat(",0", 2000) + "]"
	if r := w.Call(t, []byte(`{"metadata":`+list+`,"newest":{"a":`+list+`}}`)); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	for _, r := range w.Didit.Requests() {
		if r.Op == didittest.OpCreate && strings.Count(string(r.Body), list) != 2 {
			t.Errorf("Didit got %d bytes, want both lists", len(r.Body))
		}
	}
}

// Ensure that the route decides, and not the path: behind a custom domain the path begins with the
// key of the API mapping, and under a stage with a name with that.
func TestRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{})
	for _, test := range []struct {
		routeKey any
		path     string
		stage    string
		status   int
	}{
		{"POST /sessions", "/sessions", "$default", 201},
		{"POST /sessions", "/idv/sessions", "$default", 201},
		{"POST /sessions", "/a/b/c/sessions", "$default", 201},
		{"POST /sessions", "/prod/idv/sessions", "prod", 201},
		{"POST /sessions", "/sessions", "prod", 201},
		{nil, "/sessions", "$default", 201},
		{nil, "/prod/sessions", "prod", 201},
		{"$default", "/prod/sessions", "prod", 201},
		{nil, "/idv/sessions", "$default", 404},
		{"POST /other", "/sessions", "$default", 404},
		{"GET /sessions/{session_id}", "/sessions", "$default", 404},
	} {
		a := w.HTTP(t, stagetest.Edit(t, event(t, "http-minimal"), func(e map[string]any) {
			e["routeKey"], e["rawPath"], stagetest.Object(e, "requestContext")["stage"] = test.routeKey, test.path, test.stage
		}))
		if a.Status != test.status && !(test.status == 201 && a.Status == 200) {
			t.Errorf("%s: got %d %s, want %d", fmt.Sprint(test.routeKey, " ", test.path, " ", test.stage), a.Status, a.Body, test.status)
		}
	}
}

// Ensure that PRINCIPAL_CLAIM names the claim with the end user's id.
func TestPrincipalClaim(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"PRINCIPAL_CLAIM": "user_id"}})
	a := w.HTTP(t, stagetest.Edit(t, event(t, "http-minimal"), func(e map[string]any) {
		stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["user_id"] = "another-name"
	}))
	sessions := w.Didit.Sessions()
	if a.Status != 201 || len(sessions) != 1 || sessions[0].VendorData != "another-name" {
		t.Fatalf("got %d %s, %d sessions, want 201 and one of another-name", a.Status, a.Body, len(sessions))
	}
	if a := w.HTTP(t, event(t, "http-minimal")); a.Status != 401 {
		t.Errorf("without the claim: got %d %s, want 401", a.Status, a.Body)
	}
}
