package main

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// Ensure that every function, as it ships, answers a probe, and that a probe fails where the
// function's start fails, with the function's own reason.
func TestProbe_functions(t *testing.T) {
	a := newAccount(t)
	for name, value := range a.environment() {
		t.Setenv(name, value)
	}
	s, err := stage.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	mains, err := filepath.Glob("../../../functions/*/main.go")
	if err != nil || len(mains) < 7 {
		t.Fatalf("got the functions %v, %v", mains, err)
	}
	stack := &fakeStack{status: "CREATE_COMPLETE", resources: map[string][2]string{"Api": {"AWS::ApiGatewayV2::Api", "api"}}}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		binary := filepath.Join(t.TempDir(), name)
		if err := lambdatest.Build(t.Context(), "./functions/"+name, binary); err != nil {
			t.Fatal(err)
		}
		stack.resources[name+"Function"] = [2]string{functionKind, name}
		stack.resources["broken-"+name+"Function"] = [2]string{functionKind, "broken-" + name}
		a.functions[name] = runBinary(binary, s.Environment())
		env := s.Environment()
		// Each function needs one of these.
		maps.Copy(env, map[string]string{"TABLE_NAME": "", "DIDIT_SECRET_ID": "", "DIDIT_API_URL": "ftp://example.com"})
		a.functions["broken-"+name] = runBinary(binary, env)
	}
	a.stacks["didit-sessions"] = stack
	_, d := openFake(t, a)
	starts, err := d.probeAll(t.Context())
	if err != nil || len(starts) != 2*len(mains) {
		t.Fatalf("got %d starts, %v, want %d", len(starts), err, 2*len(mains))
	}
	for _, s := range starts {
		switch broken := strings.HasPrefix(s.function, "broken-"); {
		case !broken && s.err != nil:
			t.Errorf("%s does not start: %v", s.function, s.err)
		case broken && (s.err == nil || !strings.HasPrefix(s.err.Error(), "wrong configuration: ")):
			t.Errorf("%s: got %v, want its reason", s.function, s.err)
		}
	}
}

// runBinary returns a function of the fake account that runs a built one, in a process for each
// invocation.
func runBinary(binary string, env map[string]string) fakeFunction {
	return func(payload []byte) (answer []byte, functionError, log string) {
		ctx := context.Background()
		f, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Env: env})
		if err != nil {
			return []byte(err.Error()), "Unhandled", ""
		}
		defer f.Stop()
		result, err := f.Invoke(ctx, payload)
		log = strings.Join(f.LogLines(), "\n")
		if exit, ok := errors.AsType[*lambdatest.ExitError](err); ok {
			return []byte(`{"errorType":"Runtime.ExitError","errorMessage":"` + exit.Error()[:10] + `"}`), "Unhandled", log
		}
		if err != nil {
			return []byte(err.Error()), "Unhandled", log
		}
		if result.Failed() {
			functionError = "Unhandled"
		}
		return result.Payload, functionError, log
	}
}
