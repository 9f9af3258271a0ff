package didittest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SetAllowedDomains replaces [Server.AllowedDomains], as Didit's console does. The error is about
// the first entry that is not an origin.
func (s *Server) SetAllowedDomains(origins []string) error {
	for _, entry := range origins {
		if u, err := url.Parse(entry); err != nil || !isWeb(u) || u.Host == "" || u.User != nil || strings.Trim(u.RequestURI(), "/") != "" {
			return fmt.Errorf("allowed_domains: %q is not an origin, such as https://app.example.com", entry)
		}
	}
	defer s.lock()()
	s.AllowedDomains = slices.Clone(origins)
	return nil
}

// refuseDomain returns Didit's refusal of a callback on the web that is not on an allowed domain:
// its scheme, host and port must be those of an entry. nil means that it may be used.
func (s *Server) refuseDomain(o order) *answer {
	callback, err := url.Parse(text(o.callback))
	if err != nil || !isWeb(callback) {
		return nil // apps are outside the rule
	}
	defer s.lock()()
	if len(s.AllowedDomains) == 0 || slices.ContainsFunc(s.AllowedDomains, func(entry string) bool {
		u, err := url.Parse(entry)
		return err == nil && originOf(u) == originOf(callback)
	}) {
		return nil
	}
	a := jsonAnswer(http.StatusBadRequest, report{"callback": list("Callback domain is not in the allowed domains of the application.")})
	return &a
}

func isWeb(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }

// originOf returns scheme, host and port, with the scheme's own port where none is named.
func originOf(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// StartSession creates a session that no backend asked for, as the native SDKs do with a workflow's
// id (startVerificationWithWorkflow), and browsers with a UniLink: it is as genuine as any other,
// and its vendor data is what the device says, or none if empty. Neither request nor credentials
// are involved. The error is about the workflow, which must be a UUID.
func (s *Server) StartSession(workflowID, vendorData string) (Session, error) {
	if !uuidForm.MatchString(workflowID) {
		return Session{}, errors.New("workflow_id: not a UUID")
	}
	now := s.now()
	defer s.lock()()
	v := s.newSession(workflowID, vendorData, now)
	s.sessions.add(v)
	s.announce(v, statusUpdated, now)
	return v.snapshot(), nil
}

// AddSession makes the simulator know a session that was created before its start: with this id,
// not started, and without a webhook. The error is about an id that is not a UUID, or is known
// already.
func (s *Server) AddSession(id, workflowID, vendorData string) error {
	if !uuidForm.MatchString(id) || !uuidForm.MatchString(workflowID) {
		return errors.New("didittest: session_id, workflow_id: not a UUID")
	}
	id = strings.ToLower(id)
	now := s.now()
	defer s.lock()()
	if s.sessions.byID(id) != nil {
		return errors.New("didittest: session_id: known already")
	}
	v := s.newSession(workflowID, vendorData, now)
	s.sessions.add(v)
	v.id = id
	return nil
}

// newSession returns a session that no request asked for. The caller holds the lock.
func (s *Server) newSession(workflowID, vendorData string, now time.Time) *session {
	v := &session{order: order{workflowID: strings.ToLower(workflowID)}, created: now, origin: cmp.Or(s.BaseURL, s.url)}
	if vendorData != "" {
		v.vendorData = &vendorData
	}
	return v
}

func (s *Server) postSession(_ *http.Request, body struct {
	WorkflowID string `json:"workflow_id"`
	VendorData string `json:"vendor_data"`
}) (any, error) {
	return s.StartSession(body.WorkflowID, body.VendorData)
}

// application returns the settings of the application, without its keys.
func (s *Server) application() any {
	defer s.lock()()
	domains, workflows := append([]string{}, s.AllowedDomains...), append([]Workflow{}, s.Workflows...)
	return struct {
		AllowedDomains []string   `json:"allowed_domains"`
		Workflows      []Workflow `json:"workflows"`
		Balance        string     `json:"balance"`
	}{domains, workflows, s.Balance}
}

func (s *Server) postApplication(_ *http.Request, body Application) (any, error) {
	err := s.SetApplication(body)
	return s.application(), err
}

// What a session is about that Didit was not asked for; see [ModeOtherVendorData].
const (
	otherVendorData = "another-end-user"
	otherWorkflowID = "00000000-aaaa-4bbb-8ccc-000000000000"
)

// otherSession returns the answer to a create request after a fault that makes it about another
// session; f is nil for a request that meets no fault.
func (f *Fault) otherSession(a answer) answer {
	var body createBody
	if f == nil || f.Mode != ModeOtherVendorData && f.Mode != ModeOtherWorkflow ||
		a.status != http.StatusCreated || json.Unmarshal(a.body, &body) != nil {
		return a
	}
	if f.Mode == ModeOtherVendorData {
		body.VendorData = new(otherVendorData)
	} else {
		body.WorkflowID = otherWorkflowID
	}
	return jsonAnswer(a.status, body)
}
