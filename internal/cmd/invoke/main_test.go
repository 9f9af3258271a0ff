package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
)

func TestRun_usage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.json")
	if err := os.WriteFile(text, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":          {nil, "-event is missing"},
		"unknown function": {[]string{"-function", "nosuch", "-event", text}, `no function "nosuch"; there are: awaitdecision, createsession, `},
		"path as function": {[]string{"-function", "../functions/createsession", "-event", text}, "there are: awaitdecision, createsession, "},
		"no event":         {[]string{"-function", "createsession"}, "-event is missing"},
		"missing file":     {[]string{"-function", "createsession", "-event", "none.json"}, "none.json"},
		"not JSON":         {[]string{"-function", "createsession", "-event", text}, text},
		"bad env":          {[]string{"-env", "X"}, "NAME=VALUE"},
		"unknown flag":     {[]string{"-x"}, "-x"},
		"argument":         {[]string{"createsession"}, `unexpected argument "createsession"`},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), tc.args, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), tc.want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want 2 and %q", name, code, &stdout, &stderr, tc.want)
		}
	}
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != exitAnswered || !strings.Contains(stderr.String(), "-api-key") {
		t.Errorf("-h: exit code %d, %q", code, &stderr)
	}
}

// built is a function's binary.
func built(t *testing.T, function string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), function)
	if err := lambdatest.Build(t.Context(), "./functions/"+function, binary); err != nil {
		t.Fatal(err)
	}
	return binary
}

func TestInvoke_events(t *testing.T) {
	t.Parallel()
	binary := built(t, "createsession")
	files, _ := filepath.Glob("../../../events/createsession-*.json")
	if len(files) == 0 {
		t.Fatal("no event files")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			e, err := readEvent(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, apiKey := range []bool{false, true} {
				var stdout strings.Builder
				err := call{function: "createsession", event: e, apiKey: apiKey}.invoke(t.Context(), binary, &stdout)
				out := stdout.String()
				if err != nil {
					t.Fatalf("%v, stdout:\n%s", err, out)
				}
				checkAnswer(t, filepath.Base(file), out, apiKey)
			}
		})
	}
}

// checkAnswer compares the answer with what the name of the file promises.
func checkAnswer(t *testing.T, name, out string, apiKey bool) {
	t.Helper()
	want := []string{"== answer", "== logs", "== upstream calls", "== measured"}
	switch {
	case strings.Contains(name, "unauthenticated"):
		want = append(want, "401 Unauthorized", "Didit session    0")
	case strings.Contains(name, "-http-refused"):
		want = append(want, "400 Bad Request", `"code": "invalid_request"`, "Didit session    0")
	case strings.Contains(name, "-direct-refused"):
		want = append(want, `"errorType": "InvalidRequest"`, "Didit session    0")
	default:
		want = append(want, `"session_id": "`, "Secrets Manager  1", "Didit session    1")
		if strings.Contains(name, "-http-") {
			want = append(want, "201 Created", "Location: sessions/", "Cache-Control: no-store")
		}
		tokens := "Didit token      1"
		if apiKey {
			tokens = "Didit token      0"
		}
		want = append(want, tokens)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("%q is missing in:\n%s", text, out)
		}
	}
}

func TestRun_wholeWay(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{
		"-function", "createsession", "-event", "../../../events/createsession-http-minimal.json", "-env", "CALLER_AUTH=",
	}, &stdout, &stderr)
	if code != exitAnswered || !strings.Contains(stdout.String(), "201 Created") {
		t.Errorf("exit code %d, stderr %q, stdout:\n%s", code, &stderr, &stdout)
	}
}

func TestInvoke_crash(t *testing.T) {
	t.Parallel()
	c := call{function: "createsession", event: event{payload: []byte(`{}`)}, env: map[string]string{"WORKFLOW_IDS": "not a UUID"}}
	var stdout strings.Builder
	err := c.invoke(t.Context(), built(t, "createsession"), &stdout)
	out := stdout.String()
	if err != errNoAnswer || !strings.Contains(out, "== no answer\nfunction exited: exit status 1") || strings.Count(out, "WORKFLOW_IDS") != 1 {
		t.Errorf("got %v, stdout:\n%s", err, out)
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	const id = "99999999-2222-3333-4444-55555555abcd"
	for payload, want := range map[string]event{
		`{"requestContext":{"authorizer":{"iam":{"userArn":"x"}}}}`:                                               {iam: true},
		`{"requestContext":{"authorizer":{"iam":{}}}}`:                                                            {iam: true},
		`{"requestContext":{"authorizer":{"iam":null}}}`:                                                          {},
		`{"requestContext":{"authorizer":{"jwt":{"claims":{"sub":"u"}}}},"rawPath":"/sessions/` + id + `"}`:       {principal: "u", sessionID: id},
		`{"workflow_id":"x","vendor_data":"requestContext.iam.fake"}`:                                             {userID: "requestContext.iam.fake"},
		`{"session_id":"` + strings.ToUpper(id) + `","task_token":"t"}`:                                           {sessionID: id, taskToken: "t"},
		`{"source":"didit.sessions","detail":{"session_id":"` + id + `"}}`:                                        {sessionID: id},
		`{"version":"2.0","rawPath":"/webhooks/didit","body":"{\"session_id\":\"` + id + `\",\"status\":\"x\"}"}`: {sessionID: id},
		`{"rawPath":"/sessions","queryStringParameters":{"vendor_data":"u"}}`:                                     {principal: "u"},
		`{"rawPath":"/sessions/x"}`:                                                                               {},
		`[]`:                                                                                                      {},
	} {
		got := parseEvent([]byte(payload))
		if got.payload = nil; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", payload, got, want)
		}
	}
}

// Ensure that every event gets the answer that its name promises, from the function that the file's
// name begins with. TestInvoke_events has those of createsession.
func TestInvoke_functions(t *testing.T) {
	t.Parallel()
	wants := map[string][]string{
		"getsession-http-one":             {"200 OK", `"status": "Not Started"`, `"next": "verify"`, "DynamoDB"},
		"getsession-http-iam":             {"200 OK", `"vendor_data": "user-123"`},
		"getsession-http-list":            {"200 OK", `"sessions": [`, `"vendor_data": "user-123"`},
		"getsession-http-unauthenticated": {"401 Unauthorized"},
		"webhook-http-started":            {"200 OK", "EventBridge"}, // signed anew
		"webhook-http-approved":           {"200 OK", "EventBridge"},
		"webhook-http-ignored":            {"200 OK", `"code":"ignored"`},
		"webhook-http-unsigned":           {"401 Unauthorized", "unauthenticated"},
		"trackstatus-direct-status":       {"{}", "DynamoDB         3"},
		"awaitdecision-direct-refused":    {`"errorType": "InvalidRequest"`},
		"awaitdecision-direct-wait":       {"== answer\n{}", "Didit decision   1"},
		"eraseuser-direct-user":           {`"deleted": 1`, `"user_deleted": true`, "EventBridge      1"},
		"eraseuser-direct-refused":        {`"errorType": "InvalidRequest"`},
		"reconcile-direct-schedule":       {`"asked": 0`},
		"getdecision-direct-decision":     {`"session_id": "99999999-2222-3333-4444-555555555555"`, `"status": "Approved"`, "Didit decision   1"},
		"getdecision-direct-refused":      {`"errorType": "InvalidRequest"`},
	}
	files, err := filepath.Glob("../../../events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasPrefix(name, "createsession-") {
			continue
		}
		if wants[name] == nil {
			t.Errorf("%s: what it answers is not said here", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			if code := run(t.Context(), []string{"-event", file}, &stdout, &stderr); code != exitAnswered {
				t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, &stderr, &stdout)
			}
			for _, text := range wants[name] {
				if !strings.Contains(stdout.String(), text) {
					t.Errorf("%q is missing in:\n%s", text, &stdout)
				}
			}
		})
	}
}

// Ensure that the error of a direct call about an unknown session speaks of a session and not of a
// path.
func TestInvoke_unknownSession(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "getdecision-direct-unknown.json")
	if err := os.WriteFile(file, []byte(`{"session_id":"99999999-2222-3333-4444-555555555555"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := readEvent(file)
	if err != nil {
		t.Fatal(err)
	}
	e.sessionID = "" // prepare makes no session known
	var stdout strings.Builder
	if err := (call{function: "getdecision", event: e}).invoke(t.Context(), built(t, "getdecision"), &stdout); err != nil {
		t.Fatal(err)
	}
	if out := stdout.String(); !strings.Contains(out, `"errorMessage": "Not found. There is no such session."`) {
		t.Errorf("got %s", out)
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	got := pretty([]byte(`{"a":12345678901234567890.10,"b":"<&>"}`))
	if !json.Valid([]byte(got)) || !regexp.MustCompile(`"a": 12345678901234567890\.10,\n  "b": "<&>"`).MatchString(got) {
		t.Errorf("got %s", got)
	}
	if got := pretty([]byte("plain text")); got != "plain text" {
		t.Errorf("got %s", got)
	}
}
