package didittest

import "net/http"

// decided answers GET /v2/session/{id}/decision/ and GET /v3/session/{id}/decision/. As at Didit, whether there is such
// a session is looked at before the credentials are (Didit's OpenAPI 3.0.0, retrieve decision).
func (s *Server) decided(version string) func(*call) answer {
	return func(c *call) answer {
		id := c.PathValue("id")
		if !uuidForm.MatchString(id) {
			return notFound(c)
		}
		if _, exists := s.Session(id); !exists {
			return s.replacement(&NotFound)
		}
		if !s.authorized(c.Request) {
			f := NotAuthenticated
			if s.Unauthorized {
				f = Unauthorized
			}
			return s.replacement(&f)
		}
		defer s.lock()()
		v := s.sessions.byID[id]
		if v == nil { // forgotten just now
			return detail(http.StatusNotFound, "Session not found.")
		}
		return jsonAnswer(http.StatusOK, v.decision(version))
	}
}
