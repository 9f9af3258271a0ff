// Package didit is a client of Didit's verification API.
//
// It owns the wire: credentials, access tokens, the requests to Didit, and the many
// shapes of Didit's answers, errors and webhooks. It refuses to decide anything about the caller:
// validation, identity and policy belong to whoever uses it. It imports the standard
// library alone and never logs.
//
//	client := &didit.Client{
//		Credentials: &didit.CredentialCache{Read: readSecret},
//		Tokens:      &tokens, // a package-level variable, so that it survives warm calls
//	}
//	session, err := client.CreateSession(ctx, didit.SessionRequest{
//		WorkflowID: "11111111-2222-3333-4444-555555555555",
//		VendorData: "user-123",
//	})
//
// Didit tells what becomes of a session by webhook, and on request:
//
//	verifier := &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: readWebhookSecret}}
//	event, err := verifier.Verify(ctx, request.Header, body)
//	decision, err := client.Decision(ctx, event.SessionID)
//
// What a caller should know:
//
//   - Send VendorData whenever there is an end user to name. Didit then hands an unfinished
//     session back instead of making another, which is what allows a lost answer to be asked
//     for again without paying twice.
//   - Store the session id before handing the URL out. The URL and the session token are
//     bearer secrets: whoever holds one can do the verification.
//   - A webhook proves itself by its signature over the very bytes that arrived: verify before
//     decoding. Deliveries come twice, late and out of order; [WebhookEvent].ID and OccurredAt
//     are the same for each delivery of one event. A [*WebhookError] tells a delivery that is no
//     good from trouble on this side, which Didit should be asked to repeat.
//   - A [Decision] holds documents of a person. Of a webhook's decision, only the words of its
//     features and their statuses are kept.
//   - An error is an [*Error] with a [Kind], or what the credential source returned. Its text
//     holds no secret, no personal data and none of Didit's words, and may be logged.
//   - Refused credentials are repaired once per call: a new read of the secret, a new token,
//     one more try.
package didit
