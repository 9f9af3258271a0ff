package lambdatest

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
)

// DynamoDB plays one table of AWS DynamoDB, in the AWS JSON 1.0 protocol, with
// faults on demand. It is an [http.Handler]; Start puts it on loopback by
// itself. A function finds it by the variable AWS_ENDPOINT_URL_DYNAMODB.
//
// It knows CreateTable, PutItem, GetItem, UpdateItem, DeleteItem, Query and
// BatchGetItem, with the common part of the expression language. What it does
// not know, it refuses with a ValidationException rather than to pass over it:
// a parameter, a type of value, a function, a nested path. Its indexes project
// keys alone and never lag. Expired items stay, as they do in DynamoDB for
// days.
//
// Requests must be signed (Signature Version 4), but signatures are not
// verified. It prints, logs and encodes without its items.
//
// The zero value has no table and is ready for CreateTable, by request or by
// [DynamoDB.CreateTable]. All methods may be called from several goroutines; a
// DynamoDB must not be copied.
type DynamoDB struct {
	mu     sync.Mutex
	table  *dynamoTable
	calls  map[string]int
	faults faultQueue

	server *http.Server
	url    string
}

// Calls returns how many requests for that operation ("PutItem") have come in,
// refused and faulted ones included; with an empty name, for all of them.
func (d *DynamoDB) Calls(operation string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if operation != "" {
		return d.calls[operation]
	}
	total := 0
	for _, n := range d.calls {
		total += n
	}
	return total
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (d *DynamoDB) Start() error {
	server, address, err := serve(d)
	if err != nil {
		return fmt.Errorf("start DynamoDB: %w", err)
	}
	d.server, d.url = server, "http://"+address
	return nil
}

// URL is the endpoint after Start, without a slash at its end.
func (d *DynamoDB) URL() string { return d.url }

// Close ends what Start began, requests kept waiting by a fault included. It
// does nothing without Start.
func (d *DynamoDB) Close() {
	if d.server != nil {
		d.server.Close()
	}
}

// String names the type only.
func (d *DynamoDB) String() string { return "lambdatest.DynamoDB(redacted)" }

// GoString names the type only.
func (d *DynamoDB) GoString() string { return d.String() }

// LogValue names the type only.
func (d *DynamoDB) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText names the type only.
func (d *DynamoDB) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
