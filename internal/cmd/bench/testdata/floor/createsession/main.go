// Command createsession is the floor of createsession, the least that a Go function can do: it has
// its API key already, does not identify the caller, checks nothing, and forwards the body to the
// session endpoint.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"didit-sessions/internal/cmd/bench/testdata/floor/upstream"
)

func main() { lambda.Start(upstream.Forward) }
