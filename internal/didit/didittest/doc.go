// Package didittest is a Didit simulator: it speaks Didit's protocol on a local port, so that a program which creates
// verification sessions can be tested, and tried by hand, without an account, a network or a face.
//
// It keeps what Didit keeps (access tokens, sessions, which session belongs to which end user), refuses what Didit
// refuses, in the same words, and fails on demand in every way that Didit's pages document and networks know. It
// fakes the wire and nothing else: it knows no client library, so a client that gets along with it has been heard by
// something it was not built together with.
//
// # In a test
//
// A [Server] is an [http.Handler] whose zero value works:
//
//	sim := &didittest.Server{}
//	ts := httptest.NewServer(sim) // or NewTLSServer
//	defer ts.Close()
//	defer sim.Close() // first, so that no silent request holds up ts.Close
//
// Point the program's token URL and session URL both at ts.URL, give it [DefaultClientID] and [DefaultClientSecret],
// or [DefaultAPIKey], and look at what it did: [Server.Requests] and [Server.Count] tell what was received,
// [Server.Sessions] what came of it. Programs outside of tests call [Server.Start] instead of using httptest.
//
// To see how the program takes trouble, arm a fault before the call:
//
//	sim.Inject(didittest.RateLimited.Once())
//	sim.Inject(didittest.ServerError.At(didittest.OpToken))
//	sim.Inject(didittest.Fault{On: didittest.OpCreate, Mode: didittest.ModeResetAfter, Times: 1})
//
// The first is met by one create request; the second, by each token request until [Server.ClearFaults]; the third
// creates the session and then cuts the connection, which is how sessions are paid for twice. Three more things that
// deserve a test: [Server.SetCredentials] in mid-course (a rotation), [Server.RevokeTokens] (a token that dies before
// its time), and a clock in [Server.Now] that jumps a day.
//
// # What it answers
//
//	POST /auth/v2/token/             an access token, for HTTP Basic authentication with grant_type=client_credentials
//	POST /v2/session/                a session, for a bearer token or x-api-key
//	POST /v3/session/                the same, with workflow_version and session_kind
//	GET  /v2/session/{id}/decision/  how the session stands, in v2's shape, for the same credentials
//	GET  /v3/session/{id}/decision/  the same, in v3's shape
//	GET  /session/{token}            the page on which a person decides how the verification ends, also under
//	     /{language}/session/{token} a language
//	POST /session/{token}/decision   the page's form
//
// Everything else is Didit's 404 page, and a path without its trailing slash a redirect, which callers should not
// follow: they lose their credentials on the way. As at Didit, an unfinished session of the same vendor data and
// workflow comes back with status 201 instead of a second one, with callback, metadata and language overwritten by
// what the new request sends; and a bad phone number is ignored in silence. Where Didit publishes no rule, such as for
// the wording of a bad date, the simulator answers as Django REST Framework does, on which Didit's API is built. It
// never declines by expected_details, enforces no rate limit of its own, and ignores fields it does not know.
//
// # Webhooks
//
// With [Server.WebhookURL] set, every change of a session's status is told there, signed as Didit signs, in the
// background: by the page, by [Server.SetStatus], and when a session is made; [Server.EditData] tells that data was
// edited. A delivery that meets a 5xx, a 404, a timeout of 5 s or no connection is repeated after [Server.RetryWaits];
// one that meets anything else is not, and redirects are not followed. [Server.Deliveries] tells what came of each,
// [Server.Settle] waits for all, and [Server.Resend] sends an event again, as Didit's console does.
//
//	sim := &didittest.Server{WebhookURL: backend.URL + "/webhooks/didit", RetryWaits: []time.Duration{0, 0}}
//
// What a backend must bear beyond that is a [Quirk]: an event that comes twice, late or never, is forged or stale, or
// was written anew by a proxy.
//
//	sim.Misdeliver(didittest.SendTwice, 1)
//
// # By hand
//
// Whoever tries a program that runs against the simulator sees any fault by naming it in the metadata of a session:
//
//	{"workflow_id": "…", "metadata": {"simulate": "paid_plan"}}
//
// The names are those of [KnownNames].
//
// # From other languages and processes
//
// The control API does over HTTP what the methods do. Bodies are JSON, with the media type application/json and no
// field but those named here; a mistake is status 400 and {"error": "field: what is wrong"}.
//
//	GET    /simulator/faults                the armed faults and the names of all ready-made ones
//	POST   /simulator/faults                {"name": "rate_limited", "times": 1}, or spelled out: on, times, mode,
//	                                        pause_ms, status, headers (one value each), body (text or any JSON), size
//	DELETE /simulator/faults                disarms all
//	GET    /simulator/sessions              {"sessions": […]}, each as [Session]
//	POST   /simulator/sessions/{id}/status  {"status": "Declined"}
//	POST   /simulator/sessions/{id}/data    {}; sends data.updated
//	GET    /simulator/requests              {"requests": […]}, each as [Request], the body as text
//	GET    /simulator/webhook               {"url", "version", "quirks": […]}
//	POST   /simulator/webhook               {"url", "secret", "version"}; what is left out stays
//	POST   /simulator/webhook/quirks        {"quirk": "twice", "times": 1}
//	DELETE /simulator/webhook/quirks        disarms all
//	GET    /simulator/deliveries            {"deliveries": […]}, each as [Delivery]
//	POST   /simulator/deliveries/{event_id}/resend
//	                                        {}; answers the [Delivery]
//
// # What it is not for
//
// The control API is open to whoever reaches the port, and create requests are kept in memory as they came, personal
// data included: keep the simulator on the loopback interface and real credentials and people out of it.
package didittest
