package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"didit-sessions/internal/verification"
)

// Identity is what the gateway proved of an HTTP caller.
type Identity struct {
	RequestID    string                     // the gateway's id of the request
	Claims       map[string]json.RawMessage // a JWT's claims; nil without one
	IAM          bool                       // authorised by IAM
	IdentityPool bool                       // the IAM identity is an end user's, of a Cognito identity pool
}

// Callers says who calls over HTTP, and how that is known.
type Callers struct {
	// Identify returns what the gateway proved of the caller. Required.
	Identify func(*http.Request) Identity
	// TrustIAM makes the caller a server authorised by IAM instead of a signed-in user.
	TrustIAM bool
	// PrincipalClaim is the JWT claim that names the signed-in user; empty means sub.
	PrincipalClaim string
}

// caller names who asks, or refuses a request without proof.
func (c *Callers) caller(identity Identity) (verification.Caller, error) {
	unauthenticated := &verification.Error{Code: codeUnauthenticated}
	if c.TrustIAM {
		// Identity-pool users sign requests too; they are end users, not servers.
		if !identity.IAM || identity.IdentityPool {
			return verification.Caller{}, unauthenticated
		}
		return verification.Caller{Trusted: true}, nil
	}
	claim := c.PrincipalClaim
	if claim == "" {
		claim = "sub"
	}
	var principal string
	if json.Unmarshal(identity.Claims[claim], &principal) != nil || !usablePrincipal(principal) {
		return verification.Caller{}, unauthenticated
	}
	return verification.Caller{Principal: principal}, nil
}

// usablePrincipal refuses what API Gateway makes of lists ("[a b]") and objects (JSON), and what
// Didit could not keep apart.
func usablePrincipal(p string) bool {
	return strings.TrimSpace(p) != "" && len(p) <= verification.MostVendorData && p[0] != '[' && p[0] != '{' && !strings.ContainsRune(p, 0)
}
