package didittest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

// create stands for the program under test.
func create(origin, body string) {
	req, err := http.NewRequest("POST", origin+"/v2/session/", strings.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusCreated {
		fmt.Println(res.StatusCode, string(answer))
		return
	}
	fmt.Println(res.StatusCode)
}

// Two requests for the same end user return one session, which a reviewer then declines.
func Example() {
	sim := &didittest.Server{}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	const order = `{"workflow_id":"11111111-2222-3333-4444-555555555555","vendor_data":"user-123"}`
	create(sim.URL(), order)
	create(sim.URL(), order)

	fmt.Println("requests:", sim.Count(didittest.OpCreate))
	for _, s := range sim.Sessions() {
		if err := sim.SetStatus(s.ID, "Declined"); err != nil {
			fmt.Println(err)
		}
		s, _ = sim.Session(s.ID)
		fmt.Println("session", s.Number, "of", s.VendorData, "is", s.Status)
	}
	// Output:
	// 201
	// 201
	// requests: 2
	// session 1 of user-123 is Declined
}

// The first request meets a fault, the second does not.
func ExampleServer_Inject() {
	sim := &didittest.Server{}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	sim.Inject(didittest.PaidPlan.Once())
	const order = `{"workflow_id":"11111111-2222-3333-4444-555555555555"}`
	create(sim.URL(), order)
	create(sim.URL(), order)
	// Output:
	// 400 {"detail":"You need to have a paid plan to perform this workflow."}
	// 201
}

// Each request is logged. What the hook gets holds no secret.
func ExampleServer_onRequest() {
	sim := &didittest.Server{OnRequest: func(x didittest.Exchange) {
		fmt.Printf("%s %s %s %d %q\n", x.Op, x.Method, x.Path, x.Status, x.Fault)
	}}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	create(sim.URL(), `{"workflow_id":"unknown"}`)
	create(sim.URL(), `{"workflow_id":"11111111-2222-3333-4444-555555555555","metadata":{"simulate":"paid_plan"}}`)
	// Output:
	// create POST /v2/session/ 400 ""
	// 400 {"workflow_id":"Invalid workflow_id."}
	// create POST /v2/session/ 400 "paid_plan"
	// 400 {"detail":"You need to have a paid plan to perform this workflow."}
}

// The backend gets the webhook about a new session twice, as Didit may deliver it.
func ExampleServer_Misdeliver() {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	defer backend.Close()
	sim := &didittest.Server{WebhookURL: backend.URL}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	sim.Misdeliver(didittest.SendTwice, 1)
	create(sim.URL(), `{"workflow_id":"11111111-2222-3333-4444-555555555555"}`)
	if err := sim.Settle(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, d := range sim.Deliveries() {
		fmt.Println(d.Type, d.SessionStatus, d.Status)
	}
	// Output:
	// 201
	// status.updated Not Started 204
	// status.updated Not Started 204
}

// A program in another language arms a fault over HTTP.
func ExampleServer_control() {
	sim := &didittest.Server{}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	// curl -H 'Content-Type: application/json' -d '{"name":"throttled"}' $URL/simulator/faults
	res, err := http.Post(sim.URL()+"/simulator/faults", "application/json", strings.NewReader(`{"name":"throttled"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(answer))

	create(sim.URL(), `{"workflow_id":"11111111-2222-3333-4444-555555555555"}`)
	// Output:
	// 201 {"name":"throttled","on":"create","mode":"answer","status":429}
	// 429 {"detail":"Request was throttled. Expected available in 30 seconds."}
}
