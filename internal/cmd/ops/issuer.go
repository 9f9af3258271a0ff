package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxDiscovery     = 1 << 20          // bytes of a document
	maxDiscoveryWait = 15 * time.Second // for both documents
)

// discovery is what an issuer of tokens publishes (OpenID Connect Discovery 1.0, section 3).
type discovery struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

// readDiscovery reads an issuer's discovery document, which must name the issuer exactly as the
// tokens do. Its error is one sentence about what API Gateway would refuse.
func readDiscovery(ctx context.Context, issuer string) (discovery, error) {
	var d discovery
	if err := fetch(ctx, strings.TrimRight(issuer, "/")+"/.well-known/openid-configuration", &d); err != nil {
		return d, fmt.Errorf("the issuer's discovery document: %w", err)
	}
	keys, err := url.Parse(d.JWKSURI)
	switch {
	case d.Issuer == "":
		return d, errors.New("the issuer's discovery document names no issuer")
	case d.Issuer != issuer && strings.TrimRight(d.Issuer, "/") == strings.TrimRight(issuer, "/"):
		return d, fmt.Errorf("the issuer calls itself %s: mind the slash at the end, and write it in this way", d.Issuer)
	case d.Issuer != issuer:
		return d, fmt.Errorf("the issuer calls itself %.200s: write it in this way", d.Issuer)
	case err != nil || keys.Scheme != "https" && keys.Hostname() != "127.0.0.1":
		return d, errors.New("the issuer's discovery document names no https address of its keys (jwks_uri)")
	}
	return d, nil
}

// checkIssuer reads what the issuer publishes, as API Gateway does, and returns what it found. Its
// error is one sentence about what API Gateway would refuse.
func checkIssuer(ctx context.Context, issuer string) (found string, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxDiscoveryWait)
	defer cancel()
	begin := time.Now()
	d, err := readDiscovery(ctx, issuer)
	if err != nil {
		return "", err
	}
	took := time.Since(begin)
	var keys struct{ Keys []struct{ Kty string } }
	if err := fetch(ctx, d.JWKSURI, &keys); err != nil {
		return "", fmt.Errorf("the issuer's keys: %w", err)
	}
	others := map[string]bool{}
	for _, k := range keys.Keys {
		if k.Kty == "RSA" {
			return fmt.Sprintf("discovery answered in %s, the issuer matches, keys are RSA", short(took)), nil
		}
		others[k.Kty] = true
	}
	if len(others) == 0 {
		return "", errors.New("the issuer publishes no keys")
	}
	return "", errors.New("the issuer has no RSA key, and API Gateway takes no other kind: let it sign with RS256, or use CallerAuth=iam")
}

// fetch reads a JSON document.
func fetch(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the address is no URL")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		if explained := explainNetwork("", err); explained != nil {
			return errors.New(strings.TrimPrefix(explained.Error(), ": "))
		}
		return fmt.Errorf("no answer: %s", firstLine(errors.Unwrap(err).Error()))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDiscovery+1))
	switch {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d at %s", answer.StatusCode, address)
	case err != nil || len(text) > maxDiscovery || json.Unmarshal(text, into) != nil:
		return fmt.Errorf("no JSON at %s", address)
	}
	return nil
}

// claims are those of a token that a deployment depends on.
type claims struct {
	Issuer   string    `json:"iss"`
	Audience audiences `json:"aud"`
	ClientID string    `json:"client_id"`
}

// audiences is a string or an array of strings (RFC 7519, section 4.1.3).
type audiences []string

func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

func isToken(answer string) bool {
	return strings.HasPrefix(answer, "eyJ") && strings.Count(answer, ".") == 2
}

// audienceOf returns the audience of a token that the issuer signed. It does not verify the token,
// and no error quotes it.
func audienceOf(token, issuer string) (string, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("that is no JWT: it needs three parts, separated by dots")
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(text, &c) != nil {
		return "", errors.New("that is no JWT: its middle part is no base64url of JSON")
	}
	// The issuer's own services are in every token, so they tell nothing.
	own := slices.DeleteFunc(c.Audience, func(a string) bool { return c.Issuer != "" && strings.HasPrefix(a, c.Issuer) })
	audience := c.ClientID
	if len(own) > 0 {
		audience = own[0]
	}
	switch {
	case len(own) > 1:
		return "", fmt.Errorf("the token has %d audiences; enter the one that stands for your API: %.500s", len(own), strings.Join(own, ", "))
	case issuer != "" && c.Issuer != issuer:
		return "", errors.New("the token is another issuer's: its claim iss differs from the issuer above")
	case audience == "":
		return "", errors.New("the token has no claim aud and no claim client_id; API Gateway needs one of them")
	}
	return audience, nil
}
