package didittest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxControlBody is the largest body that the control API reads, 1 MiB.
const maxControlBody = 1 << 20

// A controlWork is the work of a route of the control API. It returns the answer's body; an error
// becomes {"error":"…"}.
type controlWork func(*http.Request) (any, error)

// handleControl adds the routes of the control API, with the status of their success.
func (s *Server) handleControl(m *http.ServeMux) {
	for _, r := range []struct {
		pattern string
		status  int
		work    controlWork
	}{
		{"GET /simulator/console", 200, show(s.consoleState)},
		{"GET /simulator/faults", 200, show(s.showFaults)},
		{"POST /simulator/faults", 201, withBody(s.postFault)},
		{"DELETE /simulator/faults", 200, s.deleteFaults},
		{"GET /simulator/sessions", 200, showAll("sessions", s.Sessions)},
		{"POST /simulator/sessions", 201, withBody(s.postSession)},
		{"GET /simulator/application", 200, show(s.application)},
		{"POST /simulator/application", 200, withBody(s.postApplication)},
		{"POST /simulator/sessions/{id}/status", 200, withBody(s.postStatus)},
		{"POST /simulator/sessions/{id}/data", 200, withBody(s.postData)},
		{"GET /simulator/requests", 200, showAll("requests", s.Requests)},
		{"GET /simulator/webhook", 200, show(s.webhook)},
		{"POST /simulator/webhook", 200, withBody(s.postWebhook)},
		{"POST /simulator/webhook/rotation", 200, withBody(s.postRotation)},
		{"POST /simulator/webhook/quirks", 201, withBody(s.postQuirk)},
		{"DELETE /simulator/webhook/quirks", 200, s.deleteQuirks},
		{"GET /simulator/deliveries", 200, showAll("deliveries", s.Deliveries)},
		{"POST /simulator/deliveries/{id}/resend", 200, withBody(s.postResend)},
	} {
		m.HandleFunc(r.pattern, func(w http.ResponseWriter, request *http.Request) { r.work.answer(w, request, r.status) })
	}
}

func (work controlWork) answer(w http.ResponseWriter, r *http.Request, status int) {
	r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
	body, err := work(r)
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

// show returns the work of a route whose requests have no body.
func show(work func() any) controlWork {
	return func(*http.Request) (any, error) { return work(), nil }
}

// showAll returns the work of a route that shows a list.
func showAll[T any](name string, list func() []T) controlWork {
	return show(func() any { return map[string][]T{name: list()} })
}

// withBody returns the work of a route whose requests have a body, in the form of a T. It requires
// the JSON media type, which a page of another origin cannot send without a preflight.
func withBody[T any](work func(r *http.Request, body T) (any, error)) controlWork {
	return func(r *http.Request) (any, error) {
		var body T
		if mediaType(r) != "application/json" {
			return nil, errors.New("header Content-Type: want application/json")
		}
		if err := decodeControl(r.Body, &body); err != nil {
			return nil, err
		}
		return work(r, body)
	}
}

// decodeControl decodes the body of a control request. Errors begin with the name of the wrong
// field.
func decodeControl(body io.Reader, v any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return errors.New("body: more than one JSON document")
		}
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("body: more than %d bytes", maxControlBody)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.TrimPrefix(wrong.Field, "Fault.") // as in faultBody
		return fmt.Errorf("%s: wrong type, got JSON %s", cmp.Or(field, "body"), wrong.Value)
	}
	return errors.New("body: " + strings.TrimPrefix(err.Error(), "json: "))
}

// faultBody is the JSON form of a [Fault]. A named one takes on, times and pause_ms beside the
// name.
type faultBody struct {
	Fault
	PauseMS int64             `json:"pause_ms,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"` // of a string, its text is sent; other JSON as it is
}

// fault converts and checks the body.
func (b faultBody) fault() (Fault, error) {
	const maxPauseMS = 24 * 60 * 60 * 1000
	if b.PauseMS < 0 || b.PauseMS > maxPauseMS {
		return Fault{}, fmt.Errorf("pause_ms: %d is not in 0 to %d", b.PauseMS, maxPauseMS)
	}
	f := b.Fault
	if f.Name != "" {
		if f.Mode != "" || f.Status != 0 || len(b.Headers) > 0 || b.Body != nil || f.Size != 0 {
			return f, errors.New("name: takes no mode, status, headers, body or size beside it")
		}
		known, ok := Known(f.Name)
		if !ok {
			return f, fmt.Errorf("name: %q is not one of %s", f.Name, strings.Join(KnownNames(), ", "))
		}
		known.On, known.Times = cmp.Or(f.On, known.On), f.Times
		f = known
	}
	f.Pause = time.Duration(b.PauseMS) * time.Millisecond
	if len(b.Headers) > 0 {
		f.Header = http.Header{}
	}
	for name, value := range b.Headers {
		f.Header.Set(name, value)
	}
	if b.Body != nil && json.Unmarshal(b.Body, &f.Body) != nil {
		f.Body = string(b.Body)
	}
	return f, f.check()
}

// newFaultBody returns the JSON form of an armed fault, without the answer's body and header.
func newFaultBody(f Fault) faultBody {
	f.Name, f.Mode = f.label(), f.mode()
	return faultBody{Fault: f, PauseMS: f.Pause.Milliseconds()}
}

func (s *Server) showFaults() any {
	defer s.lock()()
	return map[string]any{"armed": s.armed(), "known": KnownNames()}
}

// armed returns the armed faults. The caller holds the lock.
func (s *Server) armed() []faultBody {
	armed := []faultBody{}
	for _, f := range s.faults {
		armed = append(armed, newFaultBody(f))
	}
	return armed
}

func (s *Server) postFault(_ *http.Request, body faultBody) (any, error) {
	f, err := body.fault()
	if err != nil {
		return nil, err
	}
	s.Inject(f)
	return newFaultBody(f), nil
}

// deleteFaults disarms all faults, or those of the name in the query.
func (s *Server) deleteFaults(r *http.Request) (any, error) {
	name := r.URL.Query().Get("name")
	defer s.lock()()
	s.faults = slices.DeleteFunc(s.faults, func(f Fault) bool { return name == "" || f.label() == name })
	return map[string]any{"armed": s.armed()}, nil
}

// deleteQuirks disarms all quirks, or the one in the query.
func (s *Server) deleteQuirks(r *http.Request) (any, error) {
	q := Quirk(r.URL.Query().Get("quirk"))
	unlock := s.lock()
	s.quirks = slices.DeleteFunc(s.quirks, func(a armedQuirk) bool { return q == "" || a.Quirk == q })
	if !slices.ContainsFunc(s.quirks, func(a armedQuirk) bool { return a.Quirk == SendLate }) {
		s.release()
	}
	unlock()
	return s.webhook(), nil
}

func (s *Server) postStatus(r *http.Request, body struct {
	Status string `json:"status"`
}) (any, error) {
	return s.afterUpdate(r, s.SetStatus(r.PathValue("id"), body.Status))
}

func (s *Server) postData(r *http.Request, _ struct{}) (any, error) {
	return s.afterUpdate(r, s.EditData(r.PathValue("id")))
}

// afterUpdate returns the session that a request updated, or the error.
func (s *Server) afterUpdate(r *http.Request, err error) (any, error) {
	v, _ := s.Session(r.PathValue("id"))
	return v, err
}

// webhook returns the oldest destination of webhooks, without its secret.
func (s *Server) webhook() any {
	defer s.lock()()
	main := destination{url: s.WebhookURL, version: s.WebhookVersion}
	if len(s.destinations) > 0 {
		main = *s.destinations[0]
	}
	return struct {
		URL     string       `json:"url"`
		Version string       `json:"version"`
		Quirks  []armedQuirk `json:"quirks"`
	}{main.url, main.version, append([]armedQuirk{}, s.quirks...)}
}

func (s *Server) postWebhook(_ *http.Request, body struct {
	URL     string `json:"url"`
	Secret  string `json:"secret"`
	Version string `json:"version"`
}) (any, error) {
	err := s.SetWebhook(body.URL, body.Secret, body.Version)
	return s.webhook(), err
}

func (s *Server) postQuirk(_ *http.Request, q armedQuirk) (any, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	s.Misdeliver(q.Quirk, q.Times)
	return q, nil
}

func (s *Server) postResend(r *http.Request, _ struct{}) (any, error) {
	return s.Resend(r.PathValue("id"))
}
