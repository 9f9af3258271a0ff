// Command echo is a function that does what its payload, or the variable INIT, tells it to.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// waiting is logged by a process that goes no further by itself.
const waiting = "waiting"

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		fmt.Fprintln(os.Stderr, "TABLE_NAME is wrong")
		os.Exit(3)
	case "error":
		post("/runtime/init/error", `{"errorType":"Extension.Broken","errorMessage":"no table"}`)
		<-time.After(time.Hour)
	case "hang":
		fmt.Println(waiting)
		<-time.After(time.Hour)
	}
	lambda.Start(handler{})
}

type handler struct{}

func (handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var command struct {
		Do   string `json:"do"`
		Size int    `json:"size"`
	}
	json.Unmarshal(payload, &command)
	switch command.Do {
	case "fail":
		return nil, messages.InvokeResponse_Error{Type: "SessionNotFound", Message: "no such session"}
	case "panic":
		panic("out of order")
	case "exit":
		fmt.Println("leaving")
		os.Exit(7)
	case "hang":
		<-time.After(time.Hour)
	case "big":
		return append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, command.Size-2)...), '"'), nil
	case "log":
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr")
		fmt.Println(strings.Repeat("x", command.Size))
		fmt.Println("last line")
	case "environment":
		return json.Marshal(os.Environ())
	case "context":
		return invocation(ctx)
	case "meet":
		return meet(ctx)
	case "work":
		for cpuTime() < 50*time.Millisecond {
		}
	}
	return payload, nil
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func invocation(ctx context.Context) ([]byte, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return json.Marshal(map[string]any{
		"request_id": lc.AwsRequestID,
		"arn":        lc.InvokedFunctionArn,
		"trace_id":   ctx.Value("x-amzn-trace-id"),
		"deadline":   deadline,
	})
}

// meet answers when another invocation of it runs at the same moment.
var meeting = make(chan struct{})

func meet(ctx context.Context) ([]byte, error) {
	fmt.Println(waiting)
	select {
	case meeting <- struct{}{}:
	case <-meeting:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return []byte(`"met"`), nil
}

func post(path, document string) {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01" + path
	resp, err := http.Post(url, "application/json", strings.NewReader(document))
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
}
