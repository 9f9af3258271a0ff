package didittest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxBody is the largest request body that the simulator reads, 8 MiB.
const maxBody = 8 << 20

// A call is a request whose body has been read.
type call struct {
	*http.Request
	body []byte
	mode Mode // of the fault that it meets; empty: none
}

// routes returns the whole API: Didit's, the page's, and the control API.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	for _, r := range []struct {
		method, path string
		op           Op
		work         func(*call) answer
	}{
		{"POST", "/auth/v2/token/", OpToken, s.token},
		{"POST", "/v2/session/", OpCreate, s.create},
		{"POST", "/v3/session/", OpCreate, s.create},
		{"GET", "/v2/session/{id}/decision/", OpDecision, s.decision("v2")},
		{"GET", "/v3/session/{id}/decision/", OpDecision, s.decision("v3")},
		{"GET", "/v3/sessions/", OpList, s.list},
		{"DELETE", "/v2/session/{id}/delete/", OpDelete, s.deleteSession},
		{"DELETE", "/v3/session/{id}/delete/", OpDelete, s.deleteSession},
		{"POST", "/v3/users/delete/", OpDeleteUser, s.deleteUsers},
	} {
		m.Handle(r.path+"{$}", s.serve(r.op, only(r.method, r.work)))
		m.Handle(strings.TrimSuffix(r.path, "/"), s.serve(OpOther, addSlash))
	}
	m.Handle("GET /session/{token}", s.serve(OpPage, s.page))
	m.Handle("POST /session/{token}/decision", s.serve(OpPage, s.decide))
	m.Handle("GET /{lang}/session/{token}", s.serve(OpPage, s.page))
	m.HandleFunc("GET /{$}", s.showConsole)
	m.Handle("/", s.serve(OpOther, notFound))
	s.handleManagement(m)
	s.handleControl(m)
	return m
}

// serve returns the handler of an operation: it records the request, lets a fault replace or spoil
// the answer, records the answer, and sends it.
func (s *Server) serve(op Op, work func(*call) answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		work := work
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			body, work = nil, refuseSize
		} else if err != nil {
			return // the caller left while sending
		}
		record := s.recordRequest(op, r, body)
		fault := s.takeFault(op, body)
		var a answer
		if fault.works() {
			c := &call{Request: r, body: body}
			if fault != nil {
				c.mode = fault.Mode
			}
			a = fault.otherSession(work(c))
		} else {
			a = s.replacement(fault)
		}
		s.recordAnswer(record, a.status, fault)
		s.answer(w, r, a, fault)
	})
}

// only refuses other methods, as Django REST Framework does, on which Didit's API is built.
func only(method string, work func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		if c.Method == method {
			return work(c)
		}
		return methodNotAllowed(c, method)
	}
}

func methodNotAllowed(c *call, allowed string) answer {
	a := detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", c.Method))
	a.header.Set("Allow", allowed)
	return a
}

// addSlash answers a path that lacks its trailing slash: Didit redirects, and callers that follow
// lose their credentials.
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

func notFound(*call) answer { return NotFoundPage.answer() }
