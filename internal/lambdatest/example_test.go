package lambdatest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"didit-sessions/internal/lambdatest"
)

// Build a function, run it as Lambda does, and invoke it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bootstrap")
	if err := lambdatest.Build(ctx, "./internal/lambdatest/testdata/echo", binary); err != nil {
		panic(err)
	}
	function, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Name: "echo", Env: map[string]string{"TABLE_NAME": "sessions"}})
	if err != nil {
		panic(err)
	}
	defer function.Stop()

	result, err := function.Invoke(ctx, []byte(`{"hello":"Lambda"}`))
	fmt.Printf("%s %v\n", result.Payload, err)
	result, err = function.Invoke(ctx, []byte(`{"do":"fail"}`))
	fmt.Println(result.Failed(), result.ErrorType, err)
	// Output:
	// {"hello":"Lambda"} <nil>
	// true SessionNotFound <nil>
}

// Read a function's answer as API Gateway does.
func ExampleResult_HTTP() {
	result := lambdatest.Result{Payload: []byte(`{"statusCode":201,"headers":{"location":"sessions/1"},"body":"{}"}`)}
	answer, err := result.HTTP()
	fmt.Println(answer.Status, answer.Header.Get("Location"), string(answer.Body), err)
	// Output: 201 sessions/1 {} <nil>
}
