// Package management is a small client for Didit's management API: what an operator sets up once,
// and looks at when something is wrong. It is the tool's; no function links it.
//
// Facts about the API are Didit's own pages and public code of other projects, autumn 2026: paths
// end in a slash, an API key goes in x-api-key, and 401 and 403 alike mean that the key was
// refused.
package management

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/version"
)

const (
	maxAnswer = 4 << 20          // bytes of an answer
	maxWait   = 20 * time.Second // of one call
)

// Key is an API key. A client secret is one too (Didit: Get credentials). It prints as a fixed
// text.
type Key string

// Format prints a fixed text, for every verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(hidden)") }

// MarshalText returns a fixed text.
func (Key) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

// Client calls Didit's management API. Set its fields before first use; it is safe for concurrent
// use.
type Client struct {
	// URL is the origin of Didit's API; empty means Didit's own.
	URL string
	// Key is the API key. Required.
	Key Key
	// Transport sends the requests; nil means [http.DefaultTransport]. Redirects are not followed:
	// they would lose the key.
	Transport http.RoundTripper
}

// ErrRefused means that Didit refused the key: it is wrong, revoked, or lacks a right.
var ErrRefused = errors.New("the key is refused by Didit: it is wrong, revoked, or lacks a right")

// StatusError is an answer of Didit's that is neither a success nor a refusal of the key.
type StatusError struct {
	Status int
	// Detail is Didit's sentence; empty if the answer holds none. It may quote what was sent.
	Detail string
	// RetryAfter is how long Didit asks to wait; zero if it does not say.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("status %d from Didit", e.Status)
	}
	return fmt.Sprintf("status %d from Didit: %s", e.Status, e.Detail)
}

// Do makes one call. in is sent as JSON unless it is nil, and the answer is decoded into out unless
// that is nil. The error is [ErrRefused], a [*StatusError], or one of the network.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	url := strings.TrimRight(c.URL, "/")
	if url == "" {
		url = didit.DefaultAPIURL
	}
	r, err := http.NewRequestWithContext(ctx, method, url+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("X-Api-Key", string(c.Key))
	r.Header.Set("User-Agent", version.UserAgent)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return decode(answer, out)
}

func decode(answer *http.Response, out any) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer of Didit is longer than %d bytes", maxAnswer)
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return ErrRefused
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return &StatusError{answer.StatusCode, sentence(text), time.Duration(seconds) * time.Second}
	case out == nil || len(text) == 0:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return errors.New("the answer of Didit is not the JSON that was expected")
	}
	return nil
}

// sentence returns the first sentence of an error body, under a field or not.
func sentence(text []byte) string {
	var any any
	if json.Unmarshal(text, &any) != nil {
		return ""
	}
	return firstText(any)
}

func firstText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		for _, e := range v {
			if s := firstText(e); s != "" {
				return s
			}
		}
	case map[string]any:
		for _, name := range []string{"detail", "error", "message"} {
			if s := firstText(v[name]); s != "" {
				return s
			}
		}
		for name, e := range v {
			if s := firstText(e); s != "" {
				return name + ": " + s
			}
		}
	}
	return ""
}

// list decodes an array, and an object that holds it under results: Didit's lists are of both
// kinds.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, (*[]T)(l))
	}
	var page struct {
		Results []T `json:"results"`
	}
	err := json.Unmarshal(text, &page)
	*l = page.Results
	return err
}

// get makes a GET request and decodes the answer into T.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var v T
	err := c.Do(ctx, http.MethodGet, path, nil, &v)
	return v, err
}
