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
	yes, no := true, false
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	tests := []struct {
		name    string
		request SessionRequest
		want    string
	}{
		{"nothing but the workflow", SessionRequest{WorkflowID: "w"}, `{"workflow_id":"w"}`},
		{
			"every field",
			SessionRequest{
				WorkflowID: "w", VendorData: "v", Callback: "c", CallbackMethod: "both", Language: "pt-BR",
				Metadata: raw(`{"user_type":"premium"}`), PortraitImage: "aGk=", SandboxScenario: "approve",
				ContactDetails: &ContactDetails{"e@example.com", "en", "+34600000000", &yes},
				ExpectedDetails: &ExpectedDetails{
					"Carmen", "Española", "1980-01-01", "F", "ESP", "ESP", "FRA", "DEU", "Calle 1", "X1", "192.0.2.1",
					[]string{"P", "ID"}, "Acme", "US-CA", "42",
				},
			},
			`{"callback":"c","callback_method":"both","contact_details":{"email":"e@example.com","email_lang":"en",` +
				`"phone":"+34600000000","send_notification_emails":true},"expected_details":{"address":"Calle 1",` +
				`"company_name":"Acme","country":"ESP","date_of_birth":"1980-01-01","expected_document_types":["P","ID"],` +
				`"first_name":"Carmen","gender":"F","id_country":"FRA","identification_number":"X1","ip_address":"192.0.2.1",` +
				`"last_name":"Española","nationality":"ESP","poa_country":"DEU","registration_number":"42","registry_country":"US-CA"},` +
				`"language":"pt-BR","metadata":{"user_type":"premium"},"portrait_image":"aGk=","sandbox_scenario":"approve",` +
				`"vendor_data":"v","workflow_id":"w"}`,
		},
		{
			"a false is sent, empty texts are not",
			SessionRequest{WorkflowID: "w", ContactDetails: &ContactDetails{SendNotificationEmails: &no}},
			`{"contact_details":{"send_notification_emails":false},"workflow_id":"w"}`,
		},
		{
			"texts keep <, >, & and emoji",
			SessionRequest{WorkflowID: "w", VendorData: "<a>&😀", Callback: "https://e.example/?a=1&b=<2>"},
			`{"callback":"https://e.example/?a=1&b=<2>","vendor_data":"<a>&😀","workflow_id":"w"}`,
		},
		{
			"metadata keeps order, numbers, escapes and line separators",
			SessionRequest{WorkflowID: "w", Metadata: raw("{\"z\":12345678901234567890.10,\"a\":1E-7,\"m\":\"<&>\u2028\u2029😀\\u00e9\\/\",\"n\":null}")},
			"{\"metadata\":{\"z\":12345678901234567890.10,\"a\":1E-7,\"m\":\"<&>\u2028\u2029😀\\u00e9\\/\",\"n\":null},\"workflow_id\":\"w\"}",
		},
		{"metadata may be a string", SessionRequest{WorkflowID: "w", Metadata: raw(`"{\"a\":1}"`)}, `{"metadata":"{\"a\":1}","workflow_id":"w"}`},
		{"metadata may be null", SessionRequest{WorkflowID: "w", Metadata: raw(`null`)}, `{"metadata":null,"workflow_id":"w"}`},
		{
			"extra fields pass through",
			SessionRequest{WorkflowID: "w", Extra: map[string]json.RawMessage{
				"tags": raw("[\"<b>\u2028\",9007199254740993,-0.0]"), "biometric_consent": raw(`{"b":1,"a":2}`),
			}},
			"{\"biometric_consent\":{\"b\":1,\"a\":2},\"tags\":[\"<b>\u2028\",9007199254740993,-0.0],\"workflow_id\":\"w\"}",
		},
		{
			"an extra field cannot replace a named one",
			SessionRequest{WorkflowID: "w", VendorData: "v", Extra: map[string]json.RawMessage{"vendor_data": raw(`"other"`)}},
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

// A line separator in a text must arrive as one, however it is written.
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
	for _, broken := range []SessionRequest{
		{WorkflowID: workflow, Metadata: json.RawMessage(`{"a":`)},
		{WorkflowID: workflow, Extra: map[string]json.RawMessage{"tags": json.RawMessage(`[1,]`)}},
	} {
		fake := newFake(t, nil, reply(201, okSession))
		_, err := fake.client(t, fixed(pairSecret), new(clock)).CreateSession(t.Context(), broken)
		if e := failure(t, broken.Metadata, err); e.Kind != KindInvalidRequest {
			t.Errorf("%s %s: got %v, want %v", broken.Metadata, broken.Extra, e.Kind, KindInvalidRequest)
		}
		if tokens, sessions := fake.counts(); tokens+sessions != 0 {
			t.Errorf("%s %s: got %d requests, want none", broken.Metadata, broken.Extra, tokens+sessions)
		}
	}
}
