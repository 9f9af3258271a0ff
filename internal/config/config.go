// Package config reads a function's configuration from its environment, once, at start. Every wrong
// variable is reported at once. A configuration contains no secrets, only their names.
package config

import (
	"errors"
	"time"

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
	WebhookSecretID      = "DIDIT_WEBHOOK_SECRET_ID"
	TableName            = "TABLE_NAME"
	RetentionDays        = "RETENTION_DAYS"
	EventBusName         = "EVENT_BUS_NAME"
	WebhookTolerance     = "WEBHOOK_TOLERANCE"
	ReconcileAfter       = "RECONCILE_AFTER"
	ReadsPerMinute       = "READS_PER_MINUTE"
	StackName            = "STACK_NAME"
	Reverify             = "REVERIFY"
	SessionsPerDay       = "SESSIONS_PER_DAY"
)

// LoadNamespace reads the namespace of the metrics, which every function writes: DiditSessions, and
// the deployment's name if that is set.
func LoadNamespace(getenv func(string) string) (string, error) {
	e := &environment{getenv: getenv}
	name := e.text(StackName, "")
	if name == "" {
		return "DiditSessions", nil
	}
	if len(name) > 128 || !stackName.MatchString(name) {
		e.refuse(StackName, "is %q; it must be up to 128 letters, digits and hyphens, with a letter first", name)
	}
	return "DiditSessions/" + name, errors.Join(e.problems...)
}

// Didit is where to reach Didit, and the name of the secret with its credentials.
type Didit struct {
	SecretID   string // name or ARN
	AuthURL    string // empty: Didit's
	APIURL     string // empty: Didit's
	APIVersion string // v2 or v3; empty: it follows from the credentials
}

// Callers is how callers over HTTP are known.
type Callers struct {
	TrustIAM       bool   // callers are servers authorised by IAM, not signed-in users
	PrincipalClaim string // the JWT claim with the user's id
}

// Table is where records are kept, and when they end and are due.
type Table struct {
	Name           string
	Retention      time.Duration // how long a record is kept after its last change
	ReconcileAfter time.Duration // how long an unfinished session may stay unchanged
}

// CreateSession is the configuration of the function of that name.
type CreateSession struct {
	Didit   Didit
	Callers Callers
	Policy  verification.Policy
	Table   Table // no name: sessions are not recorded
}

// LoadCreateSession reads the configuration. A variable that is set but empty counts as unset. The
// error joins one error for every wrong variable, each with its name and the expected form. The
// loaders of the other functions do the same.
func LoadCreateSession(getenv func(string) string) (CreateSession, error) {
	e := &environment{getenv: getenv}
	c := CreateSession{
		Didit:   e.didit(),
		Callers: e.callers(),
		Policy: verification.Policy{
			BiometricWorkflowIDs: e.uuids(BiometricWorkflowIDs),
			ExtraFields:          e.extraFields(),
			AllowedCallbacks:     e.callbacks(),
			Reverify:             e.oneOf(Reverify, "no", "yes", "no") == "yes",
			SessionsPerDay:       e.sessionsPerDay(),
		},
		Table: e.records(e.text(TableName, "")),
	}
	c.Policy.WorkflowIDs, c.Policy.AnyWorkflow = e.workflows()
	c.Policy.UserFields = e.userFields(c.Policy.ExtraFields)
	return c, errors.Join(e.problems...)
}

// GetSession is the configuration of the function of that name.
type GetSession struct {
	Didit          Didit
	Callers        Callers
	Table          Table
	BusName        string
	ReadsPerMinute int // decisions that the whole deployment reads at Didit; 0: it follows from the API's version
}

// LoadGetSession reads the configuration.
func LoadGetSession(getenv func(string) string) (GetSession, error) {
	e := &environment{getenv: getenv}
	c := GetSession{
		Didit: e.didit(), Callers: e.callers(), Table: e.table(), BusName: e.bus(), ReadsPerMinute: e.readsPerMinute(),
	}
	return c, errors.Join(e.problems...)
}

// Webhook is the configuration of the function of that name.
type Webhook struct {
	SecretID  string
	Tolerance time.Duration
	TableName string
	BusName   string
}

// LoadWebhook reads the configuration.
func LoadWebhook(getenv func(string) string) (Webhook, error) {
	e := &environment{getenv: getenv}
	return Webhook{
		SecretID:  e.required(WebhookSecretID, "the name or ARN of the secret with the webhook secret"),
		Tolerance: e.duration(WebhookTolerance, 15*time.Minute, time.Second, 24*time.Hour),
		TableName: e.tableName(), BusName: e.bus(),
	}, errors.Join(e.problems...)
}

// TrackStatus is the configuration of the function of that name.
type TrackStatus struct {
	Table Table
}

// LoadTrackStatus reads the configuration.
func LoadTrackStatus(getenv func(string) string) (TrackStatus, error) {
	e := &environment{getenv: getenv}
	return TrackStatus{Table: e.table()}, errors.Join(e.problems...)
}

// AwaitDecision is the configuration of the function of that name.
type AwaitDecision struct {
	Didit   Didit
	Table   Table
	BusName string
}

// LoadAwaitDecision reads the configuration.
func LoadAwaitDecision(getenv func(string) string) (AwaitDecision, error) {
	e := &environment{getenv: getenv}
	return AwaitDecision{Didit: e.didit(), Table: e.table(), BusName: e.bus()}, errors.Join(e.problems...)
}

// Reconcile is the configuration of the function of that name.
type Reconcile struct {
	Didit          Didit
	Table          Table
	BusName        string
	ReadsPerMinute int // as for getsession
}

// LoadReconcile reads the configuration.
func LoadReconcile(getenv func(string) string) (Reconcile, error) {
	e := &environment{getenv: getenv}
	return Reconcile{
		Didit: e.didit(), Table: e.table(), BusName: e.bus(), ReadsPerMinute: e.readsPerMinute(),
	}, errors.Join(e.problems...)
}

// GetDecision is the configuration of the function of that name.
type GetDecision struct {
	Didit Didit
}

// LoadGetDecision reads the configuration.
func LoadGetDecision(getenv func(string) string) (GetDecision, error) {
	e := &environment{getenv: getenv}
	return GetDecision{Didit: e.didit()}, errors.Join(e.problems...)
}

// EraseUser is the configuration of the function of that name.
type EraseUser struct {
	Didit     Didit // without the token endpoint and the version, which it does not need
	TableName string
	BusName   string
}

// LoadEraseUser reads the configuration.
func LoadEraseUser(getenv func(string) string) (EraseUser, error) {
	e := &environment{getenv: getenv}
	return EraseUser{
		Didit: Didit{SecretID: e.secretID(), APIURL: e.origin(DiditAPIURL)}, TableName: e.tableName(), BusName: e.bus(),
	}, errors.Join(e.problems...)
}
