package didittest

import (
	"net/url"
	"slices"
	"strings"
)

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
