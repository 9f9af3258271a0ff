package didittest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// listedBody is a session in a list, without the personal data that Didit puts there.
type listedBody struct {
	SessionID   string  `json:"session_id"`
	Number      int     `json:"session_number"`
	SessionKind string  `json:"session_kind"`
	VendorData  *string `json:"vendor_data"`
	WorkflowID  string  `json:"workflow_id"`
	Status      string  `json:"status"`
	CreatedAt   string  `json:"created_at"`
}

// list answers GET /v3/sessions/: the newest first, without deleted ones.
func (s *Server) list(c *call) answer {
	if !s.authorized(c.Request, "sessions:read") {
		return Forbidden.answer()
	}
	query := c.URL.Query()
	limit, offset := number(query, "limit", maxPage), number(query, "offset", 0)
	matches := func(name, value string) bool {
		return c.mode == ModeUnfiltered || !query.Has(name) || query.Get(name) == value
	}
	defer s.lock()()
	found := []listedBody{}
	for _, v := range slices.Backward(s.sessions.items) {
		if !v.deleted && matches("vendor_data", text(v.vendorData)) && matches("workflow_id", v.workflowID) && matches("status", v.status) {
			found = append(found, listedBody{v.id, v.number, "user", v.vendorData, v.workflowID, v.status, v.created.UTC().Format(time.RFC3339)})
		}
	}
	first, last := min(offset, len(found)), min(offset+limit, len(found))
	page := map[string]any{"count": len(found), "next": nil, "previous": nil, "results": found[first:last]}
	if last < len(found) {
		page["next"] = s.pageURL(c, query, last)
	}
	if first > 0 {
		page["previous"] = s.pageURL(c, query, max(0, first-limit))
	}
	return jsonAnswer(http.StatusOK, page)
}

// pageURL returns the address of another page of a list.
func (s *Server) pageURL(c *call, query url.Values, offset int) string {
	query.Set("offset", strconv.Itoa(offset))
	return s.origin(c.Request) + c.URL.Path + "?" + query.Encode()
}

// deleteSession answers DELETE /{version}/session/{id}/delete/. The deletion is soft: every read
// answers as if there was no such session, no webhook is sent, and Didit keeps its records (Didit's
// OpenAPI 3.0.0).
func (s *Server) deleteSession(c *call) answer {
	id := c.PathValue("id")
	if !uuidForm.MatchString(id) {
		return notFound(c)
	}
	if !s.authorized(c.Request, "sessions:write") {
		return Forbidden.answer()
	}
	defer s.lock()()
	v := s.sessions.byID(id)
	if v == nil {
		return NotFound.answer()
	}
	v.deleted = true
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

// deleteUsers answers POST /v3/users/delete/. Sessions stay. Without credentials it is a 401, with
// wrong ones a 403, and what is wrong with the body is said in a bare array.
func (s *Server) deleteUsers(c *call) answer {
	if !s.authorized(c.Request, "users:write") {
		if authScheme(c.Header) == "" {
			return InvalidAPIKey.answer()
		}
		return Forbidden.answer()
	}
	var body struct {
		List []string `json:"vendor_data_list"`
	}
	if json.Unmarshal(c.body, &body) != nil || len(body.List) == 0 {
		return jsonAnswer(http.StatusBadRequest, list("vendor_data_list must be a list of at least one string."))
	}
	defer s.lock()()
	deleted := 0
	for _, user := range body.List {
		if !slices.Contains(s.users(), user) {
			continue
		}
		deleted++
		for _, v := range s.sessions.items {
			v.userDeleted = v.userDeleted || text(v.vendorData) == user
		}
	}
	return jsonAnswer(http.StatusOK, map[string]int{"deleted": deleted})
}

// Users returns the vendor data of the users that Didit knows, sorted: those of the kept sessions,
// whether deleted or not, unless the user was deleted after that.
func (s *Server) Users() []string {
	defer s.lock()()
	return s.users()
}

// users is Users for callers that hold the lock.
func (s *Server) users() []string {
	users := []string{}
	for _, v := range s.sessions.items {
		if v.vendorData != nil && !v.userDeleted {
			users = append(users, *v.vendorData)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}
