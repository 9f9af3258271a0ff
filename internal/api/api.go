// Package api is the public contract: the routes, the JSON of both doors, who the caller is, and
// how failures are told. It refuses to know Lambda: over HTTP it is an [http.Handler], and the
// direct door is a function from payload to answer.
package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"didit-sessions/internal/verification"
)

// Sessions is the domain's part in this package; [*verification.Service] is one.
type Sessions interface {
	Create(ctx context.Context, r verification.CreateRequest) (verification.Session, error)
}

// Identity is what the gateway proved of an HTTP caller.
type Identity struct {
	RequestID    string                     // the gateway's id of the request
	Claims       map[string]json.RawMessage // a JWT's claims; nil without one
	IAM          bool                       // authorised by IAM
	IdentityPool bool                       // the IAM identity is an end user's, of a Cognito identity pool
}

// CreateSession serves the operation of that name on both doors. Set its fields before first use;
// it is safe for concurrent use and must not be copied.
type CreateSession struct {
	Sessions Sessions // required
	// Identify returns what the gateway proved of the caller. Required for HTTP.
	Identify func(*http.Request) Identity
	// TrustIAM makes the caller over HTTP a server authorised by IAM instead of a signed-in user.
	TrustIAM bool
	// PrincipalClaim is the JWT claim that names the signed-in user; empty means sub.
	PrincipalClaim string
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger

	calls callLog
}

// ServeHTTP answers POST /sessions, and everything else with 404, as API Gateway does.
func (c *CreateSession) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	identity := c.Identify(r)
	ctx, call := c.calls.begin(r.Context(), "http", identity.RequestID)
	session, err := c.serve(r.WithContext(ctx), identity)
	call.end(ctx, c.Log, session, err)
	if err != nil {
		writeProblem(w, identity.RequestID, verification.AsError(err))
		return
	}
	w.Header().Set("Location", "sessions/"+pathSegment(session.ID))
	writeJSON(w, http.StatusCreated, "application/json", sessionJSON(session, true))
}

func (c *CreateSession) serve(r *http.Request, identity Identity) (verification.Session, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		return verification.Session{}, &verification.Error{Code: codeNotFound}
	}
	caller, err := c.caller(identity)
	if err != nil {
		return verification.Session{}, err
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return verification.Session{}, &verification.Error{Code: codeUnsupportedMedia}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil {
		return verification.Session{}, malformed("The body is not the base64 that the gateway announced.")
	}
	if len(body) > bodyLimit {
		return verification.Session{}, &verification.Error{Code: codePayloadTooLarge}
	}
	fields, invalid, err := decodeObject(body)
	if err != nil {
		return verification.Session{}, err
	}
	return c.Sessions.Create(r.Context(), verification.CreateRequest{Caller: caller, Fields: fields, Invalid: invalid})
}

// Direct answers a direct invocation: the same JSON as over HTTP, with include_url beside it.
// The invoker is trusted, because IAM let it in.
func (c *CreateSession) Direct(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, call := c.calls.begin(ctx, "direct", "")
	session, includeURL, err := c.direct(ctx, payload)
	call.end(ctx, c.Log, session, err)
	if err != nil {
		return nil, newDirectError(verification.AsError(err))
	}
	return encode(sessionJSON(session, includeURL))
}

func (c *CreateSession) direct(ctx context.Context, payload []byte) (session verification.Session, includeURL bool, err error) {
	if len(payload) > bodyLimit {
		return session, false, malformed("The payload may have at most 4 MiB.")
	}
	fields, invalid, err := decodeObject(payload)
	if err != nil {
		return session, false, err
	}
	includeURL = true
	kept := fields.Members[:0:0]
	for _, m := range fields.Members {
		switch {
		case m.Name != "include_url":
			kept = append(kept, m)
		case m.Value.Kind == verification.Flag:
			includeURL = m.Value.Flag
		case m.Value.Kind != verification.Null:
			invalid = append(invalid, verification.FieldError{Field: m.Name, Message: "must be true or false."})
		}
	}
	fields.Members = kept
	session, err = c.Sessions.Create(ctx, verification.CreateRequest{
		Caller: verification.Caller{Trusted: true}, Fields: fields, Invalid: invalid})
	return session, includeURL, err
}

// caller names who asks, or refuses a request without proof.
func (c *CreateSession) caller(identity Identity) (verification.Caller, error) {
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

// isJSON takes application/json in UTF-8, and no content type at all.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	charset := strings.ToLower(parameters["charset"])
	return media == "application/json" && (charset == "" || charset == "utf-8" || charset == "utf8")
}
