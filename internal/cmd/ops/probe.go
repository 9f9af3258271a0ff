package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	alias        = "live"           // of every function, in template.yaml
	probePayload = `{"probe":true}` // every function answers it with {}, if it starts
	functionKind = "AWS::Lambda::Function"
)

// A start is what came of a function's probe.
type start struct {
	function string // logical id, without Function
	// err is nil if the function starts. It says why it does not, with the function's own log line.
	err error
}

// probeAll invokes the alias of every function of the stack with a probe, several at a time. The
// error is one that kept it from looking.
func (d *deployment) probeAll(ctx context.Context) ([]start, error) {
	resources, err := d.resources(ctx)
	if err != nil {
		return nil, err
	}
	physical := map[string]string{}
	for id, r := range resources {
		if aws.ToString(r.ResourceType) == functionKind {
			physical[strings.TrimSuffix(id, "Function")] = aws.ToString(r.PhysicalResourceId)
		}
	}
	names := slices.Sorted(maps.Keys(physical))
	starts := make([]start, len(names))
	client := lambda.NewFromConfig(d.sdk)
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { starts[i] = start{name, probe(ctx, client, physical[name])} })
	}
	work.Wait()
	for _, s := range starts {
		if isBlind(s.err) {
			return starts, s.err
		}
	}
	return starts, nil
}

// probe returns nil if the function starts.
func probe(ctx context.Context, client *lambda.Client, function string) error {
	out, err := client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &function, Qualifier: aws.String(alias), Payload: []byte(probePayload), LogType: types.LogTypeTail,
	})
	switch {
	case err != nil:
		return explain("it cannot be invoked", err)
	case out.FunctionError != nil:
		return errors.New(failure(out))
	case strings.TrimSpace(string(out.Payload)) != "{}":
		return errors.New("it does not answer a probe: it is older than this tool, or another function")
	}
	return nil
}

// failure says why an invocation failed: by the last line that the function logged as an error,
// else by Lambda's own message.
func failure(out *lambda.InvokeOutput) string {
	log, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	lines := strings.Split(string(log), "\n")
	for _, line := range slices.Backward(lines) {
		var entry struct{ Level, Msg, Message, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil && strings.EqualFold(entry.Level, "ERROR") {
			return joinNonEmpty(": ", entry.Msg, entry.Message, entry.Error)
		}
	}
	var document struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(out.Payload, &document)
	return joinNonEmpty(": ", document.ErrorType, document.ErrorMessage)
}

func joinNonEmpty(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}
