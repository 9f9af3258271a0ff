// Package api is the public contract: the routes, the JSON of requests and answers over HTTP and by
// direct invocation, who the caller is, and how failures are reported. It does not depend on
// Lambda: over HTTP it is an [http.Handler], and a direct invocation is a method from payload to
// answer.
//
//	create := &api.CreateSession{Sessions: creator, Callers: api.Callers{RequestContext: fromGateway}}
//	http.Handle("POST /sessions", create)
//	answer, err := create.Invoke(ctx, []byte(`{"workflow_id":"…"}`))
//
// Every call writes one line to the log; see [CreateSession.Log].
package api
