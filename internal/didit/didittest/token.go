package didittest

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// The one application that the simulator has, as its tokens and webhooks describe it.
const (
	issuer         = "https://didit.me"
	applicationID  = "00000000-0000-4000-8000-00000000a991"
	organizationID = "00000000-0000-4000-8000-0000000000a6"
)

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
	id, secret, ok := c.BasicAuth()
	if !ok || !s.acceptsClient(id, secret) {
		return refuse(http.StatusUnauthorized, "invalid_client")
	}
	grant, ok := grantType(c)
	if !ok {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	if grant != "client_credentials" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type")
	}
	lifetime := cmp.Or(s.TokenLifetime, DefaultTokenLifetime)
	now := s.now()
	seconds := int64(lifetime / time.Second)
	return jsonAnswer(http.StatusOK, tokenBody{
		Issuer:         issuer,
		IssuedAt:       now.Unix(),
		Subject:        applicationID,
		ClientID:       id,
		OrganizationID: organizationID,
		ExpiresIn:      seconds,
		Expires:        now.Unix() + seconds,
		AccessToken:    s.issue(now.Add(lifetime)),
	})
}

// grantType reads the body: a form, as documented, or JSON, as Didit's own demo sent it until 2025.
func grantType(c *call) (grant string, ok bool) {
	mediaType, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(c.body))
		return form.Get("grant_type"), err == nil
	case "application/json":
		var v struct {
			GrantType string `json:"grant_type"`
		}
		err := json.Unmarshal(c.body, &v)
		return v.GrantType, err == nil
	}
	return "", false
}
