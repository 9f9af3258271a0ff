// Package verification is the domain: verification sessions, what callers may ask for, and what
// becomes of a session. It depends on neither HTTP, Lambda nor AWS. One file, didit.go, maps it to
// Didit's API.
//
// [Creator] creates sessions; [Tracker] follows them: webhooks, status, waiting tasks and
// reconciliation; [Eraser] forgets end users. [Store], [Bus] and [Tasks] are the services that they
// rely on. Everything that a caller can get wrong is found before Didit is called, and reported at
// once. Every failure is an [*Error] with a [Code].
package verification
