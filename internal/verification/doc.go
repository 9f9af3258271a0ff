// Package verification is the domain: what a verification session is, what a caller may ask
// for, and what to tell them. It knows no HTTP, no Lambda and no AWS. One file, didit.go, maps
// it to Didit's API.
//
// [Service.Create] is the operation. Everything that a caller can get wrong is found before
// Didit is asked, and reported at once; every failure is an [*Error] with a [Code].
package verification
