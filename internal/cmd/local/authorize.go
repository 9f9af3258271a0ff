package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/awsfake"
)

// authorize returns the event's authorizer block, or API Gateway's own answer to a request without
// a proof that it accepts.
func (g *gateway) authorize(r *http.Request) (block map[string]any, refusal *awsfake.HTTPAnswer) {
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	if g.iam {
		if !strings.HasPrefix(header, "AWS4-HMAC-SHA256") {
			a := message(http.StatusForbidden, "")
			return nil, &a
		}
		return map[string]any{"iam": map[string]any{"accountId": awsfake.Account, "cognitoIdentity": nil,
			"userArn": "arn:aws:iam::" + awsfake.Account + ":user/local"}}, nil
	}
	token := header
	if scheme, rest, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		a := unauthorized("")
		return nil, &a
	}
	claims, problem := g.claims(token)
	if problem != "" {
		a := unauthorized(problem)
		return nil, &a
	}
	return map[string]any{"jwt": map[string]any{"claims": claims, "scopes": nil}}, nil
}

// unauthorized is API Gateway's answer to a token that is missing or refused. It documents the form
// of the header and the words for a wrong audience (API Gateway: Troubleshooting issues with HTTP
// API JWT authorizers); the words for the other reasons are ours.
func unauthorized(problem string) awsfake.HTTPAnswer {
	a := message(http.StatusUnauthorized, "")
	a.Header.Set("Www-Authenticate", "Bearer")
	if problem != "" {
		a.Header.Set("Www-Authenticate", fmt.Sprintf(`Bearer scope="" error="invalid_token" error_description=%q`, problem))
	}
	return a
}

// claims returns the claims of a token as API Gateway passes them on, or why it refuses the token.
// The signature is not verified. Unless an issuer is configured, every word is the token of a user
// of that name.
func (g *gateway) claims(token string) (claims map[string]string, problem string) {
	values, ok := decodeJWT(token)
	switch {
	case !ok && g.edge.issuer == "" && !strings.ContainsAny(token, " \t"):
		return map[string]string{"sub": token, g.principalClaim: token}, ""
	case !ok:
		return nil, "the token is not a JWT"
	case g.edge.issuer != "":
		if problem := g.edge.refuse(values, time.Now()); problem != "" {
			return nil, problem
		}
	}
	claims = make(map[string]string, len(values))
	for name, value := range values {
		claims[name] = fmt.Sprint(value)
	}
	return claims, ""
}

// decodeJWT reads the claims of a JWT without verifying it. Printed, they are what API Gateway
// makes of them: numbers as the token has them, arrays as [a b], objects as map[k:v].
func decodeJWT(token string) (claims map[string]any, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	decoder := json.NewDecoder(strings.NewReader(string(payload)))
	decoder.UseNumber()
	return claims, err == nil && decoder.Decode(&claims) == nil && claims != nil
}

// refuse returns why API Gateway refuses a token with these claims, or "" (API Gateway: Control
// access to HTTP APIs with JWT authorizers).
func (e edge) refuse(claims map[string]any, now time.Time) string {
	seconds := func(name string) (int64, bool) {
		n, _ := claims[name].(json.Number)
		f, err := n.Float64()
		return int64(f), err == nil
	}
	audience, ok := claims["aud"]
	if !ok {
		audience = claims["client_id"]
	}
	many, _ := audience.([]any)
	expires, hasExpiry := seconds("exp")
	begins, _ := seconds("nbf")
	switch {
	case claims["iss"] != e.issuer:
		return "the token does not have a valid issuer"
	case !slices.ContainsFunc(e.audiences, func(want string) bool { return audience == any(want) || slices.Contains(many, any(want)) }):
		return "the token does not have a valid audience"
	case !hasExpiry || expires <= now.Unix():
		return "the token has expired"
	case begins > now.Unix():
		return "the token is not valid yet"
	}
	return ""
}
