package didit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// newDidit stands in for Didit's two origins.
func newDidit() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/v2/token/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"token","expires_in":86400}`)
	})
	mux.HandleFunc("POST /v2/session/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"session_id":"11111111-2222-3333-4444-555555555555","status":"Not Started",
			"url":"https://verify.didit.me/session/abcdef123456"}`)
	})
	mux.HandleFunc("POST /v3/session/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"workflow_id":"Invalid workflow_id."}`)
	})
	return httptest.NewServer(mux)
}

// tokens would be a package-level variable of a Lambda function.
var tokens didit.TokenCache

func ExampleClient_CreateSession() {
	server := newDidit()
	defer server.Close()

	client := &didit.Client{
		Credentials: &didit.CredentialCache{
			Read: func(context.Context) (string, error) {
				return `{"client_id":"my-app","client_secret":"from the secret store"}`, nil
			},
		},
		Tokens:         &tokens,
		AuthURL:        server.URL,
		APIURL:         server.URL,
		AttemptTimeout: time.Minute,
	}
	session, err := client.CreateSession(context.Background(), didit.SessionRequest{
		WorkflowID: "11111111-2222-3333-4444-555555555555",
		VendorData: "user-123",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session) // neither the URL nor the token
	fmt.Println(session.URL)
	// Output:
	// session 11111111-2222-3333-4444-555555555555 (Not Started)
	// https://verify.didit.me/session/abcdef123456
}

// The simulator stands in for Didit here: it signs as Didit does.
func ExampleVerifier_Verify() {
	verifier := &didit.Verifier{
		Secrets: &didit.WebhookSecretCache{
			Read: func(context.Context) (didit.WebhookSecrets, error) {
				return didit.WebhookSecrets{Current: didittest.DefaultWebhookSecret}, nil
			},
		},
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, didit.MaxWebhookBytes))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		event, err := verifier.Verify(r.Context(), r.Header, body)
		if refused, ok := errors.AsType[*didit.WebhookError](err); ok {
			fmt.Println(refused)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println(event.Type, event.Status, *event.VendorData)
	}))
	defer backend.Close()

	sim := &didittest.Server{WebhookURL: backend.URL, DeliveryTimeout: time.Minute}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()
	sim.Misdeliver(didittest.SendForged, 1)
	client := &didit.Client{
		Credentials: &didit.CredentialCache{
			Read: func(context.Context) (string, error) { return `{"api_key":"` + didittest.DefaultAPIKey + `"}`, nil },
		},
		APIURL:         sim.URL(),
		AttemptTimeout: time.Minute,
	}
	ctx := context.Background()
	session, err := client.CreateSession(ctx, didit.SessionRequest{
		WorkflowID: "11111111-2222-3333-4444-555555555555",
		VendorData: "user-123",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sim.SetStatus(session.ID, "Approved"); err != nil {
		fmt.Println(err)
	}
	if err := sim.Settle(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// didit: webhook: signature mismatch: the signature matches no secret
	// status.updated Approved user-123
}

// An error tells what failed by its kind; its text is safe to log, its fields are not.
func ExampleError() {
	server := newDidit()
	defer server.Close()

	client := &didit.Client{
		Credentials: &didit.CredentialCache{
			Read: func(context.Context) (string, error) { return `{"api_key":"key"}`, nil },
		},
		APIURL:         server.URL,
		AttemptTimeout: time.Minute,
	}
	_, err := client.CreateSession(context.Background(), didit.SessionRequest{WorkflowID: "none"})
	if e, ok := errors.AsType[*didit.Error](err); ok && e.Kind == didit.KindInvalidRequest {
		fmt.Println(e)
		fmt.Println(e.Fields[0].Field, "–", e.Fields[0].Message)
	}
	// Output:
	// didit: create_session: invalid_request (status 400)
	// workflow_id – Invalid workflow_id.
}
