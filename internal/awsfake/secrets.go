package awsfake

import (
	"cmp"
	"net/http"
	"slices"
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
	secrets []*secret
}

type secret struct {
	name, arn string
	versions  map[string]version // by staging label
}

type version struct {
	id, value string
	created   time.Time
}

// Set stores value as the AWSCURRENT version of the secret with the name, and makes the version
// before it AWSPREVIOUS, as a rotation does. Requests may name the secret's ARN as well.
func (m *SecretsManager) Set(name, value string) { m.SetAt(name, value, time.Now()) }

// SetAt is [SecretsManager.Set] with another creation time, for example of an old rotation.
func (m *SecretsManager) SetAt(name, value string, created time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	added := map[string]version{stageCurrent: {NewID(), value, created}}
	s := m.find(name)
	if s == nil {
		s = &secret{name: name, arn: "arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:" + name + "-AbCdEf"}
		m.secrets = append(m.secrets, s)
	} else {
		added[stagePrevious] = s.versions[stageCurrent]
	}
	s.versions = added
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (m *SecretsManager) Start() error { return m.Listen(m) }

// find returns the secret with that name or ARN, or nil. The caller holds mu.
func (m *SecretsManager) find(id string) *secret {
	i := slices.IndexFunc(m.secrets, func(s *secret) bool { return id == s.name || id == s.arn })
	if i < 0 {
		return nil
	}
	return m.secrets[i]
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
	var request struct{ SecretId, VersionStage string }
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	label := cmp.Or(request.VersionStage, stageCurrent)
	if fault := m.Count(label); fault != 0 {
		return nil, fault
	}
	if request.SecretId == "" {
		return nil, Refuse("ValidationException", "1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must not be null")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(request.SecretId)
	if s == nil {
		return nil, Refuse("ResourceNotFoundException", messageNotFound)
	}
	v, ok := s.versions[label]
	if !ok {
		return nil, Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: "+label)
	}
	return map[string]any{
		"ARN": s.arn, "Name": s.name, "SecretString": v.value, "VersionId": v.id, "VersionStages": []string{label},
		"CreatedDate": float64(v.created.UnixMilli()) / 1000,
	}, nil
}
