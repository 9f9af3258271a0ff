package didittest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

// createBody is the success body of v2, the nine fields of "Didit: Creating a Verification Session" in their order,
// and, in v3, what Didit's OpenAPI 3.0.0 and "Didit: Create session" add.
type createBody struct {
	SessionID       string          `json:"session_id"`
	SessionNumber   int             `json:"session_number"`
	SessionToken    string          `json:"session_token"`
	VendorData      *string         `json:"vendor_data"`
	Metadata        json.RawMessage `json:"metadata"`
	Status          string          `json:"status"`
	WorkflowID      string          `json:"workflow_id"`
	Callback        *string         `json:"callback"`
	URL             string          `json:"url"`
	WorkflowVersion int             `json:"workflow_version,omitempty"`
	SessionKind     string          `json:"session_kind,omitempty"`
}

// create answers POST /v2/session/ and POST /v3/session/.
func (s *Server) create(c *call) answer {
	if !s.authorized(c.Request) {
		f := Forbidden
		if s.Unauthorized {
			f = Unauthorized
		}
		return s.replacement(&f)
	}
	if mediaType, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); mediaType != "application/json" {
		return detail(http.StatusUnsupportedMediaType,
			`Unsupported media type "`+c.Header.Get("Content-Type")+`" in request.`)
	}
	order, refusal := s.readOrder(c.body)
	if refusal != nil {
		return *refusal
	}
	b := s.fulfil(order, s.origin(c.Request))
	if strings.HasPrefix(c.URL.Path, "/v3/") {
		b.WorkflowVersion, b.SessionKind = 1, "user"
	}
	return jsonAnswer(http.StatusCreated, b)
}

// fulfil finds or makes the session that was ordered.
func (s *Server) fulfil(o order, origin string) createBody {
	now := s.now()
	defer s.lock()()
	v := s.sessions.reusable(owner{text(o.VendorData), o.WorkflowID})
	made := v == nil || s.NoReuse
	if made {
		v = &session{vendorData: o.VendorData, workflowID: o.WorkflowID, created: now, origin: origin}
		s.sessions.add(v, o.raw)
	} else {
		s.sessions.keep(v, o.raw)
	}
	if o.Callback != nil {
		v.callback = o.Callback
	}
	if o.Metadata != nil {
		v.metadata = o.Metadata
	}
	if o.Language != nil {
		v.language = o.Language
	}
	if made {
		s.announce(v, statusUpdated, now)
	}
	return createBody{
		SessionID: v.id, SessionNumber: v.number, SessionToken: v.token, VendorData: v.vendorData,
		Metadata: v.metadata, Status: v.status, WorkflowID: v.workflowID, Callback: v.callback, URL: v.url(origin),
	}
}

// origin is what session URLs begin with.
func (s *Server) origin(r *http.Request) string {
	switch {
	case s.BaseURL != "":
		return strings.TrimSuffix(s.BaseURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
