// Package version names this module and its version.
package version

// Version follows semver.org, and the public contract is functions/README.md. The template's
// description has it too, and the tools print it.
const Version = "2.0.0"

// UserAgent is what the functions call themselves to Didit.
const UserAgent = "didit-sessions/" + Version
