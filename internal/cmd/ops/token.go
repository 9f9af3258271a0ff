package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	// The hashes of the algorithms.
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// maxToken is about what API Gateway passes on in a header, in bytes.
const maxToken = 10 << 10

// tokenRules are what the gateway and the functions want of a token. An empty field is not checked.
type tokenRules struct {
	issuer    string
	audiences []string
	claim     string // that becomes vendor_data
	keys      func(context.Context) (issuerKeys, error)
}

// userToken is a token as far as it can be read. It is a secret, and so are its claims.
type userToken struct {
	header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	claims    map[string]json.RawMessage
	signed    string // what the signature is over
	signature []byte
}

// parseToken reads a token. Its errors quote nothing of it.
func parseToken(text string) (t userToken, err error) {
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "Bearer "))
	parts := strings.Split(text, ".")
	switch {
	case len(text) > maxToken:
		return t, errors.New("it is over 10 KiB, which API Gateway does not take in a header")
	case len(parts) != 3:
		return t, errors.New("it is no signed JWT: that has three parts with dots between them; an opaque access token cannot be used")
	}
	t.signed = parts[0] + "." + parts[1]
	header, errHeader := base64.RawURLEncoding.DecodeString(parts[0])
	claims, errClaims := base64.RawURLEncoding.DecodeString(parts[1])
	t.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	if errHeader != nil || errClaims != nil || err != nil || json.Unmarshal(header, &t.header) != nil || json.Unmarshal(claims, &t.claims) != nil {
		return t, errors.New("it is no JWT: its parts are not JSON in base64url; was it cut when it was copied?")
	}
	return t, nil
}

// lookAtToken explains why the gateway refuses a token, which its 401 does not say in the body.
func (e *examination) lookAtToken(ctx context.Context) []finding {
	text, err := e.ask(ctx, askUserToken)
	if err != nil || text == "" || !e.known(askUserToken) {
		return nil
	}
	rules := tokenRules{claim: "sub"}
	if e.stack != nil {
		if e.stack.parameter("CallerAuth") == "iam" {
			return []finding{fail("sign the request with AWS credentials, or deploy with CallerAuth=jwt", "this deployment takes no tokens: CallerAuth is iam")}
		}
		rules.issuer, rules.audiences = e.stack.parameter("JwtIssuer"), split(e.stack.parameter("JwtAudience"))
		if claim := e.stack.parameter("PrincipalClaim"); claim != "" {
			rules.claim = claim
		}
		rules.keys = func(ctx context.Context) (issuerKeys, error) { return readIssuer(ctx, rules.issuer) }
	}
	return examineToken(ctx, text, rules, e.now())
}

// examineToken returns everything that is wrong with a token, in the order in which API Gateway
// looks (API Gateway: JWT authorizers).
func examineToken(ctx context.Context, text string, rules tokenRules, now time.Time) (found []finding) {
	t, err := parseToken(text)
	if err != nil {
		return []finding{fail("", "%v", err)}
	}
	add := func(fix, format string, args ...any) { found = append(found, fail(fix, format, args...)) }
	if f := t.checkSignature(ctx, rules); f != nil {
		found = append(found, *f)
	}
	if issuer, _ := t.text("iss"); rules.issuer != "" && issuer != rules.issuer {
		add("set JwtIssuer to the claim iss exactly, or use a token of that issuer", "issuer: the claim iss is %.200q, JwtIssuer is %q", issuer, rules.issuer)
	}
	if got := append(t.list("aud"), t.list("client_id")...); len(rules.audiences) > 0 &&
		!slices.ContainsFunc(got, func(a string) bool { return slices.Contains(rules.audiences, a) }) {
		add("add it to JwtAudience, or ask the provider for a token for this API",
			"audience: the claims aud and client_id are %.200q, JwtAudience is %q", got, rules.audiences)
	}
	if at, has := t.time("exp"); !has {
		add("", "expiry: it has no claim exp, which API Gateway demands")
	} else if !now.Before(at) {
		add("sign in again", "expiry: it expired %s ago", short(now.Sub(at)))
	}
	for _, claim := range []string{"nbf", "iat"} {
		if at, has := t.time(claim); has && at.After(now) {
			add("look at the provider's clock", "expiry: it is valid only in %s (claim %s)", short(at.Sub(now)), claim)
		}
	}
	if problem := t.checkPrincipal(rules.claim); problem != "" {
		add("set PrincipalClaim to a claim that is a string, unique and unchangeable", "claim: %s %s", rules.claim, problem)
	}
	if len(found) == 0 {
		return []finding{ok("nothing is wrong with it")}
	}
	return found
}

// hashes are those of the algorithms that API Gateway takes.
var hashes = map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}

// checkSignature returns what is wrong with algorithm, key or signature, or nil.
func (t userToken) checkSignature(ctx context.Context, rules tokenRules) *finding {
	hash, known := hashes[t.header.Algorithm]
	if !known {
		f := fail("let the provider sign with RS256", "algorithm: it is signed with %.20q; API Gateway takes RS256, RS384 and RS512", t.header.Algorithm)
		return &f
	}
	if rules.keys == nil {
		return nil
	}
	keys, err := rules.keys(ctx)
	if err != nil {
		f := wrong("", fmt.Errorf("signature: not checked, %w", err))
		return &f
	}
	key := keys.rsa[t.header.KeyID]
	if key == nil {
		f := fail("use a token of this issuer; after a rotation of its keys, API Gateway may need two hours",
			"signature: the issuer does not publish the key that it is signed with (kid)")
		return &f
	}
	sum := hash.New()
	sum.Write([]byte(t.signed))
	if rsa.VerifyPKCS1v15(key, hash, sum.Sum(nil), t.signature) != nil {
		f := fail("", "signature: it does not match the issuer's key; was the token changed or cut?")
		return &f
	}
	return nil
}

// checkPrincipal returns what is wrong with the claim that names the user. It does not quote it.
func (t userToken) checkPrincipal(claim string) string {
	raw := bytes.TrimSpace(t.claims[claim])
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "is not in the token"
	case raw[0] == '[' || raw[0] == '{':
		return "is an array or an object, not a string"
	case raw[0] != '"':
		return "" // API Gateway writes numbers and booleans as strings
	case json.Unmarshal(raw, &text) != nil || strings.TrimSpace(text) == "":
		return "is empty"
	case strings.TrimSpace(text) != text:
		return "begins or ends with white space"
	case strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "map["):
		return "looks like an array or an object"
	}
	return ""
}

// text returns a claim that is a string.
func (t userToken) text(claim string) (text string, ok bool) {
	return text, json.Unmarshal(t.claims[claim], &text) == nil
}

// list returns a claim that is a string or an array of strings.
func (t userToken) list(claim string) []string {
	if text, ok := t.text(claim); ok {
		return []string{text}
	}
	var list []string
	_ = json.Unmarshal(t.claims[claim], &list)
	return list
}

// time returns a claim that is a time.
func (t userToken) time(claim string) (time.Time, bool) {
	var seconds float64
	if t.claims[claim] == nil || json.Unmarshal(t.claims[claim], &seconds) != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
