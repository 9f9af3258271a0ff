package didittest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// maxControlBody bounds what the control API reads, 1 MiB.
const maxControlBody = 1 << 20

// A badRequest is what the sender of a control request did wrong; the text begins with the field's name.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// control makes a handler of work, whose errors it reports as {"error":"…"}.
func control(work func(http.ResponseWriter, *http.Request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := work(w, r)
		if err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, ErrUnknownSession) || errors.Is(err, ErrUnknownEvent) {
				status = http.StatusNotFound
			}
			a = jsonAnswer(status, map[string]string{"error": strings.TrimPrefix(err.Error(), "didittest: ")})
		}
		a.header.Set("Cache-Control", "no-store")
		a.send(w)
	})
}

// readControl decodes the body of a control request. It insists on the JSON media type, which a page on another site
// cannot send without being asked for permission first.
func readControl(w http.ResponseWriter, r *http.Request, v any) error {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return badRequest("header Content-Type: want application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return badRequest("body: more than one JSON document")
		}
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return badRequest(fmt.Sprintf("body: more than %d bytes", maxControlBody))
	case errors.As(err, &wrongType):
		return badRequest(fmt.Sprintf("%s: a %s cannot stand here", wrongType.Field, wrongType.Value))
	}
	return badRequest("body: " + strings.TrimPrefix(err.Error(), "json: "))
}

// faultBody is the JSON form of a [Fault]. A named one takes on, times and pause_ms beside the name.
type faultBody struct {
	Name    string            `json:"name,omitempty"`
	On      Op                `json:"on,omitempty"`
	Times   int               `json:"times,omitempty"`
	Mode    Mode              `json:"mode,omitempty"`
	PauseMS int64             `json:"pause_ms,omitempty"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"` // a string is sent as its text, any other JSON as it stands
	Size    int               `json:"size,omitempty"`
}

// fault translates and checks.
func (b faultBody) fault() (Fault, error) {
	const maxPauseMS = 24 * 60 * 60 * 1000
	f := Fault{Mode: b.Mode, Status: b.Status, Size: b.Size}
	if b.PauseMS < 0 || b.PauseMS > maxPauseMS {
		return f, badRequest(fmt.Sprintf("pause_ms: %d is not in 0 to %d", b.PauseMS, maxPauseMS))
	}
	if b.Name != "" {
		if b.Mode != "" || b.Status != 0 || len(b.Headers) > 0 || b.Body != nil || b.Size != 0 {
			return f, badRequest("name: takes no mode, status, headers, body or size beside it")
		}
		var ok bool
		if f, ok = Known(b.Name); !ok {
			return f, badRequest(fmt.Sprintf("name: %q is not one of %s", b.Name, strings.Join(KnownNames(), ", ")))
		}
	}
	f.Times, f.Pause = b.Times, time.Duration(b.PauseMS)*time.Millisecond
	if b.On != "" {
		f.On = b.On
	}
	for name, value := range b.Headers {
		if f.Header == nil {
			f.Header = http.Header{}
		}
		f.Header.Set(name, value)
	}
	if b.Body != nil && json.Unmarshal(b.Body, &f.Body) != nil {
		f.Body = string(b.Body)
	}
	return f, f.check()
}

// describe is the way back, for the list of armed faults; the answer's text is left out.
func describe(f Fault) faultBody {
	return faultBody{
		Name: f.label(), On: f.On, Times: f.Times, Mode: f.mode(), PauseMS: f.Pause.Milliseconds(),
		Status: f.Status, Size: f.Size,
	}
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) (answer, error) {
	var b faultBody
	if err := readControl(w, r, &b); err != nil {
		return answer{}, err
	}
	f, err := b.fault()
	if err != nil {
		return answer{}, err
	}
	s.Inject(f)
	return jsonAnswer(http.StatusCreated, describe(f)), nil
}

func (s *Server) listFaults(http.ResponseWriter, *http.Request) (answer, error) {
	defer s.lock()()
	armed := make([]faultBody, 0, len(s.faults))
	for _, f := range s.faults {
		armed = append(armed, describe(f))
	}
	return jsonAnswer(http.StatusOK, map[string]any{"armed": armed, "known": KnownNames()}), nil
}

func (s *Server) deleteFaults(http.ResponseWriter, *http.Request) (answer, error) {
	s.ClearFaults()
	return jsonAnswer(http.StatusOK, map[string]any{"armed": []faultBody{}}), nil
}

func (s *Server) listSessions(http.ResponseWriter, *http.Request) (answer, error) {
	return jsonAnswer(http.StatusOK, map[string]any{"sessions": s.Sessions()}), nil
}

func (s *Server) postStatus(w http.ResponseWriter, r *http.Request) (answer, error) {
	var b struct {
		Status string `json:"status"`
	}
	if err := readControl(w, r, &b); err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	if err := s.SetStatus(id, b.Status); errors.Is(err, ErrUnknownStatus) {
		return answer{}, badRequest(strings.Replace(err.Error(), "didittest: unknown status", "status: unknown", 1))
	} else if err != nil {
		return answer{}, err
	}
	v, _ := s.Session(id)
	return jsonAnswer(http.StatusOK, v), nil
}

// requestBody is a [Request] whose body is text rather than Base64.
type requestBody struct {
	Request
	Body string `json:"body"`
}

func (s *Server) listRequests(http.ResponseWriter, *http.Request) (answer, error) {
	list := []requestBody{}
	for _, r := range s.Requests() {
		list = append(list, requestBody{r, string(r.Body)})
	}
	return jsonAnswer(http.StatusOK, map[string]any{"requests": list}), nil
}
