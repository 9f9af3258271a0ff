package awsfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/awsfake"
)

const marker = "MARKER-secret-value"

func startSecrets(t *testing.T) *awsfake.SecretsManager {
	t.Helper()
	secrets := &awsfake.SecretsManager{}
	if err := secrets.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secrets.Close)
	return secrets
}

// sdk returns the real client, without retries.
func sdk(url string, httpClient *http.Client) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:       awsfake.Region,
		BaseEndpoint: aws.String(url),
		HTTPClient:   httpClient,
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "fake"}, nil
		}),
	})
}

func get(ctx context.Context, client *secretsmanager.Client, id, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	input := &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)}
	if stage != "" {
		input.VersionStage = aws.String(stage)
	}
	return client.GetSecretValue(ctx, input)
}

func TestSecretsManager_rotation(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	client := sdk(secrets.URL(), http.DefaultClient)
	begin := time.Now()
	secrets.Set("didit", "first")
	if _, err := get(t.Context(), client, "didit", "AWSPREVIOUS"); !isNotFound(err) {
		t.Errorf("previous version before a rotation: got %v, want not found", err)
	}
	first, err := get(t.Context(), client, "didit", "")
	if err != nil || *first.SecretString != "first" || *first.Name != "didit" ||
		first.CreatedDate.Before(begin.Truncate(time.Second)) || first.CreatedDate.After(time.Now().Add(time.Millisecond)) {
		t.Fatalf("got %+v, %v", first, err)
	}
	secrets.Set("didit", "second")
	for _, tc := range []struct{ id, stage, want string }{
		{"didit", "", "second"},
		{"didit", "AWSCURRENT", "second"},
		{"didit", "AWSPREVIOUS", "first"},
		{*first.ARN, "", "second"},
	} {
		got, err := get(t.Context(), client, tc.id, tc.stage)
		if err != nil || *got.SecretString != tc.want {
			t.Errorf("%s %s: got %v, want %q", tc.id, tc.stage, err, tc.want)
		}
	}
	if got, previous := secrets.Calls(""), secrets.Calls("AWSPREVIOUS"); got != 6 || previous != 2 {
		t.Errorf("%d calls, %d for the previous version, want 6 and 2", got, previous)
	}
}

func TestSecretsManager_faults(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	secrets.Set("didit", marker)
	client := sdk(secrets.URL(), http.DefaultClient)
	for fault, code := range map[awsfake.Fault]string{
		awsfake.Throttled:         "ThrottlingException",
		awsfake.AccessDenied:      "AccessDeniedException",
		awsfake.NotFound:          "ResourceNotFoundException",
		awsfake.MarkedForDeletion: "InvalidRequestException",
		awsfake.DecryptionFailure: "DecryptionFailure",
		awsfake.InternalError:     "InternalServiceError",
	} {
		secrets.Fail(fault, 2)
		for range 2 {
			_, err := get(t.Context(), client, "didit", "")
			api, ok := errors.AsType[smithy.APIError](err)
			if !ok || api.ErrorCode() != code || api.ErrorMessage() == "" {
				t.Errorf("%s: got %v", code, err)
			}
			if strings.Contains(fmt.Sprint(err), marker) {
				t.Errorf("%s: the error shows the secret", code)
			}
		}
		if _, err := get(t.Context(), client, "didit", ""); err != nil {
			t.Errorf("after two times %s: got %v", code, err)
		}
	}
}

// Ensure that each version has its own time, and may fail alone.
func TestSecretsManager_versions(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	client := sdk(secrets.URL(), http.DefaultClient)
	created := map[string]time.Time{"AWSPREVIOUS": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "AWSCURRENT": time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC)}
	secrets.SetAt("didit", "first", created["AWSPREVIOUS"])
	secrets.SetAt("didit", "second", created["AWSCURRENT"])
	for stage, want := range created {
		got, err := get(t.Context(), client, "didit", stage)
		if err != nil || !got.CreatedDate.Equal(want) {
			t.Errorf("%s: got error %v, want it created at %v", stage, err, want)
		}
	}
	for stage, other := range map[string]string{"AWSPREVIOUS": "", "AWSCURRENT": "AWSPREVIOUS"} {
		secrets.FailOnly(stage, awsfake.Throttled, 1)
		if _, err := get(t.Context(), client, "didit", other); err != nil {
			t.Errorf("version %q while %s fails: got %v, want it", other, stage, err)
		}
		if _, err := get(t.Context(), client, "didit", stage); err == nil {
			t.Errorf("%s: got no error, want the fault", stage)
		}
		if _, err := get(t.Context(), client, "didit", stage); err != nil {
			t.Errorf("%s after the fault: got %v, want it", stage, err)
		}
	}
}

func TestSecretsManager_connectionFaults(t *testing.T) {
	t.Parallel()
	secrets := &awsfake.SecretsManager{}
	secrets.Set("didit", marker)
	plain, secured := httptest.NewServer(secrets), httptest.NewUnstartedServer(secrets)
	defer plain.Close()
	// Clients abort handshakes here.
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	defer secured.Close()
	for _, server := range []*httptest.Server{plain, secured} {
		client := sdk(server.URL, server.Client())
		secrets.Fail(awsfake.Reset, 1)
		if _, err := get(t.Context(), client, "didit", ""); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: got %v", err)
		}
		secrets.Fail(awsfake.Silence, awsfake.UntilCleared)
		for range 2 {
			wantSilence(t, func() int { return secrets.Calls("") }, func(ctx context.Context) error {
				_, err := get(ctx, client, "didit", "")
				return err
			})
		}
		secrets.ClearFaults()
		if got, err := get(t.Context(), client, "didit", ""); err != nil || *got.SecretString != marker {
			t.Errorf("after ClearFaults: got %v", err)
		}
	}
}

func TestSecretsManager_closeEndsSilence(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	secrets.Fail(awsfake.Silence, 1)
	failed := make(chan error)
	go func() {
		_, err := get(t.Context(), sdk(secrets.URL(), http.DefaultClient), "didit", "")
		failed <- err
	}()
	waitForCall(patience(t), func() int { return secrets.Calls("") }, 0)
	secrets.Close()
	if err := <-failed; err == nil {
		t.Error("a request kept waiting was answered by Close")
	}
}

func TestSecretsManager_wire(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	secrets.Set("didit", marker)
	const signed = "AWS4-HMAC-SHA256 Credential=AKID/20250101/eu-west-1/secretsmanager/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	for name, tc := range map[string]struct {
		target, authorization, body, wantType string
		wantStatus                            int
	}{
		"good":           {"GetSecretValue", signed, `{"SecretId":"didit"}`, "", 200},
		"unsigned":       {"GetSecretValue", "", `{"SecretId":"didit"}`, "MissingAuthenticationTokenException", 400},
		"bearer":         {"GetSecretValue", "Bearer " + marker, `{"SecretId":"didit"}`, "IncompleteSignatureException", 400},
		"other service":  {"GetSecretValue", strings.Replace(signed, "secretsmanager", "dynamodb", 1), `{"SecretId":"didit"}`, "IncompleteSignatureException", 400},
		"other action":   {"PutSecretValue", signed, `{"SecretId":"didit"}`, "UnknownOperationException", 400},
		"no JSON":        {"GetSecretValue", signed, `{`, "SerializationException", 400},
		"no id":          {"GetSecretValue", signed, `{}`, "ValidationException", 400},
		"unknown secret": {"GetSecretValue", signed, `{"SecretId":"other"}`, "ResourceNotFoundException", 400},
		"version id":     {"GetSecretValue", signed, `{"SecretId":"didit","VersionId":"1"}`, "SerializationException", 400},
		"unknown stage":  {"GetSecretValue", signed, `{"SecretId":"didit","VersionStage":"X"}`, "ResourceNotFoundException", 400},
		"too long":       {"GetSecretValue", signed, strings.Repeat(" ", 20000), "RequestEntityTooLargeException", 413},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", secrets.URL(), strings.NewReader(tc.body))
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "secretsmanager."+tc.target)
		req.Header.Set("X-Amz-Date", "20250101T000000Z")
		if tc.authorization != "" {
			req.Header.Set("Authorization", tc.authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var document struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(body, &document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if resp.StatusCode != tc.wantStatus || document.Type != tc.wantType || resp.Header.Get("X-Amzn-ErrorType") != tc.wantType ||
			resp.Header.Get("X-Amzn-RequestId") == "" || resp.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s: got %d %v %s", name, resp.StatusCode, resp.Header, body)
		}
		if tc.wantType != "" && strings.Contains(string(body), marker) {
			t.Errorf("%s: the refusal shows the secret: %s", name, body)
		}
	}
}

func TestSecretsManager_printsRedacted(t *testing.T) {
	t.Parallel()
	secrets := &awsfake.SecretsManager{}
	secrets.Set("didit", marker)
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %q", secrets, secrets, secrets, secrets, secrets)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secrets", secrets)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secrets", secrets)
	encoded, _ := json.Marshal(map[string]any{"secrets": secrets})
	out.Write(encoded)
	if strings.Contains(out.String(), marker) {
		t.Errorf("the secret is printed: %s", out.String())
	}
}

// isNotFound goes by the modelled type, which the client makes only of the right wire format.
func isNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}
