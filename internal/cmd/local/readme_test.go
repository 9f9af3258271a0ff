package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
)

// examples returns the texts of a document's code blocks in a language, after a heading.
func examples(t *testing.T, path, heading, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", path, heading)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.+?)```").FindAllStringSubmatch(after, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// keys returns the members of a JSON object, as a JSON text.
func keys(t *testing.T, text string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// Ensure that the examples of the reference are what the API takes and returns, with the defaults.
func TestREADME_reference(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	const reference = "functions/README.md"
	api := examples(t, reference, "## API", "json")
	if len(api) != 3 {
		t.Fatalf("got %d examples in the section API, want a request, a session and a status", len(api))
	}
	response, created := do(t, "POST", s.url+"/sessions", "Bearer user-123", "application/json", api[0])
	if response.StatusCode != 201 || keys(t, created) != keys(t, api[1]) {
		t.Fatalf("the example of a request: got %d %s, want 201 with the members of\n%s", response.StatusCode, created, api[1])
	}
	var session answer
	if err := json.Unmarshal([]byte(created), &session); err != nil {
		t.Fatal(err)
	}
	if _, status := do(t, "GET", s.url+"/sessions/"+session.SessionID, "Bearer user-123", "", ""); keys(t, status) != keys(t, api[2]) {
		t.Errorf("the example of a status: got %s, want the members of\n%s", status, api[2])
	}
	invalid := `{"expected_details":{"country":"ES"}}`
	if _, problem := do(t, "POST", s.url+"/sessions", "Bearer user-123", "application/json", invalid); keys(t, problem) != keys(t, examples(t, reference, "## Errors", "json")[0]) {
		t.Errorf("the example of an error: got %s", problem)
	}
}

// Ensure that the example of an event is what functions get of one.
func TestREADME_event(t *testing.T) {
	t.Parallel()
	detail, err := verification.EncodeDetail(verification.Event{})
	if err != nil {
		t.Fatal(err)
	}
	var example, got map[string]json.RawMessage
	shown := examples(t, "functions/README.md", "## Events", "json")[0]
	if err := errors.Join(json.Unmarshal([]byte(shown), &example), json.Unmarshal(awsfake.BusEvent{Detail: detail}.Payload(), &got)); err != nil {
		t.Fatal(err)
	}
	if a, b := slices.Sorted(maps.Keys(example)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) || keys(t, string(example["detail"])) != keys(t, string(detail)) {
		t.Errorf("the example of an event has the members %q and in its detail %s, want %q and %s", a, keys(t, string(example["detail"])), b, keys(t, string(detail)))
	}
}

// Ensure that the commands of the first page do what it says, in its order.
func TestREADME_firstPage(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	shown := examples(t, "README.md", "## Run it", "json")
	var answers []string
	for _, command := range examples(t, "README.md", "## Run it", "sh") {
		if strings.HasPrefix(command, "curl ") {
			answers = append(answers, runCurl(t, s, command))
		}
	}
	if len(answers) != 2 || len(shown) != 2 || keys(t, answers[0]) != keys(t, shown[0]) || keys(t, answers[1]) != keys(t, shown[1]) {
		t.Errorf("got %s, want the members of %s", answers, shown)
	}
	for _, command := range examples(t, "README.md", "## Test it", "sh") {
		if got := runCurl(t, s, command); !strings.Contains(got, `"paid_plan"`) {
			t.Errorf("%s: got %s", command, got)
		}
	}
}

// runCurl sends the request of a curl command to the system, and returns the body of a good answer.
func runCurl(t *testing.T, s *system, command string) string {
	t.Helper()
	option := func(expression string) string {
		if match := regexp.MustCompile(expression).FindStringSubmatch(command); match != nil {
			return match[1]
		}
		return ""
	}
	method, body := "GET", option(`-d '([^']*)'`)
	if body != "" {
		method = "POST"
	}
	url := strings.NewReplacer("http://127.0.0.1:8080", s.url, "http://127.0.0.1:8081", s.simulatorURL).Replace(option(`(http://[^\s']+)`))
	response, text := do(t, method, url, option(`'Authorization: ([^']*)'`), option(`'Content-Type: ([^']*)'`), body)
	if response.StatusCode >= 300 {
		t.Errorf("%s: got %d %s", command, response.StatusCode, text)
	}
	return text
}

// Ensure that the requests of the recorded events have the values of the documents: the local
// system accepts them too.
func TestEvents_accepted(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	for _, name := range []string{"minimal", "full"} {
		text, err := os.ReadFile("../../../events/createsession-http-" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		if event.IsBase64Encoded {
			body, err := base64.StdEncoding.DecodeString(event.Body)
			if err != nil {
				t.Fatal(err)
			}
			event.Body = string(body)
		}
		if response, body := do(t, "POST", s.url+"/sessions", "Bearer user-123", "application/json", event.Body); response.StatusCode/100 != 2 {
			t.Errorf("%s: got %d %s", name, response.StatusCode, body)
		}
	}
}

// Ensure that the commands that the system prints at its start succeed, whatever it is configured
// with.
func TestPrintWhere(t *testing.T) {
	t.Parallel()
	for _, values := range []map[string]string{
		nil,
		{"CALLER_AUTH": "iam"},
		{"WORKFLOW_IDS": "*"},
		{"WORKFLOW_IDS": "*", "CALLER_AUTH": "iam"},
		{"WORKFLOW_IDS": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"},
		{"PRINCIPAL_CLAIM": "email"},
	} {
		s := startSystem(t, values, io.Discard)
		var out strings.Builder
		s.printWhere(&out)
		commands := 0
		for line := range strings.Lines(out.String()) {
			if command, ok := strings.CutPrefix(line, "  curl "); ok {
				commands++
				runCurl(t, s, strings.ReplaceAll(command, "'http", "http"))
			}
		}
		if commands != 2 {
			t.Errorf("%v: got %d commands in\n%s", values, commands, &out)
		}
	}
}
