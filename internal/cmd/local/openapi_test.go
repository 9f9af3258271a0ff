package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"didit-sessions/internal/api/apitest"
)

// description is what the test reads of openapi.yaml.
type description struct {
	Servers []struct{ URL string }
	Paths   map[string]map[string]operation
}

type operation struct {
	Parameters []struct {
		Name, In, Example string
		Required          bool
	}
	RequestBody struct {
		Content map[string]struct {
			Examples map[string]struct{ Value map[string]any }
		}
	} `yaml:"requestBody"`
}

// Ensure that every example of a request in openapi.yaml is accepted as it stands, with the
// defaults, by the first server that it names. The delivery has no signature, as it says.
func TestOpenAPI_examples(t *testing.T) {
	t.Parallel()
	text, err := apitest.Read("internal/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if local := d.Servers[0].URL; local != "http://127.0.0.1:8080" {
		t.Errorf("the first server is %s, want that of make run", local)
	}
	s := startSystem(t, nil, io.Discard)
	tried := 0
	for path, operations := range d.Paths {
		for method, o := range operations {
			want := http.StatusOK
			if path == "/webhooks/didit" {
				want = http.StatusUnauthorized
			}
			target, query := path, "?"
			for _, p := range o.Parameters {
				switch {
				case p.In == "query":
					query += p.Name + "=" + p.Example
				case p.In == "path":
					target, want = strings.ReplaceAll(target, "{"+p.Name+"}", p.Example), http.StatusNotFound // the id is of no session here
				}
			}
			for media, content := range o.RequestBody.Content {
				for name, example := range content.Examples {
					body, err := json.Marshal(example.Value)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					// A user each: the second session of one is answered with 200 and takes over the first.
					user := "Bearer " + strings.ReplaceAll(name, " ", "-")
					response, answer := do(t, strings.ToUpper(method), s.url+target+query, user, media, string(body))
					if got := response.StatusCode; got != want && !(want == http.StatusOK && got == http.StatusCreated) {
						t.Errorf("%s %s, example %s: got %d %s, want %d", method, path, name, got, answer, want)
					}
				}
			}
			if len(o.RequestBody.Content) == 0 {
				tried++
				if response, answer := do(t, strings.ToUpper(method), s.url+target+query, "Bearer user-123", "", ""); response.StatusCode != want {
					t.Errorf("%s %s%s: got %d %s, want %d", method, target, query, response.StatusCode, answer, want)
				}
			}
		}
	}
	if tried < 6 {
		t.Errorf("%d examples were tried, want all six", tried)
	}
}
