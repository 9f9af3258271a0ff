package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPort   = "8080"    // of make run
	maxLocalBytes = 16 << 20  // bytes; the state has every session
	maxLocalWait  = maxFollow // of one call; the state comes once there is news
)

// localSystem is the system of make run, as far as it shows itself to the tool: under /local/ it
// stands in for the stack's outputs and parameters, and for Secrets Manager.
type localSystem struct{ url string }

// openLocal finds the system of make run on the port of the variable PORT.
func (o *ops) openLocal(ctx context.Context) (*site, error) {
	port := o.variable("PORT", defaultPort)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, blind(fmt.Errorf("PORT must be a number from 1 to 65535, the port of make run"))
	}
	l := localSystem{"http://127.0.0.1:" + port}
	var seen struct {
		WebhookURL string   `json:"webhook_url"`
		DiditURL   string   `json:"didit_url"`
		Workflows  []string `json:"workflow_ids"`
		Callbacks  []string `json:"allowed_callbacks"`
	}
	text, err := l.call(ctx, http.MethodGet, "/local/deployment", "")
	if err == nil {
		err = json.Unmarshal(text, &seen)
	}
	if err != nil {
		return nil, blind(fmt.Errorf("make run with its simulator does not answer on port %s; start it, or set PORT to its port", port))
	}
	// The tool gives a key and signatures to these.
	for _, address := range []string{seen.WebhookURL, seen.DiditURL} {
		if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
			return nil, blind(fmt.Errorf("what answers on port %s is not make run of this version", port))
		}
	}
	return &site{
		place: "the system of make run at " + l.url, webhookURL: seen.WebhookURL, diditURL: seen.DiditURL,
		workflows: seen.Workflows, callbacks: seen.Callbacks, vault: l,
	}, nil
}

func (l localSystem) read(ctx context.Context, name secretName) (string, error) {
	text, err := l.call(ctx, http.MethodGet, "/local/secrets/"+string(name), "")
	return string(text), err
}

func (l localSystem) store(ctx context.Context, name secretName, text string) error {
	_, err := l.call(ctx, http.MethodPut, "/local/secrets/"+string(name), text)
	return err
}

func (l localSystem) call(ctx context.Context, method, path, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxLocalWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, l.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := noRedirects.Do(r)
	if err != nil {
		return nil, blind(fmt.Errorf("make run does not answer at %s; start it, or set PORT, or ENV for a deployed stack", l.url))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxLocalBytes))
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("what answers at %s is not make run of this version (status %d)", l.url, answer.StatusCode)
	}
	return text, err
}
