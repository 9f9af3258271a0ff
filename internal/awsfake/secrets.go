package awsfake

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Staging labels of a secret's versions (AWS Secrets Manager: GetSecretValue).
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// SecretsManager is a fake of AWS Secrets Manager with the operation GetSecretValue, for secrets
// with versions that rotate. What its requests are about, for [Service.FailOnly], is the staging
// label, for example AWSCURRENT. A function finds it by the variable
// AWS_ENDPOINT_URL_SECRETS_MANAGER.
type SecretsManager struct {
	Service

	mu      sync.Mutex
	secrets map[string]*secret
	asked   map[string]int // requests by the id in them
}

type secret struct {
	name, arn         string
	current, previous *version
}

type version struct {
	id, value string
	created   time.Time
}

// Set stores value as the secret's AWSCURRENT version and makes the version before it AWSPREVIOUS,
// as a rotation does. The id is a name or an ARN.
func (m *SecretsManager) Set(id, value string) { m.SetAt(id, value, time.Now()) }

// SetAt is [SecretsManager.Set] with another creation time, for example of an old rotation.
func (m *SecretsManager) SetAt(id, value string, created time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(id)
	if s == nil {
		s = newSecret(id)
		if m.secrets == nil {
			m.secrets = make(map[string]*secret)
		}
		m.secrets[id] = s
	}
	s.previous = s.current
	s.current = &version{id: NewID(), value: value, created: created}
}

// Delete removes the secret with all its versions.
func (m *SecretsManager) Delete(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, s := range m.secrets {
		if s.is(id) {
			delete(m.secrets, key)
		}
	}
}

// CallsFor returns how many requests for the id have arrived.
func (m *SecretsManager) CallsFor(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[id]
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (m *SecretsManager) Start() error { return m.Listen(m) }

// find returns the secret with that name or ARN, or nil. The caller holds mu.
func (m *SecretsManager) find(id string) *secret {
	for _, s := range m.secrets {
		if s.is(id) {
			return s
		}
	}
	return nil
}

func newSecret(id string) *secret {
	if !strings.HasPrefix(id, "arn:") {
		return &secret{name: id, arn: "arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:" + id + "-AbCdEf"}
	}
	name := id[strings.LastIndexByte(id, ':')+1:]
	// The ARN of a secret ends in a hyphen and six random characters, which are not part of its
	// name.
	if i := len(name) - 7; i > 0 && name[i] == '-' {
		name = name[:i]
	}
	return &secret{name: name, arn: id}
}

func (s *secret) is(id string) bool { return id == s.name || id == s.arn }

// version returns the version with the staging label, or nil.
func (s *secret) version(stage string) *version {
	switch stage {
	case stageCurrent:
		return s.current
	case stagePrevious:
		return s.previous
	}
	return nil
}

// versionByID returns the version with the id, or nil; and its staging label.
func (s *secret) versionByID(id string) (*version, string) {
	for _, stage := range []string{stageCurrent, stagePrevious} {
		if v := s.version(stage); v != nil && v.id == id {
			return v, stage
		}
	}
	return nil, ""
}

const messageNotFound = "Secrets Manager can't find the specified secret."

// secretsProtocol has the errors of GetSecretValue. MaxBytes suffices for a SecretId of 2,048
// characters, the limit (AWS Secrets Manager: GetSecretValue).
var secretsProtocol = Protocol{
	ContentType: "application/x-amz-json-1.1", Target: "secretsmanager", Name: "secretsmanager", Resource: "*", MaxBytes: 16 << 10,
	Faults: map[Fault]Refusal{
		InternalError:     {500, "InternalServiceError", "An internal error occurred."},
		NotFound:          {400, "ResourceNotFoundException", messageNotFound},
		MarkedForDeletion: {400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."},
		DecryptionFailure: {400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."},
	},
}

// ServeHTTP answers a GetSecretValue request.
func (m *SecretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secretsProtocol.Serve(w, r, m.getSecretValue)
}

func (m *SecretsManager) getSecretValue(r *Request) (any, error) {
	if r.Operation != "GetSecretValue" {
		return nil, ErrUnknownOperation
	}
	var request struct{ SecretId, VersionId, VersionStage string }
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked == nil {
		m.asked = make(map[string]int)
	}
	m.asked[request.SecretId]++
	label := cmp.Or(request.VersionStage, stageCurrent)
	if fault := m.Count(label); fault != 0 {
		return nil, fault
	}
	if request.SecretId == "" {
		return nil, Refuse("ValidationException", "1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must not be null")
	}
	s := m.find(request.SecretId)
	if s == nil {
		return nil, Refuse("ResourceNotFoundException", messageNotFound)
	}
	v, missing := s.version(label), "staging label: "+label
	if request.VersionId != "" {
		v, label = s.versionByID(request.VersionId)
		missing = "VersionId: " + request.VersionId
	}
	if v == nil {
		return nil, Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for "+missing)
	}
	return map[string]any{
		"ARN":           s.arn,
		"CreatedDate":   float64(v.created.UnixMilli()) / 1000,
		"Name":          s.name,
		"SecretString":  v.value,
		"VersionId":     v.id,
		"VersionStages": []string{label},
	}, nil
}
