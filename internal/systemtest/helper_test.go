//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file are of the helpers, and need no Docker.

// Ensure that the last failure is reported, not the end of the time.
func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := poll(t.Context(), time.Second, func(ctx context.Context) error {
			if asked++; asked < 3 {
				return errors.New("not yet")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err == nil || !strings.Contains(err.Error(), "not yet") {
			t.Errorf("got %v, want the last failure", err)
		}
		if err := poll(t.Context(), time.Second, func(context.Context) error { return nil }); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestRouter(t *testing.T) {
	t.Parallel()
	named := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, name+" "+r.URL.Path+" "+string(body))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	moto, table, lambda := named("moto"), named("table"), named("lambda")
	for _, c := range []struct{ table, path, target, want string }{
		{table, "/", "secretsmanager.GetSecretValue", "moto / {}"},
		{table, "/", "DynamoDB_20120810.GetItem", "table / {}"},
		{"", "/", "DynamoDB_20120810.GetItem", "moto / {}"},
		{table, "/2015-03-31/functions/a:b/invocations", "", "lambda /2015-03-31/functions/a:b/invocations {}"},
	} {
		routes, err := newRouter(moto, c.table)
		if err != nil {
			t.Fatal(err)
		}
		routes.setLambda(lambda)
		server := httptest.NewServer(routes)
		t.Cleanup(server.Close)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", c.target)
		if got, err := exchange(http.DefaultClient, r); err != nil || string(got.body) != c.want {
			t.Errorf("%s %s: got %q, %v, want %q", c.path, c.target, got.body, err, c.want)
		}
	}
}

func TestInvocation_outcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer invocation
		want   outcome
	}{
		{invocation{payload: `{}`}, outcome{}},
		{invocation{payload: `{"statusCode":201,"body":"{}"}`}, outcome{status: 201}},
		{invocation{payload: `{"statusCode":401,"body":"{\"code\":\"unauthenticated\"}"}`}, outcome{401, "unauthenticated"}},
		{invocation{payload: `{"errorType":"InvalidRequest"}`, failed: true}, outcome{code: "InvalidRequest"}},
		{invocation{payload: `gone`, failed: true}, outcome{code: "unreadable"}},
	} {
		if got, err := c.answer.outcome(); err != nil || got != c.want {
			t.Errorf("%+v: got %v, %v, want %v", c.answer, got, err, c.want)
		}
	}
	if got, err := (invocation{payload: "gone"}).outcome(); err == nil {
		t.Errorf("no JSON: got %v, want an error", got)
	}
}

// Ensure that an invocation is retried if a busy machine ended it, and that every other answer is
// forwarded at once.
func TestInvoker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name     string
			answers  []reply
			want     int // requests
			wantBody string
		}{
			{"function's answer", []reply{{status: 200, body: []byte(`{"a":1}`)}}, 1, `{"a":1}`},
			{"function's error", []reply{failure("InvalidRequest", time.Minute)}, 1, `{"errorType":"InvalidRequest"}`},
			{"error at once", []reply{failure("BackendUnavailable", 0)}, 1, `{"errorType":"BackendUnavailable"}`},
			{"limit that was met", []reply{failure("BackendUnavailable", 3*time.Second), {status: 200, body: []byte(`{}`)}}, 2, `{}`},
			{"limit behind the gateway", []reply{
				{status: 200, body: []byte(`{"statusCode":503,"body":"{\"code\":\"backend_unavailable\"}"}`), took: 3 * time.Second},
				{status: 200, body: []byte(`{"statusCode":201,"body":"{}"}`)}}, 2, `{"statusCode":201,"body":"{}"}`},
			{"limit that is always met", []reply{failure("DiditTimeout", 61*time.Second)}, 5, `{"errorType":"DiditTimeout"}`},
			{"container that was not reached", []reply{{status: 500}, {status: 500}, {status: 200, body: []byte(`{}`)}}, 3, `{}`},
			{"timeout", []reply{{status: 200, body: []byte("Task timed out after 10.00 seconds")}, {status: 200, body: []byte(`{}`)}}, 2, `{}`},
		} {
			asked := 0
			h := &invoker{url: "http://lambda.invalid", transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != "payload" || r.URL.Path != "/functions/f" || r.Header.Get("A") != "b" {
					t.Errorf("%s: got %q, %v at %s, header %v", c.name, body, err, r.URL, r.Header)
				}
				answer := c.answers[min(asked, len(c.answers)-1)]
				asked++
				time.Sleep(answer.took)
				w := httptest.NewRecorder()
				answer.write(w)
				return w.Result(), nil
			})}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/functions/f", strings.NewReader("payload"))
			r.Header.Set("A", "b")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Body.String(); asked != c.want || got != c.wantBody {
				t.Errorf("%s: got %q after %d requests, want %q after %d", c.name, got, asked, c.wantBody, c.want)
			}
		}
	})
}

// failure is the answer of a function that fails.
func failure(errorType string, took time.Duration) reply {
	return reply{status: http.StatusOK, header: http.Header{"X-Amz-Function-Error": {"Unhandled"}},
		body: []byte(`{"errorType":"` + errorType + `"}`), took: took}
}

// roundTrip is an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Ensure that a delivery is retried after 5xx alone, with its body.
func TestCourier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ statuses, want []int }{
			{[]int{200}, []int{200}}, {[]int{404}, []int{404}}, {[]int{503, 502, 401}, []int{503, 502, 401}},
		} {
			var got []int
			deliver := courier{roundTrip(func(r *http.Request) (*http.Response, error) {
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "event" {
					t.Errorf("got body %q, %v", body, err)
				}
				status := c.statuses[len(got)]
				got = append(got, status)
				return &http.Response{StatusCode: status, Body: http.NoBody}, nil
			})}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://api.invalid", strings.NewReader("event"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := deliver.RoundTrip(r)
			if err != nil || response.StatusCode != c.want[len(c.want)-1] || !slices.Equal(got, c.want) {
				t.Errorf("%v: got %v, %v", c.statuses, got, err)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://api.invalid", strings.NewReader("event"))
		if err != nil {
			t.Fatal(err)
		}
		always := courier{roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{Status: "503", StatusCode: 503, Body: http.NoBody}, nil
		})}
		if response, err := always.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("always 503: got %v, %v, want an error that says so", response, err)
		}
	})
}

const exampleTemplate = `{"Transformed": {"Resources": {
	"Sessions": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
	"WebhookFunction": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {"TABLE_NAME": {"Ref": "Sessions"}}}}},
	"WebhookAlias": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "WebhookFunction"}, "Name": "live"}},
	"Schedule": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 minute)"}},
	"OnBus": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["a"]},
		"Targets": [{"Arn": {"Ref": "WebhookAlias"}}]}}
}}, "Source": {"Resources": {"Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "a.json"}}}}}`

func TestTemplate(t *testing.T) {
	t.Parallel()
	example := parseTemplate(t, exampleTemplate)
	if id, _, err := example.only("AWS::DynamoDB::Table"); err != nil || id != "Sessions" {
		t.Errorf("only: got %q, %v", id, err)
	}
	if _, _, err := example.only("AWS::Events::Rule"); err == nil {
		t.Error("only, of two: got no error")
	}
	if r, err := example.busRule(); err != nil || r.EventBusName.Ref != "Bus" || string(r.EventPattern) != `{"source": ["a"]}` {
		t.Errorf("busRule: got %+v, %v", r, err)
	}
	if arn, err := example.aliasARN("WebhookAlias"); err != nil || arn != "arn:aws:lambda:us-east-1:123456789012:function:WebhookFunction:live" {
		t.Errorf("aliasARN: got %q, %v", arn, err)
	}
	if _, err := example.aliasARN("WebhookFunction"); err == nil {
		t.Error("aliasARN, of a function: got no error")
	}
	if id, err := example.functionID("webhook"); err != nil || id != "WebhookFunction" {
		t.Errorf("functionID: got %q, %v", id, err)
	}
	if names := example.variables(); len(names) != 1 || !names["TABLE_NAME"] {
		t.Errorf("variables: got %v", names)
	}
	if file := example.definitionFile(); file != "a.json" {
		t.Errorf("definitionFile: got %q", file)
	}
}

func parseTemplate(t *testing.T, text string) (parsed template) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}
