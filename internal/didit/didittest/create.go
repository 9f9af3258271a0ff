package didittest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
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
	if !s.authorized(c.Request, "sessions:write") {
		return Forbidden.answer()
	}
	if mediaType(c.Request) != "application/json" {
		return detail(http.StatusUnsupportedMediaType,
			`Unsupported media type "`+c.Header.Get("Content-Type")+`" in request.`)
	}
	o, refusal := readOrder(c.body)
	if refusal != nil {
		return *refusal
	}
	for _, refuse := range []func(order) *answer{s.refuseDomain, s.refuseScenario} {
		if refusal := refuse(o); refusal != nil {
			return *refusal
		}
	}
	a := s.fulfil(o, s.origin(c.Request))
	if strings.HasPrefix(c.URL.Path, "/v3/") {
		a.WorkflowVersion, a.SessionKind = 1, "user"
	}
	return jsonAnswer(http.StatusCreated, a)
}

// fulfil reuses or creates the session that was ordered.
func (s *Server) fulfil(o order, origin string) createBody {
	now := s.now()
	defer s.lock()()
	v := s.sessions.reusable(text(o.vendorData), o.workflowID)
	if v == nil || s.NoReuse {
		v = &session{order: o, created: now, origin: origin}
		s.sessions.add(v)
		s.announce(v, statusUpdated, now)
		s.play(v)
	} else {
		s.sessions.bytes += len(o.body) - len(v.body)
		v.body, v.callback, v.language = o.body, cmp.Or(o.callback, v.callback), cmp.Or(o.language, v.language)
		if o.metadata != nil {
			v.metadata = o.metadata
		}
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

// An order is the body of a create request, checked.
type order struct {
	workflowID                     string
	vendorData, callback, language *string         // nil if not sent
	scenario                       *string         // nil if not sent
	metadata                       json.RawMessage // nil if not sent
	body                           json.RawMessage
}

// readOrder checks the body as Didit does or, where Didit publishes no rule, as the framework under
// it does. The refusal, if any, reports all wrong fields at once. Unknown fields are ignored, and
// so is a bad phone number.
func readOrder(body []byte) (o order, refusal *answer) {
	refuse := func(problem any) (order, *answer) {
		a := jsonAnswer(http.StatusBadRequest, problem)
		return order{}, &a
	}
	if len(body) == 0 {
		body = []byte("{}") // the framework reads no body as no data
	}
	var in object
	err := json.Unmarshal(body, &in)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || err == nil && in == nil {
		return refuse(report{"non_field_errors": list(notADictionary)})
	}
	if err != nil {
		return refuse(report{"detail": "JSON parse error - " + err.Error()})
	}
	wrong := report{}
	texts := in.texts(sessionFields, wrong)
	o = order{
		workflowID: in.workflow(wrong), body: bytes.Clone(body),
		vendorData: texts["vendor_data"], callback: texts["callback"], language: texts["language"],
		scenario: texts["sandbox_scenario"],
	}
	if in.has("metadata") {
		o.metadata = in["metadata"]
	}
	in.nested("contact_details", wrong, checkContact)
	in.nested("expected_details", wrong, checkExpected)
	if len(wrong) > 0 {
		return refuse(wrong)
	}
	return o, nil
}
