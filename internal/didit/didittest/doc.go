// Package didittest simulates Didit on a local port, so that a program which creates verification
// sessions can be tested, or tried by hand, without an account, a network or a face.
//
// The simulator keeps what Didit keeps: access tokens, sessions, and which session belongs to which
// end user. It refuses what Didit refuses, in the same words, and fails on demand in every way that
// Didit's pages document and networks know. It speaks the protocol only and shares no code with any
// client library, so client and simulator check each other.
//
// # In a test
//
// A [Server] is an [http.Handler] whose zero value works:
//
//	sim := &didittest.Server{}
//	ts := httptest.NewServer(sim) // or NewTLSServer; programs call sim.Start instead
//	defer ts.Close()
//	defer sim.Close() // runs first: a request that a fault keeps waiting would block ts.Close
//
// Point the program's token URL and session URL both at ts.URL, give it [DefaultClientID] and
// [DefaultClientSecret], or [DefaultAPIKey], and look at what it did: [Server.Requests],
// [Server.Count], [Server.Sessions]. To see how it handles a failure, arm a fault before the call:
//
//	sim.Inject(didittest.RateLimited.Once())
//	sim.Inject(didittest.ServerError.At(didittest.OpToken))
//	sim.Inject(didittest.Fault{On: didittest.OpCreate, Mode: didittest.ModeResetAfter, Times: 1})
//
// The first applies to one create request; the second to each token request until
// [Server.ClearFaults]; the third creates the session and then resets the connection, which is how
// a program comes to pay for two sessions. A session that names a fault in its metadata meets it
// too: {"metadata": {"simulate": "paid_plan"}}, or another of [KnownNames]. Three more events
// deserve a test: a rotation of the credentials ([Server.SetCredentials]), a token that expires
// early ([Server.RevokeTokens]), and a clock in [Server.Now] that jumps a day.
//
// # What it answers
//
//	POST /auth/v2/token/             an access token, for HTTP Basic authentication and
//	                                 grant_type=client_credentials
//	POST /v2/session/                a session, for a bearer token or x-api-key
//	POST /v3/session/                the same, with workflow_version and session_kind
//	GET  /v2/session/{id}/decision/  the session's decision in v2's shape, for the same credentials
//	GET  /v3/session/{id}/decision/  the same, in v3's shape
//	GET  /v3/sessions/               the sessions, newest first; by vendor_data, workflow_id and
//	                                 status, with limit and offset
//	DELETE /v3/session/{id}/delete/  deletes a session softly; also under /v2
//	POST /v3/users/delete/           {"vendor_data_list": […]}; deletes users, and not their sessions
//	GET  /session/{token}            the page on which a person chooses the outcome; also under
//	                                 /{language}/session/{token}
//	POST /session/{token}/decision   the page's form
//	GET  /v3/workflows/              the management API, for x-api-key or a bearer token: the
//	GET  /v3/billing/balance/        application's workflows, its credit, webhook destinations with
//	…    /v3/webhook/destinations/   their secrets and logged deliveries, the application's own
//	…    /v3/webhook/                webhook and allowed domains, the deliveries of a session, and
//	GET  /v3/session/{id}/webhooks/  their resending (POST …/webhook/{uuid}/resend)
//
//	GET  /                           the console: sessions, faults and webhooks with a button each
//
// Every other path is Didit's 404 page. A path without its trailing slash is a redirect, which
// callers should not follow: it loses their credentials. As at Didit, an unfinished session of the
// same vendor data and workflow is returned with status 201 instead of a second one, its callback,
// metadata and language overwritten by those of the new request, and a bad phone number is ignored.
// Where Didit publishes no rule, for example for the wording of a bad date, the simulator answers
// as Django REST Framework does, on which Didit's API is built. It never declines by
// expected_details (a sandbox_scenario of a [Server.Sandbox] declines), enforces no rate limit of
// its own, and ignores fields it does not know.
//
// # Webhooks
//
// Every change of a session's status is delivered in the background to each enabled destination
// that subscribed to it: [Server.WebhookURL] is one, the API makes others. Deliveries are signed as
// Didit signs: changes by the page, by [Server.SetStatus], and the creation of a session.
// [Server.EditData] sends the event for edited data. A delivery that meets a 5xx, a 404, a timeout
// or a failed connection is retried after [Server.RetryWaits]; any other answer is final, and
// redirects are not followed. [Server.Deliveries] returns the attempts, [Server.Settle] waits for
// all of them, and [Server.Resend] sends an event again, as Didit's console does.
// [Server.Misdeliver] arms a [Quirk], which is what else a backend must bear: an event that comes
// twice, late or never, that is forged or stale, or that a proxy has re-encoded.
//
// # From other languages and processes
//
// The control API does over HTTP what the methods do. Bodies are JSON, with the media type
// application/json and only the fields named here; a mistake is status 400 and {"error": "field:
// what is wrong"}.
//
//	GET    /simulator/console               what the page at / shows
//	GET    /simulator/faults                the armed faults, and the names of all ready-made ones
//	POST   /simulator/faults                {"name": "rate_limited", "times": 1}, or on, times, mode,
//	                                        pause_ms, status, headers, body (a string is sent
//	                                        as it is, any other JSON as JSON), size
//	DELETE /simulator/faults                disarms all, or those of ?name=
//	GET    /simulator/sessions              {"sessions": […]}, each as [Session]
//	POST   /simulator/sessions              {"workflow_id", "vendor_data"}; starts one that no backend
//	                                        asked for, as SDKs do; answers the [Session]
//	POST   /simulator/sessions/{id}/status  {"status": "Declined"}
//	POST   /simulator/sessions/{id}/data    {}; sends data.updated
//	GET    /simulator/application           {"allowed_domains": […], "workflows": […], "balance"}
//	POST   /simulator/application           the same, and "scoped_keys": {"key": ["right", …]}; what is
//	                                        absent stays, and no domains allow all callbacks
//	GET    /simulator/requests              {"requests": […]}, each as [Request]
//	GET    /simulator/webhook               {"url", "version", "quirks": […]}
//	POST   /simulator/webhook               {"url", "secret", "version"}; an absent one stays. It is the
//	                                        oldest destination, which is created where there is none
//	POST   /simulator/webhook/rotation      {"secret"}; for 24 hours the one before signs, too
//	POST   /simulator/webhook/quirks        {"quirk": "twice", "times": 1}
//	DELETE /simulator/webhook/quirks        disarms all, or those of ?quirk=
//	GET    /simulator/deliveries            {"deliveries": […]}, each as [Delivery]
//	POST   /simulator/deliveries/{id}/resend  {}, for the id of an event; answers the [Delivery]
//
// # Limitations
//
// The control API is open to every program that can reach the port, and create requests are kept in
// memory as they came, personal data included. Keep the simulator on the loopback interface, and
// keep real credentials and real people out of it.
package didittest
