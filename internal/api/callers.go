package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

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
	unauthenticated := &verification.Error{Code: codeUnauthenticated}
	if c.TrustIAM {
		// Users of an identity pool sign requests too; they are end users, not servers.
		if !gateway.IAM || gateway.IdentityPool {
			return verification.Caller{}, unauthenticated
		}
		return verification.Caller{Trusted: true}, nil
	}
	var principal string
	claim := gateway.Claims[cmp.Or(c.PrincipalClaim, "sub")]
	if json.Unmarshal(claim, &principal) != nil || !usablePrincipal(principal) {
		return verification.Caller{}, unauthenticated
	}
	return verification.Caller{Principal: principal}, nil
}

// usablePrincipal reports whether a claim names one user. It rejects the text that API Gateway
// produces for arrays ("[a b]") and objects (JSON), and what Didit could not tell apart.
func usablePrincipal(p string) bool {
	return strings.TrimSpace(p) != "" && len(p) <= verification.MaxVendorData &&
		p[0] != '[' && p[0] != '{' && !strings.ContainsRune(p, 0)
}
