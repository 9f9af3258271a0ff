package didittest

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"time"
)

// credentials are what the simulator accepts at the moment.
type credentials struct{ clientID, clientSecret, apiKey string }

// replace sets the fields whose argument is not empty.
func (c *credentials) replace(clientID, clientSecret, apiKey string) {
	c.clientID = cmp.Or(clientID, c.clientID)
	c.clientSecret = cmp.Or(clientSecret, c.clientSecret)
	c.apiKey = cmp.Or(apiKey, c.apiKey)
}

// SetCredentials rotates the credentials: only the new ones are accepted from then on, and every
// access token issued so far is revoked. An empty argument leaves that one as it is.
func (s *Server) SetCredentials(clientID, clientSecret, apiKey string) {
	defer s.lock()()
	s.credentials.replace(clientID, clientSecret, apiKey)
	clear(s.tokens)
}

// RevokeTokens invalidates every access token issued so far. The credentials stay.
func (s *Server) RevokeTokens() {
	defer s.lock()()
	clear(s.tokens)
}

// acceptsClient reports whether these are the current client credentials.
func (s *Server) acceptsClient(clientID, clientSecret string) bool {
	defer s.lock()()
	return clientID == s.credentials.clientID && clientSecret == s.credentials.clientSecret
}

// issue creates an access token that expires at the given time.
func (s *Server) issue(expires time.Time) string {
	token := "simulated-access-token-" + rand.Text()
	now := s.now()
	defer s.lock()()
	maps.DeleteFunc(s.tokens, func(_ string, expires time.Time) bool { return !now.Before(expires) })
	s.tokens[token] = expires
	return token
}

// authorized reports whether the request carries a valid API key or access token. The session API
// takes either in every version ("Didit: Management API").
func (s *Server) authorized(r *http.Request) bool {
	now := s.now()
	defer s.lock()()
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key == s.credentials.apiKey
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	expires, issued := s.tokens[token]
	return strings.EqualFold(scheme, "Bearer") && issued && now.Before(expires)
}
