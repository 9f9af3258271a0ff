package lambdatest

import (
	"cmp"
	"fmt"
	"log/slog"
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

// SecretsManager plays AWS Secrets Manager's GetSecretValue, in the AWS JSON
// 1.1 protocol, with versions that rotate and faults on demand. It is an
// [http.Handler]; Start puts it on loopback by itself. A function finds it by
// the variable AWS_ENDPOINT_URL_SECRETS_MANAGER.
//
// Requests must be signed (Signature Version 4), but signatures are not
// verified. Values leave it in answers to GetSecretValue only: it prints, logs
// and encodes without them.
//
// The zero value holds no secret and is ready to use. All methods may be
// called from several goroutines; a SecretsManager must not be copied.
type SecretsManager struct {
	mu      sync.Mutex
	secrets map[string]*secret
	calls   map[string]int
	total   int
	faults  faultQueue

	server *http.Server
	url    string
}

type secret struct {
	name, arn         string
	current, previous *version
}

type version struct {
	id, value string
	created   time.Time
}

// Set stores value as the secret's AWSCURRENT version and makes the one before
// it AWSPREVIOUS, as a rotation does. The id is a name, or an ARN.
func (m *SecretsManager) Set(id, value string) { m.SetAt(id, value, time.Now()) }

// SetAt is Set at another time: a rotation that is long past, say.
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
	s.current = &version{id: newRequestID(), value: value, created: created}
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

// Calls returns how many GetSecretValue requests have come in, refused and
// faulted ones included.
func (m *SecretsManager) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// CallsFor is Calls of the requests for one secret, by the id that they named.
func (m *SecretsManager) CallsFor(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[id]
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (m *SecretsManager) Start() error {
	server, address, err := serve(m)
	if err != nil {
		return fmt.Errorf("start the Secrets Manager: %w", err)
	}
	m.server, m.url = server, "http://"+address
	return nil
}

// URL is the endpoint after Start, without a slash at its end.
func (m *SecretsManager) URL() string { return m.url }

// Close ends what Start began, requests kept waiting by a fault included. It
// does nothing without Start.
func (m *SecretsManager) Close() {
	if m.server != nil {
		m.server.Close()
	}
}

// String names the type only.
func (m *SecretsManager) String() string { return "lambdatest.SecretsManager(redacted)" }

// GoString names the type only.
func (m *SecretsManager) GoString() string { return m.String() }

// LogValue names the type only.
func (m *SecretsManager) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText names the type only.
func (m *SecretsManager) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

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
	// The ARN of a secret ends in a hyphen and six random characters that are
	// no part of its name.
	if i := len(name) - 7; i > 0 && name[i] == '-' {
		name = name[:i]
	}
	return &secret{name: name, arn: id}
}

func (s *secret) is(id string) bool { return id == s.name || id == s.arn }

// version returns the version with that staging label, the current one when
// the label is empty, or nil; and the label.
func (s *secret) version(stage string) (*version, string) {
	switch stage = cmp.Or(stage, stageCurrent); stage {
	case stageCurrent:
		return s.current, stage
	case stagePrevious:
		return s.previous, stage
	}
	return nil, stage
}

// versionByID returns the version with that id and its staging label, or nil.
func (s *secret) versionByID(id string) (*version, string) {
	for _, stage := range []string{stageCurrent, stagePrevious} {
		if v, _ := s.version(stage); v != nil && v.id == id {
			return v, stage
		}
	}
	return nil, ""
}
