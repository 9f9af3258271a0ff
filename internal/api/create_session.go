package api

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"didit-sessions/internal/verification"
)

// Sessions creates sessions; [*verification.Creator] implements it.
type Sessions interface {
	Create(ctx context.Context, r verification.CreateRequest) (verification.Session, error)
}

// CreateSession serves POST /sessions and the direct invocation of the same operation. Set its
// fields before first use; it is safe for concurrent use and must not be copied.
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
	gateway := c.Callers.RequestContext(r)
	ctx, current := c.calls.begin(r.Context(), "create_session", "http", gateway.RequestID)
	session, err := c.serve(r.WithContext(ctx), gateway)
	current.end(ctx, c.Log, createOutcome(session, err), err)
	if err != nil {
		writeProblem(w, gateway.RequestID, verification.AsError(err))
		return
	}
	w.Header().Set("Location", "sessions/"+pathSegment(session.ID))
	writeJSON(w, http.StatusCreated, "application/json", sessionJSON(session, true))
}

func createOutcome(s verification.Session, err error) outcome {
	if err != nil {
		return outcome{}
	}
	return outcome{"created", []slog.Attr{slog.String("session_id", s.ID), slog.String("status", s.Status)}}
}

func (c *CreateSession) serve(r *http.Request, gateway RequestContext) (verification.Session, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		return verification.Session{}, &verification.Error{Code: verification.CodeNotFound}
	}
	caller, err := c.Callers.caller(gateway)
	if err != nil {
		return verification.Session{}, err
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return verification.Session{}, &verification.Error{Code: codeUnsupportedMedia}
	}
	body, err := readBody(r, maxBody, "")
	if err != nil {
		return verification.Session{}, err
	}
	fields, invalid, err := decodeObject(body)
	if err != nil {
		return verification.Session{}, err
	}
	return c.Sessions.Create(r.Context(), verification.CreateRequest{Caller: caller, Fields: fields, Invalid: invalid})
}

// readBody reads a body of up to max bytes; tooLarge is the sentence for a longer one, or empty for
// the usual one.
func readBody(r *http.Request, max int64, tooLarge string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, max+1))
	if err != nil {
		return nil, malformed("The body is not the base64 that the gateway announced.")
	}
	if int64(len(body)) > max {
		return nil, &verification.Error{Code: codePayloadTooLarge, Detail: tooLarge}
	}
	return body, nil
}

// Invoke answers a direct invocation: the same JSON as over HTTP, and include_url beside it. The
// caller is trusted, because IAM allowed the invocation. Its errors have a method ErrorType, which
// returns the name on which workflows match.
func (c *CreateSession) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, current := c.calls.begin(ctx, "create_session", "direct", "")
	session, includeURL, err := c.invoke(ctx, payload)
	current.end(ctx, c.Log, createOutcome(session, err), err)
	if err != nil {
		return nil, newDirectError(verification.AsError(err))
	}
	return verification.EncodeJSON(sessionJSON(session, includeURL))
}

func (c *CreateSession) invoke(ctx context.Context, payload []byte) (s verification.Session, includeURL bool, err error) {
	fields, invalid, err := decodePayload(payload)
	if err != nil {
		return s, false, err
	}
	includeURL = true
	fields.Members = slices.DeleteFunc(fields.Members, func(m verification.Member) bool {
		if m.Name != "include_url" {
			return false
		}
		switch m.Value.Kind {
		case verification.KindNull:
		case verification.KindBool:
			includeURL = m.Value.Bool
		default:
			invalid = append(invalid, verification.FieldError{Field: m.Name, Message: "must be a boolean."})
		}
		return true
	})
	s, err = c.Sessions.Create(ctx, verification.CreateRequest{
		Caller: verification.Caller{Trusted: true}, Fields: fields, Invalid: invalid})
	return s, includeURL, err
}

// isJSON reports whether a content type is application/json in UTF-8, or missing.
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
