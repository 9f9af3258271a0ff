// Package awsfake has fakes of the AWS services that functions of this module call, for tests and
// local programs: [SecretsManager], [EventBridge] and [StepFunctions]; package dynamodb has a
// table. They speak the services' wire protocols, so the real SDK talks to them, refuse what the
// services refuse, and fail on demand:
//
//	secrets := new(awsfake.SecretsManager)
//	secrets.Set("didit", `{"api_key":"key"}`)
//	err := secrets.Start() // a function finds it by AWS_ENDPOINT_URL_SECRETS_MANAGER
//	defer secrets.Close()
//	secrets.Fail(awsfake.Throttled, 2) // the next two requests
//
// A fake is an [http.Handler], so a program may also serve it in its own way. The zero value is
// ready to use, all methods are safe for concurrent use, and a fake must not be copied. Requests
// must be signed (Signature Version 4), but signatures are not verified. Fakes print, log and
// encode without the data that they hold.
package awsfake
