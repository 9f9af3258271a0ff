package didittest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A listing is a page of sessions.
type listing struct {
	Count          int
	Next, Previous *string
	Results        []struct {
		SessionID  string  `json:"session_id"`
		VendorData *string `json:"vendor_data"`
		Status     string
	}
}

// list gets a page with the client secret, which is an API key.
func (r *rig) list(path string) (page listing) {
	r.t.Helper()
	got := r.do("GET", path, "", "X-Api-Key", DefaultClientSecret)
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != 200 {
		r.t.Fatalf("%s: status %d, body %s", path, got.status, got.body)
	}
	return page
}

// Ensure the list has pages, newest first, and the filters that it says.
func TestServer_list(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	var mine []string
	for i := range 120 {
		v, err := r.StartSession(workflow, map[bool]string{true: "a b&c", false: "other"}[i%2 == 0])
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			mine = append(mine, v.ID)
		}
	}
	slices.Reverse(mine)
	var got []string
	for path, pages := "/v3/sessions/?vendor_data="+url.QueryEscape("a b&c")+"&limit=25", 0; path != ""; pages++ {
		page := r.list(path)
		if page.Count != 60 || (page.Previous == nil) != (pages == 0) || pages > 2 {
			t.Fatalf("page %d: count %d, previous %v", pages, page.Count, page.Previous)
		}
		for _, v := range page.Results {
			got = append(got, v.SessionID)
		}
		path = ""
		if page.Next != nil {
			path = strings.TrimPrefix(*page.Next, r.origin)
		}
	}
	if !slices.Equal(got, mine) {
		t.Errorf("got %d sessions, want the %d of the user, newest first", len(got), len(mine))
	}
	_ = r.SetStatus(mine[0], "Approved")
	for path, want := range map[string]int{
		"/v3/sessions/":                                    50,
		"/v3/sessions/?limit=1000":                         50,
		"/v3/sessions/?offset=110":                         10,
		"/v3/sessions/?offset=999":                         0,
		"/v3/sessions/?limit=x&offset=-1":                  50,
		"/v3/sessions/?status=Approved":                    1,
		"/v3/sessions/?status=Approved&vendor_data=other":  0,
		"/v3/sessions/?workflow_id=" + workflow:            50,
		"/v3/sessions/?workflow_id=none":                   0,
		"/v3/sessions/?vendor_data=":                       0,
		"/v3/sessions/?vendor_data=OTHER":                  0,
		"/v3/sessions/?vendor_data=a+b%26c&limit=3&x=else": 3,
	} {
		if got := len(r.list(path).Results); got != want {
			t.Errorf("%s: %d sessions, want %d", path, got, want)
		}
	}
	r.Inject(Fault{On: OpList, Mode: ModeUnfiltered, Times: 1})
	if page := r.list("/v3/sessions/?vendor_data=nothing"); page.Count != 120 {
		t.Errorf("unfiltered: %d sessions, want all", page.Count)
	}
	if got := r.do("GET", "/v3/sessions/", ""); got.status != 403 {
		t.Errorf("without a key: status %d", got.status)
	}
	if got := r.do("GET", "/v3/sessions", ""); got.status != 301 {
		t.Errorf("without the slash: status %d", got.status)
	}
}

// Ensure a deletion is soft: the session is gone from every read and stays in the simulator, and is
// neither reused nor shown; and that no webhook is sent.
func TestServer_deleteSession(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	const order = `{"workflow_id":"` + workflow + `","vendor_data":"user-123"}`
	made := r.created(order)
	path := "/session/" + made.SessionID + "/delete/"
	for i, tt := range []struct {
		method, path, key string
		status            int
	}{
		{"DELETE", "/v3" + path, "", 403},
		{"DELETE", "/v3" + path, "wrong", 403},
		{"POST", "/v3" + path, DefaultAPIKey, 405},
		{"DELETE", "/v3" + strings.TrimSuffix(path, "/"), DefaultAPIKey, 301},
		{"DELETE", "/v3/session/none/delete/", DefaultAPIKey, 404},
		{"DELETE", "/v3" + path, DefaultAPIKey, 204},
		{"DELETE", "/v3" + path, DefaultAPIKey, 404},
		{"DELETE", "/v2" + path, DefaultAPIKey, 404},
		{"GET", "/v3/session/" + made.SessionID + "/decision/", DefaultAPIKey, 404},
		{"GET", "/session/" + made.SessionToken, "", 404},
	} {
		var header []string
		if tt.key != "" {
			header = []string{"X-Api-Key", tt.key}
		}
		if got := r.do(tt.method, tt.path, "", header...); got.status != tt.status {
			t.Errorf("%d: %s %s with %q: status %d, body %s, want %d", i, tt.method, tt.path, tt.key, got.status, got.body, tt.status)
		}
	}
	if page := r.list("/v3/sessions/"); page.Count != 0 {
		t.Errorf("%d sessions are listed", page.Count)
	}
	if err := r.SetStatus(made.SessionID, "Approved"); err == nil {
		t.Error("a deleted session changed its status")
	}
	if v, ok := r.Session(made.SessionID); !ok || !v.Deleted || !strings.Contains(r.do("GET", "/simulator/sessions", "").body, `"deleted":true`) {
		t.Errorf("got %+v, %v, want it kept and deleted", v, ok)
	}
	again := r.created(order)
	if again.SessionID == made.SessionID {
		t.Error("a deleted session was reused")
	}
	if got := r.do("DELETE", "/v2/session/"+again.SessionID+"/delete/", "", "X-Api-Key", DefaultAPIKey); got.status != 204 {
		t.Errorf("v2: status %d", got.status)
	}
}

// Ensure users are deleted for good, and their sessions are not.
func TestServer_deleteUsers(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, user := range []string{"a", "a", "b", "c", ""} {
		if _, err := r.StartSession(workflow, user); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range []struct {
		key, body string
		status    int
		want      string
	}{
		{"", `{"vendor_data_list":["a"]}`, 401, `{"detail":`},
		{"wrong", `{"vendor_data_list":["a"]}`, 403, `{"detail":`},
		{DefaultAPIKey, `{}`, 400, `["`},
		{DefaultAPIKey, `{"vendor_data_list":[]}`, 400, `["`},
		{DefaultAPIKey, `{"vendor_data_list":"a"}`, 400, `["`},
		{DefaultAPIKey, `{"vendor_data_list":["nothing",""]}`, 200, `{"deleted":0}`},
		{DefaultClientSecret, `{"vendor_data_list":["a","b","A"]}`, 200, `{"deleted":2}`},
		{DefaultAPIKey, `{"vendor_data_list":["a"]}`, 200, `{"deleted":0}`},
	} {
		header := []string{"Content-Type", "application/json"}
		if tt.key != "" {
			header = append(header, "X-Api-Key", tt.key)
		}
		if got := r.do("POST", "/v3/users/delete/", tt.body, header...); got.status != tt.status || !strings.HasPrefix(got.body, tt.want) {
			t.Errorf("%d: status %d, body %s, want %d %s", i, got.status, got.body, tt.status, tt.want)
		}
	}
	if got := fmt.Sprint(r.Users(), r.list("/v3/sessions/").Count); got != "[c] 5" {
		t.Errorf("users and sessions: %s, want one user and all sessions", got)
	}
	if _, err := r.StartSession(workflow, "a"); err != nil || fmt.Sprint(r.Users()) != "[a c]" {
		t.Errorf("users after a new session: %v, error %v", r.Users(), err)
	}
}
