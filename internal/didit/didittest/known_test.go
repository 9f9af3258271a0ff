package didittest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// Ensure every documented error reaches a caller byte for byte. The bodies stand here as Didit's
// pages print them, written a second time, so that no slip in one place goes unseen.
func TestKnown_documented(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	const credits = "You don't have enough credits to perform this request. Please top up at https://business.didit.me"
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{"workflow_invalid", 400, `{"workflow_id":"Invalid workflow_id."}`},
		{"paid_plan", 400, `{"detail":"You need to have a paid plan to perform this workflow."}`},
		{"credits", 400, `{"detail":"` + credits + `"}`},
		{"credits_forbidden", 403, `{"error":"` + credits + `"}`},
		{"user_blocked", 400, `{"vendor_data":"This user or business has been blocked and cannot create new verification sessions."}`},
		{"portrait_required", 400, `{"portrait_image":"A portrait image is required to perform face match for this workflow."}`},
		{"nested_field", 400, `{"contact_details":{"email":["Enter a valid email address."]}}`},
		{"nested_array", 400, `{"nodes_to_resubmit":[{"feature":["\"BOGUS\" is not a valid choice."]}]}`},
		{"bare_array", 400, `["The new status is the same as the current status."]`},
		{"detail_array", 400, `{"detail":["Only finished sessions can be shared."]}`},
		{"unauthorized", 401, `{"detail":"Invalid or missing API key"}`},
		{"invalid_api_key", 401, `{"detail":"Invalid API Key."}`},
		{"forbidden", 403, `{"detail":"You do not have permission to perform this action."}`},
		{"not_authenticated", 403, `{"detail":"Authentication credentials were not provided or are invalid."}`},
		{"rate_limited", 429, `{"detail":"Session creation rate limit exceeded. You can make up to 600 requests per minute."}`},
		{"sandbox_quota", 429, `{"detail":"Sandbox session quota exceeded (500 sessions per 24h). Wait for the window to reset. ` +
			`Expected available in 3600 seconds."}`},
		{"throttled", 429, `{"detail":"Request was throttled. Expected available in 30 seconds."}`},
		{"not_found", 404, `{"detail":"Not found."}`},
		{"invalid_client", 401, `{"error":"invalid_client"}`},
		{"invalid_client_400", 400, `{"error":"invalid_client"}`},
		{"invalid_request", 400, `{"error":"invalid_request"}`},
		{"invalid_grant", 400, `{"error":"invalid_grant"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, ok := Known(tt.name)
			if !ok {
				t.Fatal("not known")
			}
			r.Inject(f.Once())
			ask := r.create
			if f.On == OpToken {
				ask = func(body string) reply { return r.form("", "", body) }
			}
			got := ask(userOrder)
			if got.status != tt.status || got.body != tt.body || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("status %d, %s, body %s\nwant %d, %s", got.status, got.header.Get("Content-Type"), got.body, tt.status, tt.body)
			}
		})
	}
	if n := len(r.Sessions()); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
}

// Ensure the two kinds of 429 differ as documented: one has the headers, the other only its
// sentence.
func TestKnown_rateLimits(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	for _, tt := range []struct {
		f                           Fault
		retryAfter, limit, left, at string
	}{
		{RateLimited, "42", "600", "0", "1772366442"},
		{SandboxQuota, "", "", "", ""},
		{Throttled, "", "", "", ""},
	} {
		r.Inject(tt.f.Once())
		h := r.create(userOrder).header
		if h.Get("Retry-After") != tt.retryAfter || h.Get("X-RateLimit-Limit") != tt.limit ||
			h.Get("X-RateLimit-Remaining") != tt.left || h.Get("X-RateLimit-Reset") != tt.at {
			t.Errorf("%s: header %v", tt.f.Name, h)
		}
	}
	if RateLimited.Header.Get("X-RateLimit-Reset") != "" {
		t.Error("answering changed the ready-made fault")
	}
}

// Ensure the undocumented trouble is pages, redirects and plain 5xx, at both endpoints.
func TestKnown_undocumented(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, f := range []Fault{ServerError, BadGateway, NotFoundPage, HTMLPage} {
		r.Inject(f.At(OpCreate).Once())
		got := r.create(userOrder)
		if got.status != f.Status || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "<h1>") {
			t.Errorf("%s: status %d, header %v, body %s", f.Name, got.status, got.header, got.body)
		}
	}
	for _, f := range []Fault{MovedPermanently, TemporaryRedirect} {
		r.Inject(f.Once())
		if got := r.form("", "", ""); got.status != f.Status || got.header.Get("Location") != "/redirected/" {
			t.Errorf("%s: status %d to %q", f.Name, got.status, got.header.Get("Location"))
		}
	}
	if n := r.Count(OpOther); n != 0 {
		t.Errorf("%d redirects followed", n)
	}
}

// Ensure every ready-made fault is valid, is JSON where it says so, has a name of its own, and can
// be had by it.
func TestKnown_complete(t *testing.T) {
	t.Parallel()
	var declared int
	file, err := parser.ParseFile(token.NewFileSet(), "known.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				if spec.(*ast.ValueSpec).Names[0].IsExported() {
					declared++
				}
			}
		}
	}
	if modes := 11; declared+modes != len(known) {
		t.Errorf("%d variables declared and %d modes, %d known", declared, modes, len(known))
	}
	names := KnownNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || len(names) != len(known) {
		t.Errorf("names %q: unsorted, repeated or missing", names)
	}
	for _, name := range names {
		f, ok := Known(name)
		if !ok || f.Name != name || f.check() != nil || f.Times != 0 {
			t.Errorf("Known(%q) = %+v, %v; check: %v", name, f, ok, f.check())
		}
		if f.mode() == ModeAnswer && f.Header.Get("Content-Type") == "" && f.Header.Get("Location") == "" && !json.Valid([]byte(f.Body)) {
			t.Errorf("%s: body %s is no JSON", name, f.Body)
		}
	}
	for _, name := range []string{"", "answer", "nonsense"} {
		if f, ok := Known(name); ok {
			t.Errorf("Known(%q) = %+v, want none", name, f)
		}
	}
}
