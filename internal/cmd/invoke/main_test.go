package main

import (
	"encoding/json"
	"os"
	"path/filepath"
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
		"nothing":          {nil, "-function is missing; there are: "},
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
				var stdout, stderr strings.Builder
				code := call{function: "createsession", apiKey: apiKey}.invoke(t.Context(), binary, e, &stdout, &stderr)
				out := stdout.String()
				if code != exitAnswered || stderr.Len() > 0 {
					t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, &stderr, out)
				}
				checkAnswer(t, filepath.Base(file), out, apiKey)
			}
		})
	}
}

// checkAnswer holds the answer against what the file's name promises.
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
	e := event{payload: []byte(`{}`)}
	c := call{function: "createsession", env: map[string]string{"WORKFLOW_IDS": "not a UUID"}}
	var stdout, stderr strings.Builder
	code := c.invoke(t.Context(), built(t, "createsession"), e, &stdout, &stderr)
	out := stdout.String()
	if code != exitFailed || !strings.Contains(out, "== no answer\nfunction exited: exit status 1") || strings.Count(out, "WORKFLOW_IDS") != 1 {
		t.Errorf("exit code %d, stdout:\n%s", code, out)
	}
}

func TestReadEvent_iam(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]bool{
		`{"requestContext":{"authorizer":{"iam":{"userArn":"x"}}}}`:   true,
		`{"requestContext":{"authorizer":{"iam":{}}}}`:                true,
		`{"requestContext":{"authorizer":{"iam":null}}}`:              false,
		`{"requestContext":{"authorizer":{"jwt":{"claims":{}}}}}`:     false,
		`{"workflow_id":"x","vendor_data":"requestContext.iam.fake"}`: false,
		`[]`: false,
	} {
		if got := hasIAM([]byte(payload)); got != want {
			t.Errorf("%s: got %v, want %v", payload, got, want)
		}
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	got := string(pretty([]byte(`{"a":12345678901234567890.10,"b":"<&>"}`)))
	if !json.Valid([]byte(got)) || !regexp.MustCompile(`"a": 12345678901234567890\.10,\n  "b": "<&>"`).MatchString(got) {
		t.Errorf("got %s", got)
	}
	if got := string(pretty([]byte("plain text"))); got != "plain text" {
		t.Errorf("got %s", got)
	}
}
