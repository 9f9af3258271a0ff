package didit

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestClient_CreateSession_requests(t *testing.T) {
	t.Parallel()
	const body = `{"vendor_data":"user-123","workflow_id":"` + workflow + `"}`
	tests := []struct {
		name     string
		secret   string
		version  Version
		wantPath string
		wantAuth [2]string // header and value
	}{
		{"client credentials mean v2", pairSecret, "", "/v2/session/", [2]string{"Authorization", "Bearer token-1"}},
		{"api key means v3", keySecret, "", "/v3/session/", [2]string{"X-Api-Key", "key-1"}},
		{"client credentials on v3", pairSecret, V3, "/v3/session/", [2]string{"Authorization", "Bearer token-1"}},
		{"api key on v2", keySecret, V2, "/v2/session/", [2]string{"X-Api-Key", "key-1"}},
		{
			"api key wins", `{"client_id":"id-1","client_secret":"secret-1","api_key":"key-1"}`, "",
			"/v3/session/", [2]string{"X-Api-Key", "key-1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, reply(201, okSession))
			client := fake.client(t, fixed(tt.secret), new(clock))
			client.Version = tt.version
			if _, err := client.CreateSession(t.Context(), named); err != nil {
				t.Fatalf("secret %s: %v", tt.secret, err)
			}
			tokens, sessions := fake.asked()
			wantTokens := 1
			if tt.wantAuth[0] == "X-Api-Key" {
				wantTokens = 0
			}
			if len(tokens) != wantTokens || len(sessions) != 1 {
				t.Fatalf("secret %s: got %d token requests and %d POSTs, want %d and 1", tt.secret, len(tokens), len(sessions), wantTokens)
			}
			want := seen{"POST", prefix + tt.wantPath, strings.TrimPrefix(fake.URL, "http://"), http.Header{
				"Accept": {"application/json"}, "User-Agent": {"didit-sessions"},
				"Content-Type": {"application/json"}, "Content-Length": {"79"},
				tt.wantAuth[0]: {tt.wantAuth[1]},
			}, body}
			if !reflect.DeepEqual(sessions[0], want) {
				t.Errorf("secret %s, version %q:\ngot  %+v\nwant %+v", tt.secret, tt.version, sessions[0], want)
			}
		})
	}
}

func TestClient_tokenRequest(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(201, okSession))
	// Basic authentication is base64 of id:secret as they are, without form encoding.
	client := fake.client(t, fixed(`{"client_id":"id+1/é","client_secret":"s:e&c r%e=t"}`), new(clock))
	if _, err := client.CreateSession(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	tokens, _ := fake.asked()
	if len(tokens) != 1 {
		t.Fatalf("got %d token requests, want 1", len(tokens))
	}
	want := seen{"POST", prefix + "/auth/v2/token/", strings.TrimPrefix(fake.URL, "http://"), http.Header{
		"Accept": {"application/json"}, "User-Agent": {"didit-sessions"},
		"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Length": {"29"},
		"Authorization": {"Basic aWQrMS/DqTpzOmUmYyByJWU9dA=="},
	}, "grant_type=client_credentials"}
	if !reflect.DeepEqual(tokens[0], want) {
		t.Errorf("got  %+v\nwant %+v", tokens[0], want)
	}
}

func TestClient_origins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ auth, api, wantAuth, wantAPI string }{
		{"", "", "https://apx.didit.me", "https://verification.didit.me"},
		{"https://a.example/", "https://b.example/x/", "https://a.example", "https://b.example/x"},
	} {
		c := &Client{AuthURL: tt.auth, APIURL: tt.api}
		if c.authURL() != tt.wantAuth || c.apiURL() != tt.wantAPI {
			t.Errorf("%q, %q: got %q, %q, want %q, %q", tt.auth, tt.api, c.authURL(), c.apiURL(), tt.wantAuth, tt.wantAPI)
		}
	}
}

func TestSessionRequest_encode(t *testing.T) {
	t.Parallel()
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	tests := []struct {
		name    string
		request SessionRequest
		want    string
	}{
		{"nothing but the workflow", SessionRequest{WorkflowID: "w"}, `{"workflow_id":"w"}`},
		{
			"every kind of value",
			SessionRequest{WorkflowID: "w", VendorData: "v", Fields: map[string]any{
				"callback": "c", "metadata": raw(`{"user_type":"premium"}`), "portrait_image": "",
				"contact_details":  map[string]any{"email": "e@example.com", "send_notification_emails": false},
				"expected_details": map[string]any{"last_name": "Española", "expected_document_types": []string{"P", "ID"}},
			}},
			`{"callback":"c","contact_details":{"email":"e@example.com","send_notification_emails":false},` +
				`"expected_details":{"expected_document_types":["P","ID"],"last_name":"Española"},` +
				`"metadata":{"user_type":"premium"},"portrait_image":"","vendor_data":"v","workflow_id":"w"}`,
		},
		{
			"texts keep <, >, & and emoji",
			SessionRequest{WorkflowID: "w", VendorData: "<a>&😀", Fields: map[string]any{"callback": "https://e.example/?a=1&b=<2>"}},
			`{"callback":"https://e.example/?a=1&b=<2>","vendor_data":"<a>&😀","workflow_id":"w"}`,
		},
		{
			"metadata keeps order, numbers, escapes and line separators",
			SessionRequest{WorkflowID: "w", Fields: map[string]any{"metadata": raw("{\"z\":12345678901234567890.10,\"a\":1E-7,\"m\":\"<&>\u2028\u2029😀\\u00e9\\/\",\"n\":null}")}},
			"{\"metadata\":{\"z\":12345678901234567890.10,\"a\":1E-7,\"m\":\"<&>\u2028\u2029😀\\u00e9\\/\",\"n\":null},\"workflow_id\":\"w\"}",
		},
		{"metadata may be a string", SessionRequest{WorkflowID: "w", Fields: map[string]any{"metadata": raw(`"{\"a\":1}"`)}}, `{"metadata":"{\"a\":1}","workflow_id":"w"}`},
		{"metadata may be null", SessionRequest{WorkflowID: "w", Fields: map[string]any{"metadata": raw(`null`)}}, `{"metadata":null,"workflow_id":"w"}`},
		{
			"extra fields pass through",
			SessionRequest{WorkflowID: "w", Fields: map[string]any{
				"tags": raw("[\"<b>\u2028\",9007199254740993,-0.0]"), "biometric_consent": raw(`{"b":1,"a":2}`),
			}},
			"{\"biometric_consent\":{\"b\":1,\"a\":2},\"tags\":[\"<b>\u2028\",9007199254740993,-0.0],\"workflow_id\":\"w\"}",
		},
		{
			"a field cannot replace a named one",
			SessionRequest{WorkflowID: "w", VendorData: "v", Fields: map[string]any{"vendor_data": raw(`"other"`)}},
			`{"vendor_data":"v","workflow_id":"w"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.request.encode()
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// A line separator in a string must arrive as one, however it is written.
func TestSessionRequest_encode_lineSeparator(t *testing.T) {
	t.Parallel()
	const want = "a\u2028b\u2029c"
	body, err := SessionRequest{VendorData: want}.encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		VendorData string `json:"vendor_data"`
	}
	if err := json.Unmarshal(body, &got); err != nil || got.VendorData != want {
		t.Errorf("%s: got %q, %v, want %q", body, got.VendorData, err, want)
	}
}

func TestClient_CreateSession_brokenMetadata(t *testing.T) {
	t.Parallel()
	for _, broken := range []any{json.RawMessage(`{"a":`), json.RawMessage(`[1,]`), func() {}} {
		fake := newFake(t, nil, reply(201, okSession))
		request := SessionRequest{WorkflowID: workflow, Fields: map[string]any{"metadata": broken}}
		_, err := fake.client(t, fixed(pairSecret), new(clock)).CreateSession(t.Context(), request)
		if e := failure(t, broken, err); e.Kind != KindInvalidRequest {
			t.Errorf("%v: got %v, want %v", broken, e.Kind, KindInvalidRequest)
		}
		if tokens, sessions := fake.counts(); tokens+sessions != 0 {
			t.Errorf("%v: got %d requests, want none", broken, tokens+sessions)
		}
	}
}
