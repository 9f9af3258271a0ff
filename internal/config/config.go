// Package config reads a function's configuration from its environment, once, at start. It
// refuses to start with a wrong one, and names every wrong variable at once. It holds no secret:
// only where secrets are.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"didit-sessions/internal/verification"
)

// Names of the variables.
const (
	DiditSecretID        = "DIDIT_SECRET_ID"
	DiditAuthURL         = "DIDIT_AUTH_URL"
	DiditAPIURL          = "DIDIT_API_URL"
	DiditAPIVersion      = "DIDIT_API_VERSION"
	WorkflowIDs          = "WORKFLOW_IDS"
	BiometricWorkflowIDs = "BIOMETRIC_WORKFLOW_IDS"
	CallerAuth           = "CALLER_AUTH"
	PrincipalClaim       = "PRINCIPAL_CLAIM"
	UserFields           = "USER_FIELDS"
	ExtraFields          = "EXTRA_FIELDS"
	AllowedCallbacks     = "ALLOWED_CALLBACKS"
)

// CreateSession is the configuration of the function of that name.
type CreateSession struct {
	SecretID       string
	AuthURL        string // empty: Didit's
	APIURL         string // empty: Didit's
	APIVersion     string // v2, v3, or empty: by the kind of credentials
	CallerAuth     string // jwt or iam
	PrincipalClaim string
	Policy         verification.Policy
}

// LoadCreateSession reads the configuration. A variable that is set but empty counts as unset.
// The error joins one error for every wrong variable, each naming it and the form expected.
func LoadCreateSession(getenv func(string) string) (CreateSession, error) {
	e := &environment{getenv: getenv}
	c := CreateSession{
		SecretID:       e.required(DiditSecretID, "the name or ARN of the secret with Didit's credentials"),
		AuthURL:        e.origin(DiditAuthURL),
		APIURL:         e.origin(DiditAPIURL),
		APIVersion:     e.oneOf(DiditAPIVersion, "", "v2", "v3"),
		CallerAuth:     e.oneOf(CallerAuth, "jwt", "jwt", "iam"),
		PrincipalClaim: e.text(PrincipalClaim, "sub"),
		Policy: verification.Policy{
			BiometricWorkflowIDs: e.uuids(BiometricWorkflowIDs),
			ExtraFields:          e.extraFields(),
			AllowedCallbacks:     e.callbacks(),
		},
	}
	c.Policy.WorkflowIDs, c.Policy.AnyWorkflow = e.workflows()
	c.Policy.UserFields = e.userFields(c.Policy.ExtraFields)
	return c, errors.Join(e.problems...)
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	getenv   func(string) string
	problems []error
}

func (e *environment) refuse(name, format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

func (e *environment) text(name, standard string) string {
	if value := strings.TrimSpace(e.getenv(name)); value != "" {
		return value
	}
	return standard
}

func (e *environment) required(name, meaning string) string {
	value := e.text(name, "")
	if value == "" {
		e.refuse(name, "is not set; it must be %s", meaning)
	}
	return value
}

func (e *environment) oneOf(name, standard string, words ...string) string {
	value := e.text(name, standard)
	if value != "" && !slices.Contains(words, value) {
		e.refuse(name, "is %q; it must be %s", value, strings.Join(words, " or "))
	}
	return value
}

func (e *environment) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(e.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// origin reads an https URL, or an http one on this machine's loopback.
func (e *environment) origin(name string) string {
	value := e.text(name, "")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(value, "?#") ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		// The value is not shown: a URL with a password in it ends up here.
		e.refuse(name, "must be an https URL without query (http is allowed for a loopback address only)")
	}
	return value
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (e *environment) uuids(name string) []string {
	ids := e.list(name)
	for i, id := range ids {
		if !verification.ValidUUID(id) {
			e.refuse(name, "holds %q; it must be UUIDs separated by commas", id)
		}
		ids[i] = strings.ToLower(id)
	}
	return ids
}

func (e *environment) workflows() (ids []string, anyWorkflow bool) {
	value := e.required(WorkflowIDs, "the UUIDs of the workflows that may be used, separated by commas, or * for any")
	if value == "" || value == "*" {
		return nil, value == "*"
	}
	ids = e.uuids(WorkflowIDs)
	if len(ids) == 0 {
		e.refuse(WorkflowIDs, "holds no UUID")
	}
	return ids, false
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

func (e *environment) extraFields() []string {
	names := e.list(ExtraFields)
	for _, name := range names {
		switch {
		case !fieldName.MatchString(name) || name == "include_url":
			e.refuse(ExtraFields, "holds %q; it must be names of top-level fields separated by commas", name)
		case verification.KnownField(name):
			e.refuse(ExtraFields, "holds %q, which is a field already", name)
		}
	}
	return names
}

func (e *environment) userFields(extra []string) []string {
	names := e.list(UserFields)
	if len(names) == 0 {
		return verification.UserFields
	}
	for _, name := range names {
		if !verification.KnownField(name) && !slices.Contains(extra, name) {
			e.refuse(UserFields, "holds %q, which is neither a field nor one of %s", name, ExtraFields)
		}
	}
	return names
}

func (e *environment) callbacks() []verification.CallbackPrefix {
	var prefixes []verification.CallbackPrefix
	for i, entry := range e.list(AllowedCallbacks) {
		prefix, err := verification.ParseCallbackPrefix(entry)
		if err != nil {
			// The entry is not shown: a URL with a password in it ends up here.
			e.refuse(AllowedCallbacks, "is wrong in entry %d, which %w", i+1, err)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}
