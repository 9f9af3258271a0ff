package didittest

import (
	"bytes"
	"crypto/rand"
	_ "embed" // for the page
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A choice is a button of the page.
type choice struct{ Status, Label, Class string }

var choices = []choice{
	{"Approved", "Approve", "approve"},
	{"Declined", "Decline", "decline"},
	{"In Review", "Send to review", "review"},
	{"Abandoned", "Abandon", "abandon"},
}

// pageData is what the page shows. Exactly one of Token, with which it offers the choices, Outcome
// and Problem is set.
type pageData struct {
	Nonce      string // allows the style sheet
	WorkflowID string
	Number     int
	Status     string
	Token      string
	Choices    []choice
	Outcome    string
	Return     template.URL // where the end user can go after the outcome; may be empty
	Problem    string
	SessionID  string // leads to the session on the console
	AppURL     string // of the Server
}

// outcomes explain the statuses of a finished session to the end user.
var outcomes = map[string]string{
	"Approved":    "The verification was approved.",
	"Declined":    "The verification was declined.",
	"In Review":   "The verification waits for a review.",
	"Abandoned":   "The verification was abandoned before it was complete.",
	"Expired":     "The session expired before the verification was complete.",
	"Kyc Expired": "The verification was approved, but has expired since.",
}

// page answers GET /session/{token} and GET /{lang}/session/{token}. The first visit starts the
// session.
func (s *Server) page(c *call) answer {
	lang := c.PathValue("lang")
	if lang != "" && !slices.Contains(languages, lang) {
		return notFound(c)
	}
	now := s.now()
	defer s.lock()()
	v := s.sessions.byToken(c.PathValue("token"))
	if v == nil {
		return s.unknownSession()
	}
	if v.status == notStarted {
		s.change(v, inProgress, now)
	}
	a := s.render(http.StatusOK, v.pageData(), v.callbackURL())
	if u := v.returnURL(); u != nil && c.URL.RawQuery == returning {
		a.header.Set("Refresh", "0; url="+u.String())
	}
	return a
}

func (v *session) pageData() pageData {
	data := pageData{WorkflowID: v.workflowID, Number: v.number, Status: v.status, SessionID: v.id}
	if unfinished(v.status) {
		data.Token, data.Choices = v.token, choices
		return data
	}
	data.Outcome = outcomes[v.status]
	if u := v.returnURL(); u != nil {
		data.Return = template.URL(u.String())
	}
	return data
}

// decide answers the page's form: it gives the session the chosen status and redirects the browser,
// to the callback if there is one. A finished session keeps its status.
func (s *Server) decide(c *call) answer {
	form, err := url.ParseQuery(string(c.body))
	chosen := form.Get("status")
	if err != nil || !slices.ContainsFunc(choices, func(each choice) bool { return each.Status == chosen }) {
		return s.render(http.StatusBadRequest, pageData{Problem: "This page does not offer that status."}, nil)
	}
	now := s.now()
	defer s.lock()()
	v := s.sessions.byToken(c.PathValue("token"))
	if v == nil {
		return s.unknownSession()
	}
	if unfinished(v.status) {
		s.change(v, chosen, now)
	}
	data := v.pageData()
	to := "/session/" + v.token
	switch u := v.returnURL(); {
	case u == nil:
	case isWeb(u):
		to = u.String()
	default:
		to += "?" + returning
	}
	a := s.render(http.StatusSeeOther, data, nil)
	a.header.Set("Location", to)
	return a
}

// returning is the query of the page that an end user with an app's callback sees next: it opens
// the app, and stays if the browser has none. A redirect would leave such a browser on the form.
const returning = "returning"

func (s *Server) unknownSession() answer {
	return s.render(http.StatusNotFound, pageData{Problem: "There is no session at this address."}, nil)
}

// render returns the page. Browsers apply form-action to the redirect after its form as well, so
// the policy admits the callback; nil means that there is none.
func (s *Server) render(status int, data pageData, callback *url.URL) answer {
	data.Nonce, data.AppURL = rand.Text(), s.AppURL
	formAction := "'self'"
	if callback != nil {
		formAction += " " + callback.Scheme + ":" // not the host: it may hold a policy's delimiters
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, data); err != nil {
		panic(err) // template and data are both of this package
	}
	a := textAnswer(status, "text/html; charset=utf-8", b.Bytes())
	// No frame-ancestors: apps embed Didit's page in a frame.
	a.header.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'nonce-"+data.Nonce+"'; img-src data:; base-uri 'none'; form-action "+formAction)
	a.header.Set("Referrer-Policy", "no-referrer") // the address holds the session token
	a.header.Set("Cache-Control", "no-store")
	a.header.Set("X-Content-Type-Options", "nosniff")
	return a
}

// unsafeSchemes make a browser do something other than open a page or an app.
var unsafeSchemes = []string{"about", "blob", "data", "file", "ftp", "intent", "javascript", "vbscript"}

// returnStatuses are those with which Didit sends the end user back to the callback ("Didit: Create
// session").
var returnStatuses = []string{"Approved", "Declined", "In Review"}

// callbackURL returns the callback, or nil if there is none that a browser may be sent to.
func (v *session) callbackURL() *url.URL {
	u, err := url.Parse(text(v.callback))
	if err != nil || u.Scheme == "" || slices.Contains(unsafeSchemes, u.Scheme) {
		return nil
	}
	return u
}

// returnURL returns where the end user goes once the session has its status: the callback with what
// Didit appends to it. It is nil if there is nowhere to go.
func (v *session) returnURL() *url.URL {
	u := v.callbackURL()
	if u == nil || !slices.Contains(returnStatuses, v.status) {
		return nil
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	// Not every app's URL library reads a plus sign as a space.
	status := strings.ReplaceAll(url.QueryEscape(v.status), "+", "%20")
	u.RawQuery += "verificationSessionId=" + v.id + "&status=" + status
	return u
}
