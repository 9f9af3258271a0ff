package didittest

import (
	"bytes"
	"crypto/rand"
	_ "embed" // for the page
	"html/template"
	"net/http"
	"net/url"
	"slices"
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

// pageData is what the page shows. Exactly one of Token, with which it offers the choices, Outcome and Problem is set.
type pageData struct {
	Nonce      string // admits the style sheet
	WorkflowID string
	Number     int
	Status     string
	Token      string
	Choices    []choice
	Outcome    string
	Return     template.URL // where the end user may go after the outcome; may be empty
	Problem    string
}

// outcomes say what a status means to the end user; the others speak for themselves.
var outcomes = map[string]string{
	"Approved":    "The verification was approved.",
	"Declined":    "The verification was declined.",
	"In Review":   "The verification waits for a review.",
	"Abandoned":   "The verification was abandoned before its end.",
	"Expired":     "The session expired before the verification was done.",
	"Kyc Expired": "The verification was approved once and has expired since.",
}

// page answers GET /session/{token}, with a language before it or not. The first visit starts the session.
func (s *Server) page(c *call) answer {
	lang := c.PathValue("lang")
	if lang != "" && !slices.Contains(languages, lang) {
		return notFound(c)
	}
	now := s.now()
	defer s.lock()()
	v := s.sessions.byToken[c.PathValue("token")]
	if v == nil {
		return unknownSession()
	}
	if v.status == notStarted {
		s.change(v, inProgress, now)
	}
	data := pageData{WorkflowID: v.workflowID, Number: v.number, Status: v.status}
	if unfinished(v.status) {
		data.Token, data.Choices = v.token, choices
	} else {
		data.Outcome = outcomes[v.status]
		if u := v.returnURL(); u != nil {
			data.Return = template.URL(u.String())
		}
	}
	return render(http.StatusOK, data, v.opened())
}

// decide answers the page's form: it gives the session the chosen status and sends the browser on, to the callback if
// there is one. A finished session keeps its status.
func (s *Server) decide(c *call) answer {
	form, err := url.ParseQuery(string(c.body))
	chosen := form.Get("status")
	if err != nil || !slices.ContainsFunc(choices, func(each choice) bool { return each.Status == chosen }) {
		return render(http.StatusBadRequest, pageData{Problem: "That is no status this page offers."}, nil)
	}
	now := s.now()
	defer s.lock()()
	v := s.sessions.byToken[c.PathValue("token")]
	if v == nil {
		return unknownSession()
	}
	to := &url.URL{Path: "/session/" + v.token}
	if unfinished(v.status) {
		s.change(v, chosen, now)
		if u := v.returnURL(); u != nil {
			to = u
		}
	}
	// The body matters to a browser that has no app for the callback's scheme.
	data := pageData{WorkflowID: v.workflowID, Number: v.number, Status: v.status, Outcome: outcomes[v.status]}
	data.Return = template.URL(to.String())
	a := render(http.StatusSeeOther, data, nil)
	a.header.Set("Location", to.String())
	return a
}

func unknownSession() answer {
	return render(http.StatusNotFound, pageData{Problem: "There is no session at this address."}, nil)
}

// render makes the page. Browsers hold the redirect of its form to the policy as well, so it must admit the callback;
// nil means that there is none.
func render(status int, data pageData, callback *url.URL) answer {
	data.Nonce = rand.Text()
	formAction := "'self'"
	if callback != nil {
		formAction += " " + callback.Scheme + ":" // a host may hold characters that mean something in a policy
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, data); err != nil {
		panic(err) // the template and its data are both of this package, and tested together
	}
	a := textAnswer(status, "text/html; charset=utf-8", b.Bytes())
	// No frame-ancestors: apps embed Didit's page in a frame.
	a.header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+data.Nonce+"'; img-src data:; base-uri 'none'; "+
		"form-action "+formAction)
	a.header.Set("Referrer-Policy", "no-referrer") // the address holds the session token
	a.header.Set("Cache-Control", "no-store")
	a.header.Set("X-Content-Type-Options", "nosniff")
	return a
}
