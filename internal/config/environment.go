package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/verification"
)

// environment reads variables and collects errors.
type environment struct {
	getenv   func(string) string
	problems []error
}

func (e *environment) refuse(name, format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

func (e *environment) text(name, fallback string) string {
	if value := strings.TrimSpace(e.getenv(name)); value != "" {
		return value
	}
	return fallback
}

func (e *environment) required(name, meaning string) string {
	value := e.text(name, "")
	if value == "" {
		e.refuse(name, "is not set; it must be %s", meaning)
	}
	return value
}

func (e *environment) didit() Didit {
	return Didit{
		SecretID:   e.secretID(),
		AuthURL:    e.origin(DiditAuthURL),
		APIURL:     e.origin(DiditAPIURL),
		APIVersion: e.oneOf(DiditAPIVersion, "", "v2", "v3"),
	}
}

func (e *environment) secretID() string {
	return e.required(DiditSecretID, "the name or ARN of the secret with Didit's credentials")
}

func (e *environment) callers() Callers {
	return Callers{
		TrustIAM:       e.oneOf(CallerAuth, "jwt", "jwt", "iam") == "iam",
		PrincipalClaim: e.text(PrincipalClaim, "sub"),
	}
}

func (e *environment) table() Table { return e.records(e.tableName()) }

func (e *environment) tableName() string {
	return e.required(TableName, "the name of the table that sessions are recorded in")
}

func (e *environment) records(table string) Table {
	return Table{
		Name: table, Retention: e.retention(),
		ReconcileAfter: e.duration(ReconcileAfter, 15*time.Minute, time.Minute, 24*time.Hour),
	}
}

func (e *environment) bus() string {
	return e.required(EventBusName, "the name of the bus that events are published on")
}

// Bounds of RETENTION_DAYS. The record of a session that a task waits on is kept longer.
const (
	minDays = 2
	maxDays = 3650
)

func (e *environment) retention() time.Duration {
	value := e.text(RetentionDays, "1095")
	days, err := strconv.Atoi(value)
	if err != nil || days < minDays || days > maxDays {
		e.refuse(RetentionDays, "is %q; it must be a number of days from %d to %d", value, minDays, maxDays)
	}
	return time.Duration(days) * 24 * time.Hour
}

// maxReads is what Didit allows in a minute with v3 of its API.
const maxReads = 600

// readsPerMinute reads an even number, of which one half is for callers and one for reconcile.
func (e *environment) readsPerMinute() int {
	value := e.text(ReadsPerMinute, "")
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 2 || n > maxReads || n%2 != 0 {
		e.refuse(ReadsPerMinute, "is %q; it must be an even number from 2 to %d", value, maxReads)
	}
	return n
}

// maxSessions is how many of a user's sessions are looked at.
const maxSessions = 100

// sessionsPerDay reads a number; 0: no limit.
func (e *environment) sessionsPerDay() int {
	value := e.text(SessionsPerDay, "10")
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > maxSessions {
		e.refuse(SessionsPerDay, "is %q; it must be a number from 0, no limit, to %d", value, maxSessions)
	}
	return n
}

func (e *environment) duration(name string, fallback, shortest, longest time.Duration) time.Duration {
	value := e.text(name, fallback.String())
	d, err := time.ParseDuration(value)
	if err != nil || d < shortest || d > longest {
		e.refuse(name, "is %q; it must be a duration from %v to %v, such as 15m", value, shortest, longest)
	}
	return d
}

func (e *environment) oneOf(name, fallback string, words ...string) string {
	value := e.text(name, fallback)
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

// origin reads an https URL, or an http URL with a loopback address.
func (e *environment) origin(name string) string {
	value := e.text(name, "")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(value, "?#") ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		// The value is not shown: it may be a URL with a password in it.
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

// Lengths are not in the patterns: to compile them would take a part of every cold start.
var (
	stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
)

func (e *environment) extraFields() []string {
	names := e.list(ExtraFields)
	for _, name := range names {
		switch {
		case len(name) > 64 || !fieldName.MatchString(name) || name == "include_url":
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
			// It matches nothing, so it is safe, and no reason to fail every request.
			slog.Warn("a name in "+UserFields+" is neither a field nor one of "+ExtraFields, "name", name)
		}
	}
	return names
}

func (e *environment) callbacks() []verification.CallbackPrefix {
	var prefixes []verification.CallbackPrefix
	for i, entry := range e.list(AllowedCallbacks) {
		prefix, err := verification.ParseCallbackPrefix(entry)
		if err != nil {
			// The entry is not shown: it may be a URL with a password in it.
			e.refuse(AllowedCallbacks, "is wrong in entry %d, which %w", i+1, err)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}
