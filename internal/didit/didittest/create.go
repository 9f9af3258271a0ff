package didittest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

// createBody is the success body of v2, the nine fields of "Didit: Creating a Verification
// Session" in their order, and, in v3, what Didit's OpenAPI 3.0.0 and "Didit: Create session" add.
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
		return s.refusal(Forbidden)
	}
	if mediaType, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); mediaType != "application/json" {
		return detail(http.StatusUnsupportedMediaType,
			`Unsupported media type "`+c.Header.Get("Content-Type")+`" in request.`)
	}
	order, refusal := s.readOrder(c.body)
	if refusal != nil {
		return *refusal
	}
	a := s.fulfil(order, s.origin(c.Request))
	if strings.HasPrefix(c.URL.Path, "/v3/") {
		a.WorkflowVersion, a.SessionKind = 1, "user"
	}
	return jsonAnswer(http.StatusCreated, a)
}

// refusal answers a request without valid credentials: as the given fault, or as [Unauthorized]
// where [Server.Unauthorized] is set.
func (s *Server) refusal(f Fault) answer {
	if s.Unauthorized {
		f = Unauthorized
	}
	return s.replacement(&f)
}

// fulfil reuses or creates the session that was ordered.
func (s *Server) fulfil(o order, origin string) createBody {
	now := s.now()
	defer s.lock()()
	v := s.sessions.reusable(text(o.vendorData), o.workflowID)
	isNew := v == nil || s.NoReuse
	if isNew {
		v = &session{vendorData: o.vendorData, workflowID: o.workflowID, created: now, origin: origin}
		s.sessions.add(v, o.body)
	} else {
		s.sessions.setRequest(v, o.body)
	}
	if o.callback != nil {
		v.callback = o.callback
	}
	if o.metadata != nil {
		v.metadata = o.metadata
	}
	if o.language != nil {
		v.language = o.language
	}
	if isNew {
		s.announce(v, statusUpdated, now)
	}
	return createBody{
		SessionID: v.id, SessionNumber: v.number, SessionToken: v.token, VendorData: v.vendorData,
		Metadata: v.metadata, Status: v.status, WorkflowID: v.workflowID, Callback: v.callback, URL: v.url(origin),
	}
}

// origin returns what session URLs begin with.
func (s *Server) origin(r *http.Request) string {
	switch {
	case s.BaseURL != "":
		return strings.TrimSuffix(s.BaseURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
