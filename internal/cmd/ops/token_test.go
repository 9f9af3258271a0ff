package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// Ensure that each reason for which the gateway, or the functions, refuse a token is named, and
// none where there is none, and that nothing of the user is printed.
func TestExamineToken(t *testing.T) {
	t.Parallel()
	s, err := newSigner(t)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rules := tokenRules{issuer: s.url, audiences: []string{"https://api.example.com", "client-1"}, claim: "sub",
		keys: func(ctx context.Context) (issuerKeys, error) { return readIssuer(ctx, s.url) }}
	header := map[string]any{"alg": "RS256", "kid": "one"}
	claims := map[string]any{"iss": s.url, "aud": "https://api.example.com", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "sub": secretMarker}
	with := func(base map[string]any, name string, value any) map[string]any {
		changed := maps.Clone(base)
		changed[name] = value
		if value == nil {
			delete(changed, name)
		}
		return changed
	}
	good := s.token(t, header, claims)
	for _, tt := range []struct {
		name, token string
		want        []string // prefixes of the findings
	}{
		{"good", good, []string{"nothing is wrong"}},
		{"with the scheme", "Bearer " + good + "\n", []string{"nothing is wrong"}},
		{"client id", s.token(t, header, with(with(claims, "aud", nil), "client_id", "client-1")), []string{"nothing is wrong"}},
		{"several audiences", s.token(t, header, with(claims, "aud", []string{"x", "client-1"})), []string{"nothing is wrong"}},
		{"numeric user", s.token(t, header, with(claims, "sub", 7)), []string{"nothing is wrong"}},
		{"another issuer", s.token(t, header, with(claims, "iss", s.url+"/")), []string{fmt.Sprintf("issuer: the claim iss is %q, JwtIssuer is %q", s.url+"/", s.url)}},
		{"another audience", s.token(t, header, with(claims, "aud", "https://other.example")), []string{`audience: the claims aud and client_id are ["https://other.example"]`}},
		{"no audience", s.token(t, header, with(claims, "aud", nil)), []string{"audience: "}},
		{"expired", s.token(t, header, with(claims, "exp", now.Add(-90*time.Second).Unix())), []string{"expiry: it expired 1 min 30 s ago"}},
		{"no expiry", s.token(t, header, with(claims, "exp", nil)), []string{"expiry: it has no claim exp"}},
		{"not yet", s.token(t, header, with(claims, "nbf", now.Add(time.Minute).Unix())), []string{"expiry: it is valid only in 1 min 0 s (claim nbf)"}},
		{"algorithm", s.token(t, with(header, "alg", "ES256"), claims), []string{`algorithm: it is signed with "ES256"`}},
		{"no algorithm", s.token(t, with(header, "alg", "none"), claims), []string{`algorithm: it is signed with "none"`}},
		{"key", s.token(t, with(header, "kid", "three"), claims), []string{"signature: the issuer does not publish the key"}},
		{"changed", good[:len(good)-8] + "AAAAAAAA", []string{"signature: it does not match"}},
		{"no user", s.token(t, header, with(claims, "sub", nil)), []string{"claim: sub is not in the token"}},
		{"empty user", s.token(t, header, with(claims, "sub", "")), []string{"claim: sub is empty"}},
		{"array", s.token(t, header, with(claims, "sub", []string{"a"})), []string{"claim: sub is an array or an object"}},
		{"map", s.token(t, header, with(claims, "sub", "map[a:b]")), []string{"claim: sub looks like an array"}},
		{"space", s.token(t, header, with(claims, "sub", " a")), []string{"claim: sub begins or ends with white space"}},
		{"several", s.token(t, header, map[string]any{"sub": "a"}), []string{"issuer: ", "audience: ", "expiry: "}},
		{"opaque", "abcdef" + secretMarker, []string{"it is no signed JWT"}},
		{"encrypted", "a.b.c.d.e", []string{"it is no signed JWT"}},
		{"cut", good[:20] + "." + "x.y", []string{"it is no JWT: its parts are not JSON"}},
		{"long", good + strings.Repeat("x", maxToken), []string{"it is over 10 KiB"}},
	} {
		found := examineToken(t.Context(), tt.token, rules, now)
		match := len(found) == len(tt.want)
		for i, f := range found {
			match = match && strings.HasPrefix(f.Text, tt.want[i]) && (f.Status == statusOK) == strings.HasPrefix(f.Text, "nothing")
		}
		if !match {
			t.Errorf("%s: got %v, want %q", tt.name, found, tt.want)
		}
		if text := fmt.Sprint(found); strings.Contains(text, secretMarker) {
			t.Errorf("%s: the user is in %s", tt.name, text)
		}
	}
}

func TestReadIssuer(t *testing.T) {
	t.Parallel()
	s, err := newSigner(t)
	if err != nil {
		t.Fatal(err)
	}
	s.ec = true
	if keys, err := readIssuer(t.Context(), s.url); err != nil || len(keys.rsa) != 1 || keys.others != 1 {
		t.Errorf("got %d keys and %d others, %v; want 1 of each", len(keys.rsa), keys.others, err)
	}
	for issuer, want := range map[string]string{
		s.url + "/": "the issuer calls itself", s.url + "/nowhere": "discovery document: status 404",
		"http://127.0.0.1:1": "is the network up?", "::": "is no URL", "": "discovery document",
	} {
		if _, err := readIssuer(t.Context(), issuer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", issuer, err, want)
		}
	}
}
