package didittest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// manage sends a management request with a key; an empty one is not sent.
func (r *rig) manage(key, method, path, body string) reply {
	r.t.Helper()
	header := []string{"Content-Type", "application/json"}
	if key != "" {
		header = append(header, "X-Api-Key", key)
	}
	return r.do(method, path, body, header...)
}

// Ensure each route refuses missing, wrong and narrow keys as Didit does, and nothing is done then.
func TestServer_management_keys(t *testing.T) {
	t.Parallel()
	const none, wrong, narrow = "", "wrong", "narrow"
	id := "/00000000-0000-4000-8000-000000000000"
	for _, tt := range []struct {
		method, path, right     string
		missing, wrong, granted int // statuses without a key, with a wrong one, with the right
	}{
		{"GET", "/v3/workflows/", "workflows:read", 403, 403, 200},
		{"GET", "/v3/billing/balance/", "billing:read", 401, 401, 200},
		{"GET", "/v3/webhook/", "webhooks:read", 401, 403, 200},
		{"PATCH", "/v3/webhook/", "webhooks:write", 401, 403, 200},
		{"GET", "/v3/webhook/destinations/", "webhooks:read", 401, 403, 200},
		{"POST", "/v3/webhook/destinations/", "webhooks:write", 401, 403, 400},
		{"GET", "/v3/webhook/destinations" + id + "/", "webhooks:read", 401, 403, 404},
		{"PATCH", "/v3/webhook/destinations" + id + "/", "webhooks:write", 401, 403, 404},
		{"DELETE", "/v3/webhook/destinations" + id + "/", "webhooks:write", 401, 403, 404},
		{"GET", "/v3/webhook/destinations" + id + "/deliveries/", "webhooks:read", 401, 403, 404},
		{"GET", "/v3/webhook/destinations" + id + "/deliveries" + id + "/", "webhooks:read", 401, 403, 404},
		{"GET", "/v3/session" + id + "/webhooks/", "sessions:read decisions:read", 403, 403, 404},
		{"GET", "/v3/session" + id + "/webhook" + id + "/", "sessions:read decisions:read", 403, 403, 404},
		{"POST", "/v3/session" + id + "/webhook" + id + "/resend", "webhooks:write decisions:read", 403, 403, 404},
	} {
		rights := strings.Fields(tt.right)
		others := slices.DeleteFunc(slices.Clone(Rights), func(r string) bool { return r == rights[0] })
		r := serve(t, &Server{ScopedKeys: map[string][]string{narrow: others, "scoped": rights}})
		for key, want := range map[string]int{
			none: tt.missing, wrong: tt.wrong, narrow: 403, "scoped": tt.granted, DefaultAPIKey: tt.granted, DefaultClientSecret: tt.granted,
		} {
			if got := r.manage(key, tt.method, tt.path, "{}"); got.status != want || !strings.HasPrefix(got.body, "{") && !strings.HasPrefix(got.body, "[") {
				t.Errorf("%s %s with %q: status %d, body %s, want %d", tt.method, tt.path, key, got.status, got.body, want)
			}
		}
		if got := r.do(tt.method, tt.path, "{}", "Authorization", "Bearer "+r.token()); got.status != tt.granted {
			t.Errorf("%s %s with a token: status %d, want %d", tt.method, tt.path, got.status, tt.granted)
		}
		if got := r.manage(DefaultAPIKey, "PUT", tt.path, "{}"); got.status != 405 || !strings.Contains(got.header.Get("Allow"), tt.method) {
			t.Errorf("PUT %s: status %d, Allow %q, want 405 with %s", tt.path, got.status, got.header.Get("Allow"), tt.method)
		}
		if bare, slash := strings.CutSuffix(tt.path, "/"); slash {
			if got := r.manage(DefaultAPIKey, tt.method, bare, "{}"); got.status != 301 {
				t.Errorf("%s %s: status %d, want 301", tt.method, bare, got.status)
			}
		}
	}
}

// Ensure a scoped key without sessions:write creates nothing, and one without decisions:read reads
// no decision.
func TestServer_scopedKeys_sessions(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{ScopedKeys: map[string][]string{"writer": {"sessions:write"}, "reader": {"decisions:read"}}})
	order := `{"workflow_id":"` + workflow + `"}`
	if got := r.manage("reader", "POST", "/v3/session/", order); got.status != 403 || len(r.Sessions()) != 0 {
		t.Errorf("reader creates: status %d, %d sessions, want 403 and none", got.status, len(r.Sessions()))
	}
	if got := r.manage("writer", "POST", "/v3/session/", order); got.status != 201 {
		t.Fatalf("writer creates: status %d, want 201", got.status)
	}
	for key, want := range map[string]int{"writer": 403, "reader": 200} {
		if got := r.manage(key, "GET", "/v3/session/"+r.Sessions()[0].ID+"/decision/", ""); got.status != want {
			t.Errorf("%s reads: status %d, want %d", key, got.status, want)
		}
	}
}

func TestServer_workflows(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	type list struct {
		Count   int
		Results []Workflow
	}
	got := decode[list](t, r.manage(DefaultAPIKey, "GET", "/v3/workflows/", "").body)
	if got.Count != 1 || !slices.Equal(got.Results, []Workflow{DefaultWorkflow}) {
		t.Errorf("workflows %+v, want the default one", got)
	}
	for body, want := range map[string]int{
		`{"workflows":[{"workflow_id":"22222222-2222-4222-8222-222222222222","status":"draft"}],"balance":"0.00"}`: 200,
		`{"workflows":[{"workflow_id":"x"}]}`:    400,
		`{"scoped_keys":{"k":["everything"]}}`:   400,
		`{"scoped_keys":{"k":["billing:read"]}}`: 200,
	} {
		if got := r.control("POST", "/simulator/application", body); got.status != want {
			t.Errorf("%s: status %d, body %s, want %d", body, got.status, got.body, want)
		}
	}
	got = decode[list](t, r.manage(DefaultAPIKey, "GET", "/v3/workflows/", "").body)
	if got.Count != 1 || got.Results[0].Status != "draft" {
		t.Errorf("workflows %+v, want the draft", got)
	}
	if got := r.manage("k", "GET", "/v3/billing/balance/", ""); !strings.Contains(got.body, `"balance":"0.00"`) {
		t.Errorf("balance: status %d, body %s", got.status, got.body)
	}
	if got := r.do("GET", "/simulator/application", ""); strings.Contains(got.body, `"k"`) {
		t.Errorf("the application shows its keys: %s", got.body)
	}
}

// Ensure the application's own webhook is used only while no destination is enabled.
func TestServer_applicationWebhook(t *testing.T) {
	t.Parallel()
	old, h := newHook(t, 200), newHook(t, 200)
	r := serve(t, &Server{ApplicationWebhookURL: old.URL})
	r.created(userOrder)
	made := r.manage(DefaultAPIKey, "POST", "/v3/webhook/destinations/", `{"label":"a","url":"`+h.URL+`","enabled":false,"subscribed_events":["status.updated"]}`)
	if made.status != 201 {
		t.Fatalf("create: status %d, body %s", made.status, made.body)
	}
	change := func(status string) {
		t.Helper()
		r.settle()
		if err := r.SetStatus(r.Sessions()[0].ID, status); err != nil {
			t.Fatal(err)
		}
		r.settle()
	}
	change("In Progress")
	path := "/v3/webhook/destinations/" + decode[struct{ UUID string }](t, made.body).UUID + "/"
	r.manage(DefaultAPIKey, "PATCH", path, `{"enabled":true}`)
	change("Approved")
	r.manage(DefaultAPIKey, "PATCH", path, `{"enabled":false}`)
	if got := r.manage(DefaultAPIKey, "PATCH", "/v3/webhook/", `{"webhook_url":null}`); !strings.Contains(got.body, `"webhook_url":null`) {
		t.Errorf("remove: status %d, body %s", got.status, got.body)
	}
	change("Declined")
	if got, want := fmt.Sprint(old.statuses(t), h.statuses(t)), "[Not Started In Progress] [Approved]"; got != want {
		t.Errorf("delivered to the old one and the new one %s, want %s", got, want)
	}
	before := r.manage(DefaultAPIKey, "GET", "/v3/webhook/", "").body
	after := r.manage(DefaultAPIKey, "PATCH", "/v3/webhook/", `{"rotate_secret_key":true,"allowed_domains":["https://app.example.com"]}`).body
	type settings struct {
		Secret  string   `json:"secret_shared_key"`
		Domains []string `json:"allowed_domains"`
	}
	was, is := decode[settings](t, before), decode[settings](t, after)
	if was.Secret == is.Secret || len(is.Secret) != 43 || !slices.Equal(is.Domains, []string{"https://app.example.com"}) {
		t.Errorf("settings %+v, before %+v: want another secret and the domain", is, was)
	}
	if got := r.manage(DefaultAPIKey, "PATCH", "/v3/webhook/", `{"allowed_domains":["app"]}`); got.status != 400 {
		t.Errorf("a wrong domain: status %d, want 400", got.status)
	}
}

// Ensure a fault on demand strikes management requests only where it says so.
func TestServer_management_faults(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(RateLimited.At(OpManage).Once())
	r.created(userOrder)
	for _, want := range []int{429, 200} {
		if got := r.manage(DefaultAPIKey, "GET", "/v3/billing/balance/", ""); got.status != want {
			t.Errorf("status %d, want %d", got.status, want)
		}
	}
	if n := r.Count(OpManage); n != 2 {
		t.Errorf("%d management requests counted, want 2", n)
	}
}
