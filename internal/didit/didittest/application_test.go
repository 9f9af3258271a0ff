package didittest

import (
	"strings"
	"testing"
)

// Ensure a callback on the web must be on an allowed domain, and no other need be.
func TestServer_allowedDomains(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{AllowedDomains: []string{"https://app.example.com", "https://app.example.com:8443/", "http://localhost:5173"}})
	for callback, want := range map[string]int{
		"https://app.example.com/verified":              201,
		"https://APP.example.com:443/":                  201,
		"https://app.example.com:8443/x":                201,
		"http://localhost:5173/x":                       201,
		"myapp://verified":                              201,
		"https://app.example.com.evil.example/":         400,
		"https://example.com/":                          400,
		"https://app.example.com:444/":                  400,
		"http://app.example.com/":                       400,
		"http://localhost/":                             400,
		"https://www.app.example.com/":                  400,
		"https://evil.example/?https://app.example.com": 400,
	} {
		got := r.create(`{"workflow_id":"` + workflow + `","callback":"` + callback + `"}`)
		if got.status != want || want == 400 && !strings.HasPrefix(got.body, `{"callback":["`) {
			t.Errorf("%s: status %d, body %s, want %d", callback, got.status, got.body, want)
		}
	}
	if got := r.create(`{"workflow_id":"` + workflow + `"}`); got.status != 201 {
		t.Errorf("without a callback: status %d, body %s", got.status, got.body)
	}
	for body, want := range map[string]string{
		`{"allowed_domains":["https://new.example"]}`:      `{"allowed_domains":["https://new.example"],"workflows":[`,
		`{"allowed_domains":["new.example"]}`:              `{"error":"allowed_domains: `,
		`{"allowed_domains":["https://new.example/path"]}`: `{"error":"allowed_domains: `,
		`{"allowed_domains":["https://"]}`:                 `{"error":"allowed_domains: `,
		`{"allowed_domains":["https://user@new.example"]}`: `{"error":"allowed_domains: `,
		`{"allowed_domains":["myapp://x"]}`:                `{"error":"allowed_domains: `,
		`{"allowed_domains":"https://new.example"}`:        `{"error":"allowed_domains: wrong type`,
	} {
		if got := r.control("POST", "/simulator/application", body); !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: status %d, body %s, want %s", body, got.status, got.body, want)
		}
	}
	if got := r.do("GET", "/simulator/application", ""); !strings.HasPrefix(got.body, `{"allowed_domains":["https://new.example"],`) {
		t.Errorf("body %s, want the new domain", got.body)
	}
	if got := r.create(`{"workflow_id":"` + workflow + `","callback":"https://app.example.com/verified"}`); got.status != 400 {
		t.Errorf("the old domain: status %d, body %s, want 400", got.status, got.body)
	}
	r.control("POST", "/simulator/application", `{"allowed_domains":[]}`)
	if got := r.create(`{"workflow_id":"` + workflow + `","callback":"https://app.example.com/verified"}`); got.status != 201 {
		t.Errorf("no list: status %d, body %s, want 201", got.status, got.body)
	}
}

// Ensure a session that no backend asked for is like any other, but for the request.
func TestServer_StartSession(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v, err := r.StartSession(strings.ToUpper(workflow), "user-123")
	if err != nil || v.VendorData != "user-123" || v.WorkflowID != workflow || v.Status != "Not Started" || v.Request != nil {
		t.Errorf("got %+v, error %v", v, err)
	}
	if len(r.Requests()) != 0 {
		t.Errorf("got %d requests, want none", len(r.Requests()))
	}
	if nameless, err := r.StartSession(workflow, ""); err != nil || nameless.ID == v.ID || nameless.VendorData != "" {
		t.Errorf("without vendor data: got %+v, error %v", nameless, err)
	}
	if _, err := r.StartSession("kyc", "user-123"); err == nil {
		t.Error("a workflow that is not a UUID: got no error")
	}
	if got := r.created(userOrder).SessionID; got != v.ID {
		t.Errorf("a backend's request for the same end user: got session %s, want %s", got, v.ID)
	}
	got := r.control("POST", "/simulator/sessions", `{"workflow_id":"`+workflow+`","vendor_data":"user-124"}`)
	if got.status != 201 || !strings.Contains(got.body, `"vendor_data":"user-124"`) || !strings.Contains(got.body, `"request":null`) {
		t.Errorf("by the control API: status %d, body %s", got.status, got.body)
	}
	if got := r.control("POST", "/simulator/sessions", `{}`); got.status != 400 || !strings.HasPrefix(got.body, `{"error":"workflow_id`) {
		t.Errorf("without a workflow: status %d, body %s", got.status, got.body)
	}
}

// Ensure it is announced and signed as any other.
func TestServer_StartSession_webhook(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	r := serve(t, &Server{WebhookURL: h.URL})
	v, err := r.StartSession(workflow, "user-123")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetStatus(v.ID, "Approved"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	got := h.got()
	if len(got) != 2 || !strings.Contains(got[1].body, `"status":"Approved"`) || !strings.Contains(got[1].body, `"vendor_data":"user-123"`) {
		t.Fatalf("got deliveries %+v, want two, the last of them Approved", got)
	}
	if sent := got[1].header.Get("X-Signature"); sent != hexHMAC(DefaultWebhookSecret, got[1].body) {
		t.Errorf("got signature %s, want that of the body", sent)
	}
}

// Ensure the answers about another session are asked for by name, and by a create request alone.
func TestKnown_otherSession(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for name, want := range map[string]string{"other_vendor_data": `"vendor_data":"another-end-user"`, "other_workflow": `"workflow_id":"` + otherWorkflowID + `"`} {
		got := r.create(`{"workflow_id":"` + workflow + `","vendor_data":"user-123","metadata":{"simulate":"` + name + `","n":1.50}}`)
		if got.status != 201 || !strings.Contains(got.body, want) || !strings.Contains(got.body, `"n":1.50`) {
			t.Errorf("%s: status %d, body %s, want %s", name, got.status, got.body, want)
		}
		f, _ := Known(name)
		r.Inject(f.Once())
		if got := r.create(`{}`); got.status != 400 {
			t.Errorf("%s: a refused request: status %d, body %s", name, got.status, got.body)
		}
		if f.On != OpCreate {
			t.Errorf("%s applies to %q, want %s", name, f.On, OpCreate)
		}
	}
}
