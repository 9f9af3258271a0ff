package main

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

// issuerKeys are the keys that an issuer publishes, as API Gateway reads them: RSA only.
type issuerKeys struct {
	rsa    map[string]*rsa.PublicKey // by key id
	others int                       // that API Gateway cannot use
}

// readIssuer reads the keys that an issuer publishes (OpenID Connect Discovery 1.0; API Gateway:
// JWT authorizers). The error is one sentence.
func readIssuer(ctx context.Context, issuer string) (issuerKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, maxDiscoveryWait)
	defer cancel()
	d, err := readDiscovery(ctx, issuer)
	if err != nil {
		return issuerKeys{}, err
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := fetch(ctx, d.JWKSURI, &set); err != nil {
		return issuerKeys{}, fmt.Errorf("the issuer's keys: %w", err)
	}
	keys := issuerKeys{rsa: map[string]*rsa.PublicKey{}}
	for _, k := range set.Keys {
		if key := k.publicKey(); key != nil {
			keys.rsa[k.ID] = key
		} else {
			keys.others++
		}
	}
	if len(keys.rsa) == 0 {
		return keys, errors.New("the issuer publishes no RSA key, and API Gateway takes no other")
	}
	return keys, nil
}

// jwk is a key of a set (RFC 7517).
type jwk struct {
	ID       string `json:"kid"`
	Type     string `json:"kty"`
	Use      string `json:"use"`
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
}

// publicKey returns the key for signatures, nil if it is no RSA key.
func (k jwk) publicKey() *rsa.PublicKey {
	n, errN := base64.RawURLEncoding.DecodeString(k.Modulus)
	e, errE := base64.RawURLEncoding.DecodeString(k.Exponent)
	if k.Type != "RSA" || k.Use != "" && k.Use != "sig" || errN != nil || errE != nil || len(n) == 0 || len(e) == 0 || len(e) > 4 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
}

// lookAtIssuer looks whether the gateway can verify the users' tokens.
func (e *examination) lookAtIssuer(ctx context.Context) finding {
	if e.stack.parameter("CallerAuth") == "iam" {
		return ok("not needed: callers authenticate with AWS credentials")
	}
	issuer := e.stack.parameter("JwtIssuer")
	keys, err := readIssuer(ctx, issuer)
	if err != nil {
		return wrong("set JwtIssuer: make deploy ENV="+e.env, err)
	}
	text := fmt.Sprintf("%s publishes %s", issuer, count(len(keys.rsa), "RSA key"))
	if keys.others > 0 {
		return warn("", "%s, and %d that API Gateway cannot use: tokens signed with these are refused", text, keys.others)
	}
	return ok("%s", text)
}
