package didittest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxControlBody is the largest body that the control API reads, 1 MiB.
const maxControlBody = 1 << 20

// A control is a route of the control API. Its work returns the answer's body; an error becomes
// {"error":"…"}.
type control struct {
	pattern string
	status  int // of success
	work    func(*http.Request) (any, error)
}

// controls are the routes of the control API.
func (s *Server) controls() []control {
	return []control{
		{"GET /simulator/faults", 200, withoutBody(s.listFaults)},
		{"POST /simulator/faults", 201, withBody(s.postFault)},
		{"DELETE /simulator/faults", 200, withoutBody(s.deleteFaults)},
		{"GET /simulator/sessions", 200, withoutBody(s.listSessions)},
		{"POST /simulator/sessions/{id}/status", 200, withBody(s.postStatus)},
		{"POST /simulator/sessions/{id}/data", 200, withBody(s.postData)},
		{"GET /simulator/requests", 200, withoutBody(s.listRequests)},
		{"GET /simulator/webhook", 200, withoutBody(s.getWebhook)},
		{"POST /simulator/webhook", 200, withBody(s.postWebhook)},
		{"POST /simulator/webhook/quirks", 201, withBody(s.postQuirk)},
		{"DELETE /simulator/webhook/quirks", 200, withoutBody(s.deleteQuirks)},
		{"GET /simulator/deliveries", 200, withoutBody(s.listDeliveries)},
		{"POST /simulator/deliveries/{event_id}/resend", 200, withBody(s.postResend)},
	}
}

func (c control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
	status := c.status
	body, err := c.work(r)
	if err != nil {
		status = http.StatusBadRequest
		if errors.Is(err, ErrUnknownSession) || errors.Is(err, ErrUnknownEvent) {
			status = http.StatusNotFound
		}
		body = map[string]string{"error": strings.TrimPrefix(err.Error(), "didittest: ")}
	}
	a := jsonAnswer(status, body)
	a.header.Set("Cache-Control", "no-store")
	a.send(w)
}

// withoutBody returns the work of a route whose requests have no body.
func withoutBody(work func() any) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) { return work(), nil }
}

// withBody returns the work of a route whose requests have a body, in the form of a T.
func withBody[T any](work func(r *http.Request, body T) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var body T
		if err := readControl(r, &body); err != nil {
			return nil, err
		}
		return work(r, body)
	}
}

// readControl decodes the body of a control request. It requires the JSON media type, which a page
// of another origin cannot send without a preflight. Errors begin with the name of the wrong field.
func readControl(r *http.Request, v any) error {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return errors.New("header Content-Type: want application/json")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return errors.New("body: more than one JSON document")
		}
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fmt.Errorf("body: more than %d bytes", maxControlBody)
	case errors.As(err, &wrongType):
		return fmt.Errorf("%s: wrong type, got JSON %s", cmp.Or(wrongType.Field, "body"), wrongType.Value)
	}
	return errors.New("body: " + strings.TrimPrefix(err.Error(), "json: "))
}

func (s *Server) listSessions() any { return map[string]any{"sessions": s.Sessions()} }

func (s *Server) postStatus(r *http.Request, body struct {
	Status string `json:"status"`
}) (any, error) {
	err := s.SetStatus(r.PathValue("id"), body.Status)
	if errors.Is(err, ErrUnknownStatus) {
		err = errors.New(strings.Replace(err.Error(), "didittest: unknown status", "status: unknown", 1))
	}
	v, _ := s.Session(r.PathValue("id"))
	return v, err
}

func (s *Server) postData(r *http.Request, _ struct{}) (any, error) {
	err := s.EditData(r.PathValue("id"))
	v, _ := s.Session(r.PathValue("id"))
	return v, err
}

// requestBody is a [Request] whose body is a string rather than Base64.
type requestBody struct {
	Request
	Body string `json:"body"`
}

func (s *Server) listRequests() any {
	list := []requestBody{}
	for _, r := range s.Requests() {
		list = append(list, requestBody{r, string(r.Body)})
	}
	return map[string]any{"requests": list}
}

// webhookBody is the destination of webhooks, without its secret.
type webhookBody struct {
	URL     string       `json:"url"`
	Version string       `json:"version"`
	Quirks  []armedQuirk `json:"quirks"`
}

func (s *Server) getWebhook() any {
	defer s.lock()()
	return webhookBody{s.hooks.url, s.hooks.version, append([]armedQuirk{}, s.hooks.quirks...)}
}

func (s *Server) postWebhook(_ *http.Request, body struct {
	URL     string `json:"url"`
	Secret  string `json:"secret"`
	Version string `json:"version"`
}) (any, error) {
	err := s.SetWebhook(body.URL, body.Secret, body.Version)
	return s.getWebhook(), err
}

func (s *Server) postQuirk(_ *http.Request, q armedQuirk) (any, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	s.Misdeliver(q.Quirk, q.Times)
	return q, nil
}

func (s *Server) deleteQuirks() any {
	s.ClearQuirks()
	return s.getWebhook()
}

func (s *Server) listDeliveries() any {
	return map[string]any{"deliveries": append([]Delivery{}, s.Deliveries()...)}
}

func (s *Server) postResend(r *http.Request, _ struct{}) (any, error) {
	return s.Resend(r.PathValue("event_id"))
}
