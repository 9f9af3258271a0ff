package didittest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// faultBody is the JSON form of a [Fault]. A named one takes on, times and pause_ms beside the
// name.
type faultBody struct {
	Name    string            `json:"name,omitempty"`
	On      Op                `json:"on,omitempty"`
	Times   int               `json:"times,omitempty"`
	Mode    Mode              `json:"mode,omitempty"`
	PauseMS int64             `json:"pause_ms,omitempty"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"` // of a string, its text is sent; other JSON as it is
	Size    int               `json:"size,omitempty"`
}

// fault converts and checks the body.
func (b faultBody) fault() (Fault, error) {
	const maxPauseMS = 24 * 60 * 60 * 1000
	f := Fault{Mode: b.Mode, Status: b.Status, Size: b.Size}
	if b.PauseMS < 0 || b.PauseMS > maxPauseMS {
		return f, fmt.Errorf("pause_ms: %d is not in 0 to %d", b.PauseMS, maxPauseMS)
	}
	if b.Name != "" {
		if b.Mode != "" || b.Status != 0 || len(b.Headers) > 0 || b.Body != nil || b.Size != 0 {
			return f, errors.New("name: takes no mode, status, headers, body or size beside it")
		}
		var ok bool
		if f, ok = Known(b.Name); !ok {
			return f, fmt.Errorf("name: %q is not one of %s", b.Name, strings.Join(KnownNames(), ", "))
		}
	}
	f.Times, f.Pause = b.Times, time.Duration(b.PauseMS)*time.Millisecond
	if b.On != "" {
		f.On = b.On
	}
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
	return faultBody{
		Name: f.label(), On: f.On, Times: f.Times, Mode: f.mode(), PauseMS: f.Pause.Milliseconds(),
		Status: f.Status, Size: f.Size,
	}
}

func (s *Server) listFaults() any {
	defer s.lock()()
	armed := make([]faultBody, 0, len(s.faults))
	for _, f := range s.faults {
		armed = append(armed, newFaultBody(f))
	}
	return map[string]any{"armed": armed, "known": KnownNames()}
}

func (s *Server) postFault(_ *http.Request, body faultBody) (any, error) {
	f, err := body.fault()
	if err != nil {
		return nil, err
	}
	s.Inject(f)
	return newFaultBody(f), nil
}

func (s *Server) deleteFaults() any {
	s.ClearFaults()
	return map[string]any{"armed": []faultBody{}}
}
