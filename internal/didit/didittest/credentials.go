package didittest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// credentials are what the simulator accepts at the moment.
type credentials struct{ clientID, clientSecret, apiKey string }

// replace takes over what is not empty.
func (c *credentials) replace(clientID, clientSecret, apiKey string) {
	for _, v := range []struct {
		to   *string
		from string
	}{{&c.clientID, clientID}, {&c.clientSecret, clientSecret}, {&c.apiKey, apiKey}} {
		if v.from != "" {
			*v.to = v.from
		}
	}
}

// SetCredentials rotates the credentials: from now on only the new ones are accepted, and every access token issued
// so far is revoked. An empty argument leaves that one as it is.
func (s *Server) SetCredentials(clientID, clientSecret, apiKey string) {
	defer s.lock()()
	s.credentials.replace(clientID, clientSecret, apiKey)
	clear(s.tokens)
}

// RevokeTokens makes every access token issued so far invalid, before its time. The credentials stay.
func (s *Server) RevokeTokens() {
	defer s.lock()()
	clear(s.tokens)
}

// knows reports whether these are the client credentials of the moment.
func (s *Server) knows(clientID, clientSecret string) bool {
	defer s.lock()()
	return clientID == s.credentials.clientID && clientSecret == s.credentials.clientSecret
}

// issue makes an access token that is valid until the given time.
func (s *Server) issue(until time.Time) string {
	token := "simulated-access-token-" + rand.Text()
	now := s.now()
	defer s.lock()()
	for old, end := range s.tokens {
		if !now.Before(end) {
			delete(s.tokens, old)
		}
	}
	s.tokens[token] = until
	return token
}

// authorized reports whether the request carries an API key or an access token that is valid now. The session API
// takes either in every version ("Didit: Management API").
func (s *Server) authorized(r *http.Request) bool {
	now := s.now()
	defer s.lock()()
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key == s.credentials.apiKey
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	until, issued := s.tokens[token]
	return strings.EqualFold(scheme, "Bearer") && issued && now.Before(until)
}
