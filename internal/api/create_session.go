package api

import (
	"bytes"
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
	Create(ctx context.Context, r verification.CreateRequest) (verification.Created, error)
}

// CreateSession serves POST /sessions and the direct invocation of the same operation. Set its
// fields before first use; it is safe for concurrent use and must not be copied.
type CreateSession struct {
	Sessions Sessions // required
	Callers  Callers  // required for HTTP
	// MaxRaw is [verification.Policy.MaxRaw] of the domain's policy; nil means that of the zero
	// policy.
	MaxRaw func(name string) (maxBytes int)
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
	status := http.StatusCreated
	if session.Known {
		status = http.StatusOK
	}
	document := sessionJSON(session.Session, true)
	if format, _ := qrWanted(r.URL.RawQuery); format != "" {
		if document.QR, err = qrCode(session.URL, format); err != nil {
			LogRecovered(c.Log)(ctx, err) // the session exists, and its URL says the same
		}
	}
	writeJSON(w, status, "application/json", document)
}

func (c *CreateSession) maxRaw() func(name string) int {
	if c.MaxRaw == nil {
		return verification.Policy{}.MaxRaw
	}
	return c.MaxRaw
}

func createOutcome(s verification.Created, err error) outcome {
	if err != nil {
		var known outcome
		if session := verification.AsError(err).Session; session != nil {
			known.attributes = []slog.Attr{slog.String("session_id", session.SessionID), slog.String("status", session.Status)}
		}
		return known
	}
	code := "created"
	if s.Known {
		code = "reused"
	}
	return outcome{code, append(sessionAttributes(s.ID), slog.String("status", s.Status))}
}

func (c *CreateSession) serve(r *http.Request, gateway RequestContext) (verification.Created, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		return verification.Created{}, noRoute()
	}
	caller, err := c.Callers.caller(gateway)
	if err != nil {
		return verification.Created{}, err
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return verification.Created{}, &verification.Error{Code: codeUnsupportedMedia}
	}
	if !isIdentity(r.Header.Values("Content-Encoding")) {
		return verification.Created{}, &verification.Error{Code: codeUnsupportedMedia,
			Detail: "The body has a Content-Encoding. Send it as it is, without that header."}
	}
	body, err := readBody(r, maxBody, "")
	if err != nil {
		return verification.Created{}, err
	}
	fields, invalid, err := decodeObject(body, c.maxRaw())
	if err != nil {
		return verification.Created{}, err
	}
	_, wrong := qrWanted(r.URL.RawQuery)
	return c.Sessions.Create(r.Context(), verification.CreateRequest{Caller: caller, Fields: fields, Invalid: append(invalid, wrong...)})
}

// readBody reads a body of up to limit bytes; tooLarge is the sentence for a longer one, or empty
// for the usual one.
func readBody(r *http.Request, limit int64, tooLarge string) ([]byte, error) {
	// One allocation: a body can be a large part of the memory.
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), limit+1)+bytes.MinRead))
	if _, err := body.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, malformed("The body is not the base64 that the gateway announced.")
	}
	r.Body = http.NoBody // releases the text that it was read from
	if int64(body.Len()) > limit {
		return nil, &verification.Error{Code: codePayloadTooLarge, Detail: tooLarge}
	}
	return body.Bytes(), nil
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
	return verification.EncodeJSON(sessionJSON(session.Session, includeURL))
}

func (c *CreateSession) invoke(ctx context.Context, payload []byte) (s verification.Created, includeURL bool, err error) {
	fields, invalid, err := decodePayload(payload, c.maxRaw())
	if err != nil {
		return s, false, err
	}
	const own = "include_url"
	includeURL = true
	fields.Members = slices.DeleteFunc(fields.Members, func(m verification.Member) bool {
		if m.Name != own {
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
		Caller: verification.Caller{Trusted: true}, Fields: fields, Invalid: invalid, DoorFields: []string{own}})
	return s, includeURL, err
}

// isIdentity reports whether a body is sent as it is, by the values of Content-Encoding.
func isIdentity(encodings []string) bool {
	for coding := range strings.SplitSeq(strings.Join(encodings, ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return false
		}
	}
	return true
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
