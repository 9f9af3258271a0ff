// Package lambdatest runs the binary of a function as Lambda runs it: with a Runtime API on
// loopback, a clean environment, a deadline for each invocation, and as a process that can be
// frozen, killed and measured. The tests of the built functions, "make invoke" and the benchmarks
// use it. It needs a Unix system.
//
// A test learns about the function from its answers, its logs, and the requests that reach the
// services behind it. Package awsfake has fakes of the AWS services, and package stage runs
// everything that a function of this module needs.
//
// An error of [Function.Invoke] means that the function gave no answer: it crashed, timed out, or
// answered too much. A function that answers with an error is a [Result] whose Failed method
// reports true.
//
// A [Function] is one execution environment. After a crash or a timeout Lambda would start another
// one; here the caller calls [Start] again.
package lambdatest
