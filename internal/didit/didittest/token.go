package didittest

import (
	"cmp"
	"crypto/rand"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The one application that the simulator has, as its tokens and webhooks describe it.
const (
	issuer         = "https://didit.me"
	applicationID  = "00000000-0000-4000-8000-00000000a991"
	organizationID = "00000000-0000-4000-8000-0000000000a6"
)

// TokenLifetime is how long an access token is valid: 24 hours, as on "Didit: Creating a
// Verification Session".
const TokenLifetime = 24 * time.Hour

// SetCredentials rotates the credentials: only the new ones are accepted from then on, and every
// access token issued so far is revoked. An empty argument leaves that one as it is.
func (s *Server) SetCredentials(clientID, clientSecret, apiKey string) {
	defer s.lock()()
	s.ClientID = cmp.Or(clientID, s.ClientID)
	s.ClientSecret = cmp.Or(clientSecret, s.ClientSecret)
	s.APIKey = cmp.Or(apiKey, s.APIKey)
	clear(s.tokens)
}

// RevokeTokens invalidates every access token issued so far. The credentials stay.
func (s *Server) RevokeTokens() {
	defer s.lock()()
	clear(s.tokens)
}

// tokenBody is the success body of "Didit: Authentication page", in its order. It has no
// token_type.
type tokenBody struct {
	Issuer         string `json:"iss"`
	IssuedAt       int64  `json:"iat"`
	Subject        string `json:"sub"`
	ClientID       string `json:"client_id"`
	OrganizationID string `json:"organization_id"`
	ExpiresIn      int64  `json:"expires_in"`
	Expires        int64  `json:"exp"`
	AccessToken    string `json:"access_token"`
}

// token answers POST /auth/v2/token/. Its errors have the shape of RFC 6749, section 5.2, which
// "Didit: OIDC page" shows.
func (s *Server) token(c *call) answer {
	refuse := func(status int, code string) answer {
		return jsonAnswer(status, map[string]string{"error": code})
	}
	now := s.now()
	defer s.lock()()
	id, secret, _ := c.BasicAuth()
	if id != s.ClientID || secret != s.ClientSecret {
		return refuse(http.StatusUnauthorized, "invalid_client")
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil || mediaType(c.Request) != "application/x-www-form-urlencoded" {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	if form.Get("grant_type") != "client_credentials" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type")
	}
	maps.DeleteFunc(s.tokens, func(_ string, expires time.Time) bool { return !now.Before(expires) })
	token, expires := "simulated-access-token-"+rand.Text(), now.Add(TokenLifetime)
	s.tokens[token] = expires
	return jsonAnswer(http.StatusOK, tokenBody{
		Issuer: issuer, IssuedAt: now.Unix(), Subject: applicationID, ClientID: id, OrganizationID: organizationID,
		ExpiresIn: int64(TokenLifetime / time.Second), Expires: expires.Unix(), AccessToken: token,
	})
}

func mediaType(r *http.Request) string {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return mediaType
}

// authorized reports whether the request carries an access token, or an API key that has the
// rights. The API takes either in every version ("Didit: Management API").
func (s *Server) authorized(r *http.Request, rights ...string) bool {
	now := s.now()
	defer s.lock()()
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return s.holds(key, rights)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	expires, issued := s.tokens[token]
	return strings.EqualFold(scheme, "Bearer") && issued && now.Before(expires)
}

// holds reports whether there is such a key and it has the rights. The caller holds the lock.
func (s *Server) holds(key string, rights []string) bool {
	if key == s.APIKey || key == s.ClientSecret {
		return true
	}
	held, known := s.ScopedKeys[key]
	return known && !slices.ContainsFunc(rights, func(right string) bool { return !slices.Contains(held, right) })
}
