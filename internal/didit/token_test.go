package didit

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"didit-sessions/internal/strictjson"
)

// What the token endpoint answers, each time it is asked, and what becomes of the call.
func TestClient_tokenEndpoint(t *testing.T) {
	t.Parallel()
	list := func(handlers ...http.HandlerFunc) []http.HandlerFunc { return handlers }
	tests := []struct {
		name       string
		answers    []http.HandlerFunc
		want       Error // a zero Op means success
		wantTokens int
		wantReads  int32
	}{
		{"success", list(reply(200, okToken)), Error{}, 1, 1},
		{"success without a token_type or a lifetime", list(reply(200, `{"access_token":"token-1"}`)), Error{}, 1, 1},
		{"400 invalid_client", list(reply(400, `{"error":"invalid_client"}`)), Error{Kind: KindCredentialsRejected, Op: "token", Status: 400}, 2, 2},
		{"400 invalid_client described", list(reply(400, `{"error":"invalid_client","error_description":"No."}`)), Error{Kind: KindCredentialsRejected, Op: "token", Status: 400}, 2, 2},
		{"400 invalid_request", list(reply(400, `{"error":"invalid_request"}`)), Error{Kind: KindUnexpected, Op: "token", Status: 400}, 1, 1},
		{"400 invalid_grant", list(reply(400, `{"error":"invalid_grant"}`)), Error{Kind: KindUnexpected, Op: "token", Status: 400}, 1, 1},
		{"400 HTML", list(reply(400, `<html>`)), Error{Kind: KindUnexpected, Op: "token", Status: 400}, 1, 1},
		{"401", list(reply(401, `{"error":"invalid_client"}`)), Error{Kind: KindCredentialsRejected, Op: "token", Status: 401}, 2, 2},
		{"401 empty", list(reply(401, ``)), Error{Kind: KindCredentialsRejected, Op: "token", Status: 401}, 2, 2},
		{"403", list(reply(403, `{"detail":"You don't have enough credits"}`)), Error{Kind: KindCredentialsRejected, Op: "token", Status: 403}, 2, 2},
		{"401, then the new secret is good", list(reply(401, ``), reply(200, okToken)), Error{}, 2, 2},
		{"402", list(reply(402, `{}`)), Error{Kind: KindUnexpected, Op: "token", Status: 402}, 1, 1},
		{"404", list(reply(404, `<html>`)), Error{Kind: KindUnexpected, Op: "token", Status: 404}, 1, 1},
		{"405", list(reply(405, `{}`)), Error{Kind: KindUnexpected, Op: "token", Status: 405}, 1, 1},
		{"429", list(reply(429, `{}`, "Retry-After", "17")), Error{Kind: KindThrottled, Op: "token", Status: 429, RetryAfter: 17 * time.Second}, 1, 1},
		{"429 without advice", list(reply(429, ``)), Error{Kind: KindThrottled, Op: "token", Status: 429}, 1, 1},
		{"500 then 200", list(reply(500, ``), reply(200, okToken)), Error{}, 2, 1},
		{"reset then 200", list(reset, reply(200, okToken)), Error{}, 2, 1},
		{"cut off then 200", list(cut(200, okToken), reply(200, okToken)), Error{}, 2, 1},
		{"500 every time", list(reply(500, ``)), Error{Kind: KindUnavailable, Op: "token", Status: 500}, 2, 1},
		{"503 with advice", list(reply(503, ``, "Retry-After", "5"), reply(200, okToken)), Error{Kind: KindUnavailable, Op: "token", Status: 503, RetryAfter: 5 * time.Second}, 1, 1},
		{"301", list(reply(301, ``, "Location", prefix+"/auth/v2/token/")), Error{Kind: KindUnexpected, Op: "token", Status: 301}, 1, 1},
		{"201", list(reply(201, okToken)), Error{Kind: KindUnexpected, Op: "token", Status: 201}, 1, 1},
		{"204", list(reply(204, ``)), Error{Kind: KindUnexpected, Op: "token", Status: 204}, 1, 1},
		{"200 HTML", list(reply(200, `<html>`)), Error{Kind: KindUnavailable, Op: "token", Status: 200, Reason: "not JSON"}, 2, 1},
		{"200 empty", list(reply(200, ``)), Error{Kind: KindUnavailable, Op: "token", Status: 200, Reason: "not JSON"}, 2, 1},
		{"200 a number for a token", list(reply(200, `{"access_token":5}`)), Error{Kind: KindUnavailable, Op: "token", Status: 200, Reason: "no usable access token"}, 2, 1},
		{"200 without a token", list(reply(200, `{"expires_in":86400}`)), Error{Kind: KindUnavailable, Op: "token", Status: 200, Reason: "no usable access token"}, 2, 1},
		{"200 with a token no header carries", list(reply(200, `{"access_token":"a\r\nX-Evil: 1"}`)), Error{Kind: KindUnavailable, Op: "token", Status: 200, Reason: "no usable access token"}, 2, 1},
		{"200 unreadable then readable", list(reply(200, `{`), reply(200, okToken)), Error{}, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, sequence(tt.answers...), reply(201, okSession))
			c := new(clock)
			source := newSecrets(c, pairSecret)
			_, err := fake.client(t, source, c).CreateSession(t.Context(), nameless)
			wantPosts := 0
			if tt.want.Op == "" {
				wantPosts = 1
				if err != nil {
					t.Errorf("got %v, want success", err)
				}
			} else if got := failure(t, tt.name, err); content(got) != content(&tt.want) {
				t.Errorf("got  %s\nwant %s", content(got), content(&tt.want))
			}
			if tokens, posts := fake.counts(); tokens != tt.wantTokens || posts != wantPosts || source.reads.Load() != tt.wantReads {
				t.Errorf("got %d token requests, %d POSTs, %d reads, want %d, %d, %d",
					tokens, posts, source.reads.Load(), tt.wantTokens, wantPosts, tt.wantReads)
			}
		})
	}
}

func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		expiresIn, iat, exp string
		want                time.Duration
	}{
		{`86400`, `1617220000`, `1618084000`, day}, // Didit's own example
		{`3600`, ``, ``, time.Hour},
		{`864000`, `1617220000`, `1617223600`, time.Hour},
		{``, `1617220000`, `1617223600`, time.Hour},
		{`"3600"`, `"1617220000"`, `"1617221800"`, 30 * time.Minute},
		{`90.5`, ``, ``, 90*time.Second + 500*time.Millisecond},
		{``, ``, ``, day},
		{`null`, `null`, `null`, day},
		{`"soon"`, `true`, `{}`, day},
		{``, `1617220000`, ``, day},
		{``, ``, `1617220000`, day},
		{`0`, ``, ``, 0},
		{`"0"`, ``, ``, 0},
		{`-1`, ``, ``, 0},
		{`86400`, `1617220000`, `1617220000`, 0},
		{`86400`, `1617220001`, `1617220000`, 0},
		{`1e300`, ``, ``, 365 * day},
		{`9223372036854775807`, ``, ``, 365 * day},
	}
	for _, tt := range tests {
		value := func(text string) strictjson.Value {
			for v := range parsed(t, `[`+text+`]`).Items() {
				return v
			}
			return strictjson.Value{}
		}
		if got := tokenLifetime(value(tt.expiresIn), value(tt.iat), value(tt.exp)); got != tt.want {
			t.Errorf("expires_in %s, iat %s, exp %s: got %v, want %v", tt.expiresIn, tt.iat, tt.exp, got, tt.want)
		}
	}
}

// How long a token serves, by the injected clock and never by the dates in the answer.
func TestClient_tokenExpiry(t *testing.T) {
	t.Parallel()
	const example = `,"iat":1617220000,"exp":1618084000`
	tests := []struct {
		lifetime   string
		after      time.Duration
		wantTokens int
	}{
		{`,"expires_in":86400` + example, 23 * time.Hour, 1},
		{`,"expires_in":86400` + example, 24 * time.Hour, 2},
		{`,"expires_in":86400,"iat":1617220000,"exp":1617220060`, 59*time.Second - 12*time.Second, 1},
		{`,"expires_in":86400,"iat":1617220000,"exp":1617220060`, 60 * time.Second, 2},
		{`,"expires_in":"600"`, 5 * time.Minute, 1},
		{`,"expires_in":"600"`, 10 * time.Minute, 2},
		{``, 23 * time.Hour, 1},
		{``, 24 * time.Hour, 2},
		{`,"expires_in":0`, 0, 2},
		{`,"expires_in":-5`, 0, 2},
		{`,"expires_in":3600,"iat":1617220000,"exp":1617220000`, 0, 2},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s after %v", tt.lifetime, tt.after), func(t *testing.T) {
			t.Parallel()
			token := func(name string) http.HandlerFunc {
				return reply(200, `{"access_token":"`+name+`"`+tt.lifetime+`}`)
			}
			fake := newFake(t, sequence(token("token-1"), token("token-2")), reply(201, okSession))
			c := new(clock)
			client := fake.client(t, newSecrets(c, pairSecret), c)
			for range 2 {
				if _, err := client.CreateSession(t.Context(), named); err != nil {
					t.Fatal(err)
				}
				c.advance(tt.after)
			}
			tokens, posts := fake.asked()
			if len(tokens) != tt.wantTokens || len(posts) != 2 {
				t.Fatalf("got %d token requests and %d POSTs, want %d and 2", len(tokens), len(posts), tt.wantTokens)
			}
			for i, want := range []string{"Bearer token-1", fmt.Sprintf("Bearer token-%d", tt.wantTokens)} {
				if got := posts[i].header.Get("Authorization"); got != want {
					t.Errorf("POST %d: got %q, want %q", i+1, got, want)
				}
			}
		})
	}
}

// Clients that share a cache share the token, but not across credentials.
func TestTokenCache_shared(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(201, okSession))
	var cache TokenCache
	for i, tt := range []struct {
		secret     string
		wantTokens int
	}{
		{pairSecret, 1}, {pairSecret, 1}, {`{"client_id":"id-1","client_secret":"other"}`, 2}, {`{"client_id":"id-1","client_secret":"other"}`, 2},
	} {
		client := fake.client(t, fixed(tt.secret), new(clock))
		client.Tokens = &cache
		if _, err := client.CreateSession(t.Context(), named); err != nil {
			t.Fatal(err)
		}
		if tokens, _ := fake.counts(); tokens != tt.wantTokens {
			t.Errorf("call %d with %s: got %d token requests so far, want %d", i+1, tt.secret, tokens, tt.wantTokens)
		}
	}
}
