package didittest

import (
	"slices"
	"strings"
	"testing"
)

// Ensure the decision has the shape of its version, and follows the status.
func TestDecision(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(`{"workflow_id":"` + workflow + `","vendor_data":"user-123","metadata":{"n":1.0}}`)
	for _, tt := range []struct {
		version, status string
		want            []string // parts of the body
	}{
		{"v2", "Not Started", []string{`"status":"Not Started"`, `"id_verification":null`, `"features":["ID_VERIFICATION","NFC","LIVENESS","FACE_MATCH"]`, `"metadata":{"n":1.0}`}},
		{"v2", "Approved", []string{`"status":"Approved"`, `"id_verification":{`, `"last_name":"Española"`, `"face_match":{"score":89.92,"status":"Approved"}`, `"mrz":"IDESPCAA000000<<`, `"score":92.0`}},
		{"v2", "Abandoned", []string{`"liveness":null`, `"nfc":{"certificate":{"serial_number":118120836164494131264123456789012345678},"status":"Not Finished"}`}},
		{"v3", "Declined", []string{`"id_verifications":[{`, `"node_id":"feature_ocr"`, `"status":"Declined"`, `"workflow_version":1`, `"session_kind":"user"`, `"expires_at":`}},
		{"v3", "In Review", []string{`"face_matches":[{"node_id":"feature_face_match","score":89.92,"status":"In Review"}]`}},
		{"v3", "Expired", []string{`"id_verifications":null`, `"liveness_checks":null`}},
	} {
		if tt.status != "Not Started" {
			if err := r.SetStatus(v.SessionID, tt.status); err != nil {
				t.Fatal(err)
			}
		}
		got := r.decision(tt.version, v.SessionID)
		if got.status != 200 || got.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s %s: status %d, header %v", tt.version, tt.status, got.status, got.header)
		}
		body := decode[map[string]any](t, got.body)
		if body["session_id"] != v.SessionID || body["vendor_data"] != "user-123" || body["workflow_id"] != workflow || body["session_url"] != v.URL {
			t.Errorf("%s %s: body %s", tt.version, tt.status, got.body)
		}
		for _, part := range tt.want {
			if !strings.Contains(got.body, part) {
				t.Errorf("%s %s: body %s\nlacks %s", tt.version, tt.status, got.body, part)
			}
		}
	}
	if n := r.Count(OpDecision); n != 6 {
		t.Errorf("%d decision requests counted, want 6", n)
	}
}

func (r *rig) decision(version, id string, header ...string) reply {
	r.t.Helper()
	if header == nil {
		header = []string{"X-Api-Key", DefaultAPIKey}
	}
	return r.do("GET", "/"+version+"/session/"+id+"/decision/", "", header...)
}

// Ensure the refusals are Didit's, in Didit's order.
func TestDecision_refusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	id := r.created(userOrder).SessionID
	const other = "22222222-2222-3333-4444-555555555555"
	for _, tt := range []struct {
		name   string
		got    reply
		status int
		body   string // beginning
	}{
		{"unknown, before the credentials", r.decision("v2", other, "X-Api-Key", "wrong"), 404, `{"detail":"Not found."}`},
		{"unknown", r.decision("v3", other), 404, `{"detail":"Not found."}`},
		{"malformed", r.decision("v2", "none"), 404, `<!doctype html>`},
		{"wrong key", r.decision("v2", id, "X-Api-Key", "wrong"), 403, `{"detail":"Authentication credentials were not provided or are invalid."}`},
		{"no key", r.decision("v3", id, "Accept", "*/*"), 403, `{"detail":"Authentication credentials were not provided or are invalid."}`},
		{"wrong token", r.decision("v2", id, "Authorization", "Bearer x"), 403, `{"detail":"Authentication credentials were not provided or are invalid."}`},
		{"token", r.decision("v2", id, "Authorization", "Bearer "+r.token()), 200, `{`},
		{"method", r.do("POST", "/v2/session/"+id+"/decision/", "{}"), 405, `{"detail":"Method \"POST\" not allowed."}`},
		{"no slash", r.do("GET", "/v2/session/"+id+"/decision", ""), 301, ``},
	} {
		if tt.got.status != tt.status || !strings.HasPrefix(tt.got.body, tt.body) {
			t.Errorf("%s: status %d, body %s\nwant %d, %s…", tt.name, tt.got.status, tt.got.body, tt.status, tt.body)
		}
	}
	for _, path := range r.Requests() {
		if strings.Contains(path.Path, redacted) {
			t.Errorf("path %s, want the session's id, which is no secret", path.Path)
		}
	}
}

// Ensure decisions meet faults of their own and those of all ops.
func TestDecision_faults(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	id := r.created(userOrder).SessionID
	r.Inject(ReadRateLimited.Once())
	r.Inject(SessionNotFound.Once())
	r.Inject(PaidPlan)
	r.Inject(Fault{Status: 503, Times: 1})
	r.Inject(Fault{On: OpDecision, Mode: ModeCutJSON, Times: 1})
	var got []int
	for range 5 {
		answer := r.decision("v2", id)
		got = append(got, answer.status)
		switch {
		case answer.status == 429 && (answer.header.Get("Retry-After") != "23" || answer.header.Get("X-RateLimit-Limit") != "100"):
			t.Errorf("429: header %v", answer.header)
		case len(got) == 4 && strings.HasSuffix(answer.body, "}\n"):
			t.Errorf("cut_json: body %s", answer.body)
		}
	}
	if want := []int{429, 404, 503, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("statuses %d, want %d", got, want)
	}
}
