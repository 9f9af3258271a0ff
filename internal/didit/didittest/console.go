package didittest

import (
	"bytes"
	"crypto/rand"
	_ "embed" // for the page
	"html/template"
	"net/http"
	"slices"
	"time"
)

//go:embed console.html
var consoleText string

var consoleTemplate = template.Must(template.New("console").Parse(consoleText))

// maxConsole is how many sessions, and how many deliveries, the console shows.
const maxConsole = 50

// consoleData is what the console is rendered with; the rest comes from consoleState.
type consoleData struct {
	Nonce            string // allows the style sheet and the script
	Origin           string
	ClientID, APIKey string // invented, unless the program that runs the simulator set its own
	AppURL           string
	Statuses         []string
}

// showConsole serves the simulator's own page, on which a person steers it as by the control API.
func (s *Server) showConsole(w http.ResponseWriter, r *http.Request) {
	unlock := s.lock()
	data := consoleData{rand.Text(), s.origin(r), s.ClientID, s.APIKey, s.AppURL, statuses}
	unlock()
	var b bytes.Buffer
	if err := consoleTemplate.Execute(&b, data); err != nil {
		panic(err) // template and data are both of this package
	}
	a := textAnswer(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
	a.header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+data.Nonce+"'; script-src 'nonce-"+data.Nonce+
		"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	a.header.Set("Referrer-Policy", "no-referrer")
	a.header.Set("Cache-Control", "no-store")
	a.header.Set("X-Content-Type-Options", "nosniff")
	a.send(w)
}

// consoleSession is a session on the console. Unlike a [Session] it leads to the end user's page,
// as in Didit's console.
type consoleSession struct {
	ID         string    `json:"session_id"`
	Number     int       `json:"session_number"`
	VendorData string    `json:"vendor_data"`
	Status     string    `json:"status"`
	Created    time.Time `json:"created_at"`
	Path       string    `json:"path"` // of the end user's page
}

// Armed is what is armed, in the form of the control API. It is JSON only.
type Armed struct {
	Faults []faultBody  `json:"faults"`
	Known  []string     `json:"known"` // names of the faults that there are
	Quirks []armedQuirk `json:"quirks"`
}

// Armed returns the armed faults and quirks.
func (s *Server) Armed() Armed {
	defer s.lock()()
	return Armed{s.armed(), KnownNames(), append([]armedQuirk{}, s.quirks...)}
}

// consoleState returns what the console shows, the newest first.
func (s *Server) consoleState() any {
	armed, deliveries := s.Armed(), newest(s.Deliveries())
	defer s.lock()()
	state := struct {
		Armed
		Sessions   []consoleSession `json:"sessions"`
		Total      int              `json:"total"` // sessions kept, shown or not
		WebhookURL string           `json:"webhook_url"`
		Deliveries []Delivery       `json:"deliveries"`
	}{armed, []consoleSession{}, len(s.sessions.items), s.WebhookURL, deliveries}
	for _, v := range newest(s.sessions.items) {
		state.Sessions = append(state.Sessions, consoleSession{v.id, v.number, text(v.vendorData), v.status, v.created, v.url("")})
	}
	return state
}

// newest returns copies of the last items, the newest first.
func newest[T any](items []T) []T {
	items = append([]T{}, items[max(0, len(items)-maxConsole):]...)
	slices.Reverse(items)
	return items
}
