// Package apitest validates the HTTP API's answers against internal/api/openapi.yaml, in tests:
//
//	server := httptest.NewServer(apitest.Handler(t, gateway))
//
// Answers are held to more than clients are: they may not have members that the document does not
// name.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.yaml.in/yaml/v3"
)

// document returns the routes of openapi.yaml, whose answers have no further members.
var document = sync.OnceValues(func() (routers.Router, error) {
	text, err := Read("internal/api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	var source map[string]any
	if err := yaml.Unmarshal(text, &source); err != nil {
		return nil, err
	}
	delete(source, "servers") // so that every host matches
	closeObjects(source["components"].(map[string]any)["schemas"])
	for _, path := range source["paths"].(map[string]any) {
		for _, operation := range path.(map[string]any) {
			closeObjects(operation.(map[string]any)["responses"])
		}
	}
	if text, err = yaml.Marshal(source); err != nil {
		return nil, err
	}
	d, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(d, openapi3.EnableExamplesValidation())
})

// Read returns a file of this module by its path from the module's root.
func Read(path string) ([]byte, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.ReadFile(filepath.Join(dir, path))
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return nil, fmt.Errorf("find the module's root: %w", err)
}

// closeObjects makes every schema of an object refuse members that it does not name.
func closeObjects(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			closeObjects(item)
		}
	case map[string]any:
		for _, item := range node {
			closeObjects(item)
		}
		if _, open := node["additionalProperties"]; !open && node["type"] == "object" {
			node["unevaluatedProperties"] = false
		}
	}
}

// Exchange is a request to the API and its answer.
type Exchange struct {
	Method, Target string
	Request        []byte // body; nil means that an accepted request is not validated
	Status         int
	Header         http.Header // of the answer
	Body           []byte      // of the answer
}

// Check reports an error to the test if the document does not describe the answer, or if the API
// accepted a request that the document does not allow. Requests to other routes are not looked at.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	if err := e.validate(); err != nil {
		t.Errorf("openapi.yaml: %s %s, answered with %d %.300s: %.700s", e.Method, e.Target, e.Status, e.Body, err.Error())
	}
}

func (e Exchange) validate() error {
	router, err := document()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(context.Background(), e.Method, e.Target, bytes.NewReader(e.Request))
	if err != nil {
		return err
	}
	route, parameters, err := router.FindRoute(r)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // which the router overlooks
		return nil // API Gateway's own 404
	}
	request := &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: e.Status, Header: e.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	answer.SetBodyBytes(e.Body)
	if err := openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
		return err
	}
	if err := e.validateHeader(); err != nil {
		return err
	}
	if e.Status >= 300 || e.Request == nil {
		return nil
	}
	r.Header.Set("Content-Type", "application/json")
	return openapi3filter.ValidateRequest(r.Context(), request)
}

// validateHeader looks at headers that only some of the answers with one status have: those of the
// functions, and not of API Gateway; those after which a client asks again.
func (e Exchange) validateHeader() error {
	problem := strings.HasPrefix(e.Header.Get("Content-Type"), "application/problem+json")
	if (problem || e.Status < 300) && e.Header.Get("Cache-Control") != "no-store" {
		return fmt.Errorf("got Cache-Control %q, want no-store", e.Header.Get("Cache-Control"))
	}
	var status struct {
		Next string `json:"next"`
	}
	_ = json.Unmarshal(e.Body, &status) // a list has no next
	again := problem && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable) ||
		e.Status == http.StatusOK && (status.Next == "verify" || status.Next == "wait")
	if again && e.Header.Get("Retry-After") == "" {
		return errors.New("got no Retry-After")
	}
	return nil
}

// CheckAnswer is Check for an answer of a handler, whose request is not looked at.
func CheckAnswer(t testing.TB, r *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	Check(t, Exchange{r.Method, r.URL.RequestURI(), nil, answer.Code, answer.Header(), answer.Body.Bytes()})
}

// Handler returns a handler that does what h does and checks its answers. The test must not end
// before the last answer.
func Handler(t testing.TB, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // the client left
			h.ServeHTTP(w, r)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		Check(t, Exchange{r.Method, r.URL.RequestURI(), body, answer.Code, answer.Header(), answer.Body.Bytes()})
	})
}
