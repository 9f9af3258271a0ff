package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"didit-sessions/internal/verification"
)

// RequestContext is what API Gateway knows of a request, proof of its caller included: the part of
// the payload's requestContext that the API uses. It prints as redacted.
type RequestContext struct {
	RequestID    string                     // API Gateway's id of the request
	Claims       map[string]json.RawMessage // a JWT's claims by name; nil without a JWT
	IAM          bool                       // the caller is authorised by IAM
	IdentityPool bool                       // the IAM identity is an end user's, of a Cognito identity pool
}

// redacted replaces what is known of the caller.
const redacted = "[redacted]"

// Format prints a fixed word for every verb: claims are personal data.
func (RequestContext) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a fixed word.
func (RequestContext) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (RequestContext) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Callers decides who makes a request over HTTP.
type Callers struct {
	// RequestContext returns what API Gateway knows of the request. Required.
	RequestContext func(*http.Request) RequestContext
	// TrustIAM makes the caller a server authorised by IAM instead of a signed-in user.
	TrustIAM bool
	// PrincipalClaim is the JWT claim that names the signed-in user; empty means sub.
	PrincipalClaim string
}

// caller returns who makes the request, or an error for a request without proof.
func (c *Callers) caller(gateway RequestContext) (verification.Caller, error) {
	if c.TrustIAM {
		// Users of an identity pool sign requests too; they are end users, not servers.
		if !gateway.IAM || gateway.IdentityPool {
			return verification.Caller{}, &verification.Error{Code: codeUnauthenticated}
		}
		return verification.Caller{Trusted: true}, nil
	}
	name := cmp.Or(c.PrincipalClaim, "sub")
	claim, ok := gateway.Claims[name]
	if !ok {
		return verification.Caller{}, &verification.Error{Code: codeUnauthenticated, Reason: "the request has no claim " + name}
	}
	var principal string
	problem := "is not a string"
	if json.Unmarshal(claim, &principal) == nil {
		problem = principalProblem(principal)
	}
	if problem != "" {
		return verification.Caller{}, &verification.Error{
			Code: codeUnauthenticated, Detail: "The claim " + name + " of the access token " + problem + ".",
			Reason: "the claim " + name + " " + problem}
	}
	return verification.Caller{Principal: principal}, nil
}

// principalProblem returns why a claim cannot name one user, or "". What readers of JSON, API
// Gateway or Didit may turn into the same text would make one user of several: lone surrogates
// become U+FFFD, arrays "[a b]", objects "map[k:v]" or JSON, and null "<nil>".
func principalProblem(p string) string {
	trimmed := strings.TrimSpace(p)
	switch {
	case trimmed == "", p == "<nil>":
		return "is empty"
	case len(p) > verification.MaxVendorData:
		return "is longer than " + strconv.Itoa(verification.MaxVendorData) + " bytes"
	case strings.ContainsFunc(p, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return "contains a control character or U+FFFD"
	case strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "map["):
		return "is an array or an object"
	case trimmed != p:
		return "begins or ends with white space"
	}
	return ""
}
