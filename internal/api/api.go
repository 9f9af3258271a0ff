// Package api is the public contract: the routes, the JSON of both doors, who the caller is, and
// how failures are told. It refuses to know Lambda: over HTTP it is an [http.Handler], and the
// direct door is a function from payload to answer.
package api

import (
	"context"
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

// CreateSession serves the operation of that name on both doors. Set its fields before first use;
// it is safe for concurrent use and must not be copied.
type CreateSession struct {
	Sessions Sessions // required
	Callers  Callers  // required for HTTP
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger

	calls callLog
}

// ServeHTTP answers POST /sessions, and everything else with 404, as API Gateway does.
func (c *CreateSession) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	identity := c.Callers.Identify(r)
	ctx, call := c.calls.begin(r.Context(), "create_session", "http", identity.RequestID)
	session, err := c.serve(r.WithContext(ctx), identity)
	call.end(ctx, c.Log, created(session, err), err)
	if err != nil {
		writeProblem(w, identity.RequestID, verification.AsError(err))
		return
	}
	w.Header().Set("Location", "sessions/"+pathSegment(session.ID))
	writeJSON(w, http.StatusCreated, "application/json", sessionJSON(session, true))
}

func created(s verification.Session, err error) outcome {
	if err != nil {
		return outcome{}
	}
	return outcome{"created", []slog.Attr{slog.String("session_id", s.ID), slog.String("status", s.Status)}}
}

func (c *CreateSession) serve(r *http.Request, identity Identity) (verification.Session, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		return verification.Session{}, &verification.Error{Code: verification.CodeNotFound}
	}
	caller, err := c.Callers.caller(identity)
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
	ctx, call := c.calls.begin(ctx, "create_session", "direct", "")
	session, includeURL, err := c.direct(ctx, payload)
	call.end(ctx, c.Log, created(session, err), err)
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
