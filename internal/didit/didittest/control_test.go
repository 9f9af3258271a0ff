package didittest

import (
	"strings"
	"testing"
)

func (r *rig) control(method, path, body string) reply {
	r.t.Helper()
	return r.do(method, path, body, "Content-Type", "application/json")
}

// Ensure a fault posted in JSON works as the injected one does.
func TestControl_faults(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, tt := range []struct {
		name, body string
		check      func(reply) bool
	}{
		{"by name", `{"name":"rate_limited","times":1}`, func(got reply) bool {
			return got.status == 429 && got.header.Get("Retry-After") == "42"
		}},
		{"by name at another op", `{"name":"invalid_client","times":1,"on":"create"}`, func(got reply) bool {
			return got.status == 401
		}},
		{"mode by name", `{"name":"slow","times":1,"pause_ms":1}`, func(got reply) bool { return got.status == 201 }},
		{"text body", `{"status":418,"times":1,"body":"tea","headers":{"content-type":"text/plain","X-A":"b"}}`, func(got reply) bool {
			return got.status == 418 && got.body == "tea" && got.header.Get("Content-Type") == "text/plain" && got.header.Get("X-A") == "b"
		}},
		{"JSON body", `{"on":"any","status":400,"times":1,"body":{"detail":["x"]}}`, func(got reply) bool {
			return got.status == 400 && got.body == `{"detail":["x"]}`
		}},
		{"size", `{"on":"create","status":200,"times":1,"body":"{}","size":100}`, func(got reply) bool { return len(got.body) == 100 }},
		{"mode", `{"mode":"cut_json","times":1}`, func(got reply) bool { return got.status == 201 && !strings.HasSuffix(got.body, "}") }},
		{"zero", `{"times":1}`, func(got reply) bool { return got.status == 500 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.control("POST", "/simulator/faults", tt.body); got.status != 201 {
				t.Fatalf("status %d, body %s", got.status, got.body)
			}
			if got := r.create(userOrder); !tt.check(got) {
				t.Errorf("status %d, header %v, body %s", got.status, got.header, got.body)
			}
		})
	}
}

// Ensure the list shows what is armed and what could be, and DELETE disarms.
func TestControl_faultList(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(PaidPlan)
	r.Inject(Fault{Mode: ModeDrip, Times: 3, Pause: DefaultPause})
	want := `{"armed":[{"name":"paid_plan","on":"create","mode":"answer","status":400},` +
		`{"name":"drip","times":3,"mode":"drip","pause_ms":100}],"known":["bad_gateway",`
	if got := r.do("GET", "/simulator/faults", ""); got.status != 200 || !strings.HasPrefix(got.body, want) {
		t.Errorf("status %d, body %s\nwant %s…", got.status, got.body, want)
	}
	if got := r.do("DELETE", "/simulator/faults", ""); got.status != 200 || got.body != `{"armed":[]}` {
		t.Errorf("DELETE: status %d, body %s", got.status, got.body)
	}
	r.created(userOrder)
}

// Ensure a mistake is refused by the name of its field, and arms nothing.
func TestControl_refusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	id := r.created(userOrder).SessionID
	const faults = "/simulator/faults"
	status := "/simulator/sessions/" + id + "/status"
	for _, tt := range []struct {
		path, body string
		status     int
		want       string // beginning of the error
	}{
		{faults, `{"name":"nonsense"}`, 400, `name: \"nonsense\" is not one of bad_gateway, `},
		{faults, `{"name":"paid_plan","status":500}`, 400, `name: takes no mode, status, `},
		{faults, `{"on":"page"}`, 400, `on: \"page\" is not one of any, token, create, decision, list, delete, delete_user, manage`},
		{faults, `{"times":-1}`, 400, `times: -1 is negative`},
		{faults, `{"times":"1"}`, 400, `times: wrong type, got JSON string`},
		{faults, `{"pause_ms":-1}`, 400, `pause_ms: -1 is not in 0 to 86400000`},
		{faults, `{"pause_ms":9223372036854775807}`, 400, `pause_ms: `},
		{faults, `{"mode":"explode"}`, 400, `mode: \"explode\" is not one of `},
		{faults, `{"mode":"silence","body":"x"}`, 400, `mode: silence takes no status, header, body or size`},
		{faults, `{"status":600}`, 400, `status: 600 is not in 200 to 599`},
		{faults, `{"size":-1}`, 400, `size: -1 is not in 0 to `},
		{faults, `{"colour":"red"}`, 400, `body: unknown field \"colour\"`},
		{faults, `{"headers":{"A":["b"]}}`, 400, `headers: wrong type, got JSON array`},
		{faults, `{} {}`, 400, `body: more than one JSON document`},
		{faults, `{`, 400, `body: unexpected EOF`},
		{faults, ``, 400, `body: EOF`},
		{faults, `{"body":"` + strings.Repeat("x", maxControlBody) + `"}`, 400, `body: more than 1048576 bytes`},
		{status, `{"status":"approved"}`, 400, `status: unknown \"approved\"; want one of Not Started, `},
		{status, `{}`, 400, `status: unknown \"\"; want one of `},
		{status, `{"new_status":"Approved"}`, 400, `body: unknown field \"new_status\"`},
		{"/simulator/sessions/none/status", `{"status":"Approved"}`, 404, `unknown session \"none\"`},
	} {
		got := r.control("POST", tt.path, tt.body)
		if want := `{"error":"` + tt.want; got.status != tt.status || !strings.HasPrefix(got.body, want) {
			t.Errorf("%.80s: status %d, body %s\nwant %d, %s…", tt.body, got.status, got.body, tt.status, want)
		}
	}
	if got := r.do("POST", faults, `{}`, "Content-Type", "text/plain"); got.status != 400 || !strings.Contains(got.body, "Content-Type") {
		t.Errorf("text/plain: status %d, body %s", got.status, got.body)
	}
	r.created(userOrder)
}

func TestControl_sessions(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	if got := r.do("GET", "/simulator/sessions", ""); got.body != `{"sessions":[]}` {
		t.Errorf("body %s, want none", got.body)
	}
	id := r.created(userOrder).SessionID
	want := `{"session_id":"` + id + `","session_number":1,"vendor_data":"user-123","workflow_id":"` + workflow +
		`","callback":"","status":"Declined","created_at":"2026-03-01T12:00:00Z","request":` + userOrder + `}`
	if got := r.control("POST", "/simulator/sessions/"+id+"/status", `{"status":"Declined"}`); got.status != 200 || got.body != want {
		t.Errorf("status %d, body %s\nwant %s", got.status, got.body, want)
	}
	if got := r.do("GET", "/simulator/sessions", ""); got.status != 200 || got.body != `{"sessions":[`+want+`]}` {
		t.Errorf("status %d, body %s\nwant %s", got.status, got.body, want)
	}
}

func TestControl_requests(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	r.create(`{"x":"<&>"}`)
	addr := r.Requests()[0].RemoteAddr
	want := `{"requests":[{"time":"2026-03-01T12:00:00Z","op":"create","method":"POST","path":"/v2/session/","status":400,` +
		`"fault":"","auth_scheme":"x-api-key","content_type":"application/json","user_agent":"Go-http-client/1.1",` +
		`"remote_addr":"` + addr + `","body":"{\"x\":\"<&>\"}"}]}`
	for range 2 {
		if got := r.do("GET", "/simulator/requests", ""); got.status != 200 || got.body != want {
			t.Errorf("status %d, body %s\nwant %s", got.status, got.body, want)
		}
	}
}
