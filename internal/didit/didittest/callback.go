package didittest

import (
	"net/url"
	"slices"
	"strings"
)

// neverOpened are schemes that make a browser do something other than open a page or an app.
var neverOpened = []string{"about", "blob", "data", "file", "ftp", "intent", "javascript", "vbscript"}

// returned are the statuses with which Didit sends the end user back to the callback ("Didit: Create session").
var returned = []string{"Approved", "Declined", "In Review"}

// opened returns the callback, or nil if there is none that a browser may be sent to.
func (v *session) opened() *url.URL {
	u, err := url.Parse(text(v.callback))
	if err != nil || u.Scheme == "" || slices.Contains(neverOpened, u.Scheme) {
		return nil
	}
	return u
}

// returnURL is where the end user goes once the session has its status: the callback with what Didit appends to it.
// It is nil if there is nowhere to go.
func (v *session) returnURL() *url.URL {
	u := v.opened()
	if u == nil || !slices.Contains(returned, v.status) {
		return nil
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	// Apps parse their links with libraries that know no plus sign for a space.
	status := strings.ReplaceAll(url.QueryEscape(v.status), "+", "%20")
	u.RawQuery += "verificationSessionId=" + v.id + "&status=" + status
	return u
}
