package didittest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

// create is what the program under test would do; here it is a bare request.
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

// A session is created, created again, which gives the same one, and declined.
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

// One request meets trouble, the next does not.
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

// A hook that logs, without secrets.
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
	create(sim.URL(), `{"workflow_id":"11111111-2222-3333-4444-555555555555","metadata":{"simulate":"credits"}}`)
	// Output:
	// create POST /v2/session/ 400 ""
	// 400 {"workflow_id":"Invalid workflow_id."}
	// create POST /v2/session/ 400 "credits"
	// 400 {"detail":"You don't have enough credits to perform this request. Please top up at https://business.didit.me"}
}

// A program in another language arms a fault over HTTP.
func ExampleServer_control() {
	sim := &didittest.Server{}
	if err := sim.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	// curl -H 'Content-Type: application/json' -d '{"name":"rate_limited","times":1}' $URL/simulator/faults
	res, err := http.Post(sim.URL()+"/simulator/faults", "application/json",
		strings.NewReader(`{"name":"rate_limited","times":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(answer))

	create(sim.URL(), `{"workflow_id":"11111111-2222-3333-4444-555555555555"}`)
	// Output:
	// 201 {"name":"rate_limited","on":"create","times":1,"mode":"answer","status":429}
	// 429 {"detail":"Session creation rate limit exceeded. You can make up to 600 requests per minute."}
}
