// Package didit is a client of Didit's verification API.
//
// It handles credentials, access tokens, the requests to Didit, and the many forms of Didit's
// answers, errors and webhooks. It does not validate requests and does not know who its caller's
// users are, and it never logs. It depends on the standard library and on a strict reader of JSON.
//
//	client := &didit.Client{
//		Credentials: &didit.CredentialCache{Read: readSecret},
//		Tokens:      &tokens, // a package-level variable, so that it survives warm calls
//	}
//	session, err := client.CreateSession(ctx, didit.SessionRequest{
//		WorkflowID: "11111111-2222-3333-4444-555555555555",
//		VendorData: "user-123",
//		Fields:     map[string]any{"callback": "https://app.example.com/verified"},
//	})
//
// Didit reports the progress of a session by webhook, and on request:
//
//	verifier := &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: readWebhookSecret}}
//	event, err := verifier.Verify(ctx, request.Header, body)
//	decision, err := client.Decision(ctx, event.SessionID)
//
// What a caller should know:
//
//   - Set VendorData if there is an end user to name. Didit then returns an unfinished session
//     instead of creating another, so that a request whose answer was lost can be sent again
//     without paying twice.
//   - Store the session id before handing out the URL. The URL and the session token are bearer
//     secrets: anyone who has one can complete the verification.
//   - A webhook is authenticated by its signature over the bytes that arrived: verify before
//     decoding. Deliveries come twice, late and out of order; [WebhookEvent].ID and OccurredAt are
//     the same in all deliveries of one event. A [*WebhookError] is the fault of the delivery;
//     after any other error, let Didit retry.
//   - A [Decision] contains personal documents. Of a webhook's decision, only the names of its
//     features and their statuses are kept.
//   - An error is an [*Error] with a [Kind], or the error of the credential source. Its text
//     contains no secret, no personal data and none of Didit's words, and may be logged.
//   - Refused credentials are renewed once per call: the secret is read again, a new token
//     requested, and the call made once more.
package didit
