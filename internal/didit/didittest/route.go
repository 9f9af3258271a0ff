package didittest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody is the largest request body the simulator reads, 8 MiB.
const maxBody = 8 << 20

// A call is a request whose body has been read.
type call struct {
	*http.Request
	body []byte
}

// An answer is a whole response, not yet sent.
type answer struct {
	status int
	header http.Header
	body   []byte
	pad    int // spaces sent after the body
}

// jsonAnswer encodes without escaping HTML: metadata must come back as it was sent.
func jsonAnswer(status int, v any) answer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // every v is a type of this package, and raw JSON in it was checked
	}
	return textAnswer(status, "application/json", bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func textAnswer(status int, contentType string, body []byte) answer {
	return answer{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// detail is the error shape of the session API for all that concerns no single field.
func detail(status int, text string) answer {
	return jsonAnswer(status, map[string]string{"detail": text})
}

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.Handle("/auth/v2/token/{$}", s.serve(OpToken, only("POST", s.token)))
	m.Handle("/v2/session/{$}", s.serve(OpCreate, only("POST", s.create)))
	m.Handle("/v3/session/{$}", s.serve(OpCreate, only("POST", s.create)))
	m.Handle("/v2/session/{id}/decision/{$}", s.serve(OpDecision, only("GET", s.decided("v2"))))
	m.Handle("/v3/session/{id}/decision/{$}", s.serve(OpDecision, only("GET", s.decided("v3"))))
	for _, path := range []string{
		"/auth/v2/token", "/v2/session", "/v3/session", "/v2/session/{id}/decision", "/v3/session/{id}/decision",
	} {
		m.Handle(path, s.serve(OpOther, addSlash))
	}
	m.Handle("GET /session/{token}", s.serve(OpPage, s.page))
	m.Handle("POST /session/{token}/decision", s.serve(OpPage, s.decide))
	m.Handle("GET /{lang}/session/{token}", s.serve(OpPage, s.page))
	m.Handle("/", s.serve(OpOther, notFound))

	m.Handle("GET /simulator/faults", control(s.listFaults))
	m.Handle("POST /simulator/faults", control(s.postFault))
	m.Handle("DELETE /simulator/faults", control(s.deleteFaults))
	m.Handle("GET /simulator/sessions", control(s.listSessions))
	m.Handle("POST /simulator/sessions/{id}/status", control(s.postStatus))
	m.Handle("POST /simulator/sessions/{id}/data", control(s.postData))
	m.Handle("GET /simulator/requests", control(s.listRequests))
	m.Handle("GET /simulator/webhook", control(s.getWebhook))
	m.Handle("POST /simulator/webhook", control(s.postWebhook))
	m.Handle("POST /simulator/webhook/quirks", control(s.postQuirk))
	m.Handle("DELETE /simulator/webhook/quirks", control(s.deleteQuirks))
	m.Handle("GET /simulator/deliveries", control(s.listDeliveries))
	m.Handle("POST /simulator/deliveries/{event_id}/resend", control(s.postResend))
	return m
}

// serve makes a handler of work: it notes the request, lets a fault replace or spoil the answer, notes the answer,
// and sends it.
func (s *Server) serve(op Op, work func(*call) answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		work := work
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			body, work = nil, refuseSize
		} else if err != nil {
			return // the caller left while sending: there is nobody to answer
		}
		received := s.arrived(op, r, body)
		fault := s.takeFault(op, body)
		var a answer
		if fault.works() {
			a = work(&call{r, body})
		} else {
			a = s.replacement(fault)
		}
		s.answered(received, a.status, fault)
		s.deliver(w, r, a, fault)
	})
}

// only refuses other methods, as Django REST Framework does, on which Didit's API is built.
func only(method string, work func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		if c.Method == method {
			return work(c)
		}
		a := detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", c.Method))
		a.header.Set("Allow", method)
		return a
	}
}

// addSlash answers a path that lacks its trailing slash. Didit redirects, and callers lose their credentials on the
// way.
func addSlash(c *call) answer {
	a := textAnswer(http.StatusMovedPermanently, "text/html; charset=utf-8", nil)
	to := *c.URL
	to.Scheme, to.Host, to.Path, to.RawPath = "", "", c.URL.Path+"/", ""
	a.header.Set("Location", to.RequestURI())
	return a
}

func refuseSize(*call) answer {
	return detail(http.StatusRequestEntityTooLarge, fmt.Sprintf("Request body exceeds %d bytes.", maxBody))
}

func notFound(*call) answer {
	return textAnswer(NotFoundPage.Status, NotFoundPage.Header.Get("Content-Type"), []byte(NotFoundPage.Body))
}
