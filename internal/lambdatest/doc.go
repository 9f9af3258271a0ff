// Package lambdatest runs a real function binary the way Lambda runs it: a
// Runtime API on loopback, a clean environment, a deadline per invocation, and
// a process that can be frozen, killed and measured. Tests of the built
// binaries, "make invoke" and the benchmarks share it.
//
// It starts processes and never looks into them: what a test learns, it learns
// from answers, logs, and the traffic at the upstreams that it wired.
//
//	binary := filepath.Join(t.TempDir(), "bootstrap")
//	err := lambdatest.Build(ctx, "./functions/createsession", binary)
//	fn, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Env: env})
//	defer fn.Stop()
//	result, err := fn.Invoke(ctx, payload)
//	answer, err := result.HTTP()
//
// An error of [Function.Invoke] means that the function gave no answer (it
// crashed, timed out, or said too much); a function that answered with a
// failure is a [Result] whose Failed method reports true.
//
// One [Function] is one execution environment. Where Lambda would start a new
// one after a crash or a timeout, the caller calls [Start] again.
//
// [SecretsManager], [DynamoDB], [EventBridge] and [StepFunctions] play the AWS services that such a
// process calls: on the wire, with the refusals of the real ones, and with faults on demand.
package lambdatest
