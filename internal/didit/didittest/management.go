package didittest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rights are what a scoped key can have. Didit names sessions:read, decisions:read and
// webhooks:write ("Didit: Resend webhook"); the others are formed like these.
var Rights = []string{
	"sessions:read", "sessions:write", "decisions:read", "webhooks:read", "webhooks:write", "workflows:read", "billing:read", "users:write",
}

// A Workflow is one of the application's, as its list has it ("Didit: List workflows").
type Workflow struct {
	ID       string `json:"workflow_id"` // UUID, the same for all versions
	Version  string `json:"uuid"`        // UUID of the version
	Label    string `json:"workflow_label"`
	Type     string `json:"workflow_type"`
	Status   string `json:"status"` // published or draft
	Features string `json:"features"`
	Default  bool   `json:"is_default"`
	Archived bool   `json:"is_archived"`
}

// DefaultWorkflow is the one of an application whose Workflows are nil.
var DefaultWorkflow = Workflow{
	ID: "11111111-2222-3333-4444-555555555555", Version: "11111111-2222-3333-4444-555555555555", Label: "KYC + AML", Type: "kyc",
	Status: "published", Features: "OCR + LIVENESS + FACE_MATCH + AML", Default: true,
}

func (s *Server) setupApplication() {
	s.Balance = cmp.Or(s.Balance, "100.00")
	s.ScenarioPause = cmp.Or(s.ScenarioPause, 2*time.Second)
	if s.Workflows == nil {
		s.Workflows = []Workflow{DefaultWorkflow}
	}
}

// environment is what deliveries say about the application.
func (s *Server) environment() string {
	if s.Sandbox {
		return "sandbox"
	}
	return "live"
}

// A managementRoute is a route of the API by which an operator's programs work.
type managementRoute struct {
	method, path string
	rights       []string
	work         func(*call) answer
}

// management returns the routes, with their trailing slashes; one has none.
func (s *Server) management() []managementRoute {
	read, write := []string{"webhooks:read"}, []string{"webhooks:write"}
	logs, resend := []string{"sessions:read", "decisions:read"}, []string{"webhooks:write", "decisions:read"}
	return []managementRoute{
		{"GET", "/v3/workflows/", []string{"workflows:read"}, s.listWorkflows},
		{"GET", "/v3/billing/balance/", []string{"billing:read"}, s.showBalance},
		{"GET", "/v3/webhook/", read, s.showApplication},
		{"PATCH", "/v3/webhook/", write, s.updateApplication},
		{"GET", "/v3/webhook/destinations/", read, s.listDestinations},
		{"POST", "/v3/webhook/destinations/", write, s.createDestination},
		{"GET", "/v3/webhook/destinations/{destination}/", read, s.withDestination(s.showDestination)},
		{"PATCH", "/v3/webhook/destinations/{destination}/", write, s.withDestination(s.updateDestination)},
		{"DELETE", "/v3/webhook/destinations/{destination}/", write, s.withDestination(s.deleteDestination)},
		{"GET", "/v3/webhook/destinations/{destination}/deliveries/", read, s.withDestination(s.listDeliveries)},
		{"GET", "/v3/webhook/destinations/{destination}/deliveries/{delivery}/", read, s.withDestination(s.showDelivery)},
		{"GET", "/v3/session/{id}/webhooks/", logs, s.listSessionDeliveries},
		{"GET", "/v3/session/{id}/webhook/{delivery}/", logs, s.showSessionDelivery},
		{"POST", "/v3/session/{id}/webhook/{delivery}/resend", resend, s.resendDelivery},
	}
}

// handleManagement adds the routes. A path has one handler for all of its methods, which answers
// others as the framework under Didit's API does.
func (s *Server) handleManagement(m *http.ServeMux) {
	byPath := map[string][]managementRoute{}
	for _, r := range s.management() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	for path, routes := range byPath {
		methods := []string{}
		for _, r := range routes {
			methods = append(methods, r.method)
		}
		handler := s.serve(OpManage, func(c *call) answer {
			i := slices.Index(methods, c.Method)
			if i < 0 {
				return methodNotAllowed(c, strings.Join(methods, ", "))
			}
			if refusal := s.refuseKey(c.Request, routes[i].rights); refusal != nil {
				return *refusal
			}
			return routes[i].work(c)
		})
		bare, slash := strings.CutSuffix(path, "/")
		if !slash {
			m.Handle(path, handler)
			continue
		}
		m.Handle(path+"{$}", handler)
		m.Handle(bare, s.serve(OpOther, addSlash))
	}
}

// refuseKey returns Didit's refusal of the credentials of a management request, or nil. Without
// any, /v3/billing/ and /v3/webhook/ answer 401 and the others 403; a wrong key, or one without the
// rights, is 403, and at /v3/billing/ a wrong one is 401.
func (s *Server) refuseKey(r *http.Request, rights []string) *answer {
	if s.authorized(r, rights...) {
		return nil
	}
	billing := strings.HasPrefix(r.URL.Path, "/v3/billing/")
	a := Forbidden.answer()
	switch {
	case authScheme(r.Header) == "" && (billing || strings.HasPrefix(r.URL.Path, "/v3/webhook/")):
		a = detail(http.StatusUnauthorized, "Authentication credentials were not provided.")
	case billing && !s.authorized(r):
		a = InvalidAPIKey.answer()
	}
	return &a
}

func (s *Server) listWorkflows(*call) answer {
	defer s.lock()()
	return jsonAnswer(http.StatusOK, report{
		"count": len(s.Workflows), "next": nil, "previous": nil, "results": append([]Workflow{}, s.Workflows...),
	})
}

func (s *Server) showBalance(*call) answer {
	defer s.lock()()
	return jsonAnswer(http.StatusOK, report{"balance": s.Balance, "auto_refill_enabled": false, "auto_refill_threshold": nil})
}

// showApplication answers the settings of the time before there were destinations.
func (s *Server) showApplication(*call) answer {
	defer s.lock()()
	return s.applicationSettings()
}

// applicationSettings are those of the API. The caller holds the lock.
func (s *Server) applicationSettings() answer {
	var at any
	if s.legacy.url != "" {
		at = s.legacy.url
	}
	return jsonAnswer(http.StatusOK, report{
		"webhook_url": at, "webhook_version": s.legacy.version, "secret_shared_key": s.legacy.secret, "capture_method": "both",
		"data_retention_months": nil, "allowed_domains": append([]string{}, s.AllowedDomains...),
	})
}

func (s *Server) updateApplication(c *call) answer {
	var in struct {
		URL     json.RawMessage `json:"webhook_url"` // null removes it
		Version *string         `json:"webhook_version"`
		Rotate  bool            `json:"rotate_secret_key"`
		Domains *[]string       `json:"allowed_domains"`
	}
	var at *string
	err := json.Unmarshal(c.body, &in)
	if err == nil && in.URL != nil {
		err = json.Unmarshal(in.URL, &at)
	}
	if err != nil {
		return detail(http.StatusBadRequest, "JSON parse error - "+err.Error())
	}
	if in.Domains != nil {
		if err := s.SetAllowedDomains(*in.Domains); err != nil {
			return jsonAnswer(http.StatusBadRequest, report{"allowed_domains": list("Enter origins such as https://app.example.com.")})
		}
	}
	defer s.lock()()
	if in.URL != nil {
		s.legacy.url = text(at)
	}
	set(&s.legacy.version, in.Version)
	if in.Rotate {
		s.legacy.secret = newDestination(s.legacy.created).secret
	}
	return s.applicationSettings()
}

// An Application is what [Server.SetApplication] changes of the simulated application. A nil field
// stays as it is.
type Application struct {
	AllowedDomains *[]string           `json:"allowed_domains"`
	Workflows      *[]Workflow         `json:"workflows"`
	Balance        *string             `json:"balance"`
	ScopedKeys     map[string][]string `json:"scoped_keys"`
}

// SetApplication changes the application, as Didit's console does. The error names the field that
// is wrong; nothing is changed then.
func (s *Server) SetApplication(a Application) error {
	for _, rights := range a.ScopedKeys {
		for _, right := range rights {
			if !slices.Contains(Rights, right) {
				return fmt.Errorf("scoped_keys: %q is not one of %q", right, Rights)
			}
		}
	}
	for _, w := range deref(a.Workflows) {
		if !uuidForm.MatchString(w.ID) {
			return errors.New("workflows: workflow_id is not a UUID")
		}
	}
	if a.AllowedDomains != nil {
		if err := s.SetAllowedDomains(*a.AllowedDomains); err != nil {
			return err
		}
	}
	defer s.lock()()
	set(&s.Workflows, a.Workflows)
	set(&s.Balance, a.Balance)
	if a.ScopedKeys != nil {
		s.ScopedKeys = a.ScopedKeys
	}
	return nil
}

func deref[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
