package didittest

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	buttonForm = regexp.MustCompile(`<button name="status" value="([^"]*)"`)
	actionForm = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	returnForm = regexp.MustCompile(`<a class="button" href="([^"]*)"`)
	policyForm = regexp.MustCompile(`^default-src 'none'; style-src 'nonce-([A-Z0-9]{26})'; img-src data:; base-uri 'none'; form-action (.*)$`)
)

// find returns what the form matches first, with HTML's escapes undone, or "".
func find(form *regexp.Regexp, page string) string {
	m := form.FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(m[1])
}

// visit opens the page of a session, which must be one.
func (r *rig) visit(v createBody) reply {
	r.t.Helper()
	got := r.do("GET", strings.TrimPrefix(v.URL, r.origin), "")
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		r.t.Fatalf("page: status %d, header %v", got.status, got.header)
	}
	return got
}

// choose presses a button of the page.
func (r *rig) choose(page reply, status string) reply {
	r.t.Helper()
	return r.do("POST", find(actionForm, page.body), url.Values{"status": {status}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
}

// status is where the session stands.
func (r *rig) status(v createBody) string {
	got, _ := r.Session(v.SessionID)
	return got.Status
}

// Ensure the first visit starts the session and the page offers what an end user can do.
func TestPage_open(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, language := range []string{"", `,"language":"zh-CN"`} {
		v := r.created(`{"workflow_id":"` + workflow + `"` + language + `}`)
		page := r.visit(v)
		if got := r.status(v); got != "In Progress" {
			t.Errorf("status %q after the first visit, want In Progress", got)
		}
		var offered []string
		for _, m := range buttonForm.FindAllStringSubmatch(page.body, -1) {
			offered = append(offered, m[1])
		}
		if want := []string{"Approved", "Declined", "In Review", "Abandoned"}; !slices.Equal(offered, want) {
			t.Errorf("offered %q, want %q", offered, want)
		}
		for _, part := range []string{"<title>Didit simulator – In Progress</title>", `<html lang="en">`, workflow, `name="viewport"`} {
			if !strings.Contains(page.body, part) {
				t.Errorf("page lacks %s", part)
			}
		}
		if err := r.SetStatus(v.SessionID, "Resubmitted"); err != nil {
			t.Fatal(err)
		}
		if page := r.visit(v); !buttonForm.MatchString(page.body) || r.status(v) != "Resubmitted" {
			t.Errorf("resubmitted session: status %q, page %s", r.status(v), page.body)
		}
	}
}

// Ensure the page loads nothing from elsewhere and is not cached.
func TestPage_header(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	page := r.visit(r.created(`{"workflow_id":"` + workflow + `","callback":"MyApp://done"}`))
	m := policyForm.FindStringSubmatch(page.header.Get("Content-Security-Policy"))
	if m == nil || m[2] != "'self' myapp:" || !strings.Contains(page.body, `<style nonce="`+m[1]+`">`) {
		t.Errorf("policy %q does not fit the page", page.header.Get("Content-Security-Policy"))
	}
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, part := range []string{"http://", "https://", "<script", " style=", "url(", "@import"} {
		if strings.Contains(page.body, part) {
			t.Errorf("page holds %s", part)
		}
	}
}

// Ensure each choice is recorded, and sends the end user on where Didit would.
func TestPage_decide(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, tt := range []struct{ status, location, sentence string }{
		{"Approved", "https://example.com/done?verificationSessionId=ID&status=Approved", "was approved"},
		{"Declined", "https://example.com/done?verificationSessionId=ID&status=Declined", "was declined"},
		{"In Review", "https://example.com/done?verificationSessionId=ID&status=In%20Review", "waits for a review"},
		{"Abandoned", "/session/TOKEN", "was abandoned"},
	} {
		for _, callback := range []string{"https://example.com/done", ""} {
			body := `{"workflow_id":"` + workflow + `"}`
			want := "/session/TOKEN"
			if callback != "" {
				body = `{"workflow_id":"` + workflow + `","callback":"` + callback + `"}`
				want = tt.location
			}
			v := r.created(body)
			want = strings.NewReplacer("ID", v.SessionID, "TOKEN", v.SessionToken).Replace(want)
			got := r.choose(r.visit(v), tt.status)
			if got.status != 303 || got.header.Get("Location") != want {
				t.Errorf("%s, callback %q: status %d to %q\nwant 303 to %q", tt.status, callback, got.status, got.header.Get("Location"), want)
			}
			if now := r.status(v); now != tt.status {
				t.Errorf("%s: session is %s", tt.status, now)
			}
			after := r.visit(v)
			if buttonForm.MatchString(after.body) || !strings.Contains(after.body, tt.sentence) {
				t.Errorf("%s: finished page %s", tt.status, after.body)
			}
			link := find(returnForm, after.body)
			if goes := callback != "" && tt.status != "Abandoned"; goes && link != want || !goes && link != "" {
				t.Errorf("%s, callback %q: link %q, want %q", tt.status, callback, link, want)
			}
		}
	}
}

// Ensure an app's scheme leads to a page that opens the app, so that a browser without the app does
// not stay on the form.
func TestPage_decide_app(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(`{"workflow_id":"` + workflow + `","callback":"myapp://done?a=<b>"}`)
	got := r.choose(r.visit(v), "Approved")
	to := got.header.Get("Location")
	if got.status != 303 || to != "/session/"+v.SessionToken+"?returning" {
		t.Fatalf("status %d to %q", got.status, to)
	}
	next := r.do("GET", to, "")
	if opens := next.header.Get("Refresh"); !strings.HasPrefix(opens, "0; url=myapp://done?a=") || !strings.HasSuffix(opens, "&status=Approved") {
		t.Errorf("Refresh %q", opens)
	}
	if strings.Contains(next.body, "<b>") {
		t.Errorf("the callback became markup: %s", next.body)
	}
	if link := find(returnForm, next.body); !strings.HasPrefix(link, "myapp://done?a=") {
		t.Errorf("link %q, body %s", link, next.body)
	}
	if again := r.visit(v); again.header.Get("Refresh") != "" {
		t.Errorf("a later visit opens the app: %q", again.header.Get("Refresh"))
	}
}

// Ensure a finished page, and one of no session, lead somewhere.
func TestPage_leads(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{AppURL: "http://127.0.0.1:8080/"})
	v := r.created(userOrder)
	r.choose(r.visit(v), "Declined")
	for path, want := range map[string]string{
		"/session/" + v.SessionToken: `<a href="/#` + v.SessionID + `">Review or withdraw it`,
		"/session/unknown":           `<a href="/">All sessions and faults</a>`,
	} {
		body := r.do("GET", path, "").body
		if !strings.Contains(body, want) || !strings.Contains(body, `<a href="http://127.0.0.1:8080/">Back to the app’s page</a>`) {
			t.Errorf("%s leads nowhere: %s", path, body)
		}
	}
}

// Ensure a finished session keeps its status whatever button is pressed.
func TestPage_decide_finished(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(userOrder)
	page := r.visit(v)
	if err := r.SetStatus(v.SessionID, "Expired"); err != nil {
		t.Fatal(err)
	}
	if got := r.choose(page, "Approved"); got.status != 303 || got.header.Get("Location") != "/session/"+v.SessionToken {
		t.Errorf("status %d to %q", got.status, got.header.Get("Location"))
	}
	if got := r.status(v); got != "Expired" {
		t.Errorf("session is %s, want Expired", got)
	}
}

func TestPage_refusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(userOrder)
	page := r.visit(v)
	for _, status := range []string{"", "Expired", "approved", "%zz"} {
		if got := r.choose(page, status); got.status != 400 || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("choice %q: status %d", status, got.status)
		}
	}
	if got := r.do("POST", "/session/"+v.SessionToken+"/decision", "status=%zz"); got.status != 400 {
		t.Errorf("bad form: status %d, want 400", got.status)
	}
	for _, path := range []string{"/session/unknown", "/es/session/unknown"} {
		if got := r.do("GET", path, ""); got.status != 404 || !strings.Contains(got.body, "no session at this address") {
			t.Errorf("GET %s: status %d, body %s", path, got.status, got.body)
		}
	}
	if got := r.do("POST", "/session/unknown/decision", "status=Approved"); got.status != 404 {
		t.Errorf("decision on an unknown session: status %d, want 404", got.status)
	}
	if got := r.do("GET", "/xx/session/"+v.SessionToken, ""); got.status != 404 {
		t.Errorf("unknown language: status %d, want 404", got.status)
	}
	if got := r.status(v); got != "In Progress" {
		t.Errorf("session is %s, want In Progress", got)
	}
}

// Ensure what Didit appends leaves the rest of a callback alone, and that nothing dangerous is
// followed.
func TestSession_returnURL(t *testing.T) {
	t.Parallel()
	const added = "verificationSessionId=1&status=In%20Review"
	for callback, want := range map[string]string{
		"https://example.com":                   "https://example.com?" + added,
		"https://example.com/a?":                "https://example.com/a?" + added,
		"https://example.com/a%2Fb?x=1&x=%20#f": "https://example.com/a%2Fb?x=1&x=%20&" + added + "#f",
		"http://127.0.0.1:8080/#/route":         "http://127.0.0.1:8080/?" + added + "#/route",
		"myapp://done":                          "myapp://done?" + added,
		"myapp:done":                            "myapp:done?" + added,
		"com.example.app:/done":                 "com.example.app:/done?" + added,
		"":                                      "",
		"/relative":                             "",
		"javascript:alert(1)":                   "",
		"JavaScript:alert(1)":                   "",
		"data:text/html,x":                      "",
		"file:///etc/hosts":                     "",
		"intent://x":                            "",
		"%zz":                                   "",
	} {
		v := &session{id: "1", status: "In Review", order: order{callback: &callback}}
		got := ""
		if u := v.returnURL(); u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("callback %q: %q, want %q", callback, got, want)
		}
	}
	if u := (&session{id: "1", status: "Approved"}).returnURL(); u != nil {
		t.Errorf("without a callback: %v, want none", u)
	}
}

// Ensure a callback cannot widen the page's policy.
func TestPage_policyInjection(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for callback, want := range map[string]string{
		"https://a;script-src*;/x": "'self' https:",
		"javascript:alert(1)":      "'self'",
	} {
		page := r.visit(r.created(`{"workflow_id":"` + workflow + `","callback":"` + callback + `"}`))
		policy := page.header.Get("Content-Security-Policy")
		if m := policyForm.FindStringSubmatch(policy); m == nil || m[2] != want {
			t.Errorf("callback %s: policy %q, want form-action %s", callback, policy, want)
		}
	}
}
