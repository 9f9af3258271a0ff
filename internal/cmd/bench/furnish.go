package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/verification"
)

// The session that is on record in every world, of the recorded requests in events/.
const (
	recordedID    = "99999999-2222-3333-4444-555555555555"
	recordedOwner = "user-123"
)

// putOnRecord makes the table at url, and puts the session into it: at a final
// status, so that nobody asks Didit about it.
func putOnRecord(ctx context.Context, url string, transport http.RoundTripper) error {
	client := dynamodb.New(dynamodb.Options{
		Region: lambdatest.Region, BaseEndpoint: aws.String(url), HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "not-a-real-key"}, nil
		}),
	})
	if _, err := client.CreateTable(ctx, awsstore.Schema(tableName)); err != nil {
		return err
	}
	table := &awsstore.Table{Client: client, Name: tableName}
	return table.Add(ctx, verification.NewRecord(recordedID, recordedOwner, workflow, "Approved", time.Now().Add(-time.Hour)))
}

// buyToken gets the access token that a floor is given.
func buyToken(ctx context.Context, diditURL string, transport http.RoundTripper) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, diditURL+"/auth/v2/token/", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(didittest.DefaultClientID, didittest.DefaultClientSecret)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("the simulator sold no token: %w", err)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("the simulator sold no token: status %d", response.StatusCode)
	}
	return answer.Token, nil
}
