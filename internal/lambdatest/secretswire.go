package lambdatest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

const (
	// maxSecretRequest bounds a GetSecretValue request; a SecretId has at most
	// 2,048 characters.
	maxSecretRequest = 16 << 10

	messageNotFound = "Secrets Manager can't find the specified secret."
)

// ServeHTTP answers a GetSecretValue request, or with the pending fault.
func (m *SecretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-RequestId", newRequestID())
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSecretRequest))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "message", "Request is too long")
		return
	}
	if r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		refuse(w, 400, "UnknownOperationException", "message", "")
		return
	}
	if errorType, message := unsigned(r.Header, "secretsmanager"); errorType != "" {
		refuse(w, 400, errorType, "message", message)
		return
	}
	var request struct{ SecretId, VersionId, VersionStage string }
	if err := json.Unmarshal(body, &request); err != nil {
		refuse(w, 400, "SerializationException", "message", "")
		return
	}
	if fault := m.count(request.SecretId, cmp.Or(request.VersionStage, stageCurrent)); fault != 0 {
		m.strike(w, r, fault)
		return
	}
	m.answer(w, request.SecretId, request.VersionId, request.VersionStage)
}

func (m *SecretsManager) count(id, stage string) SecretsFault {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = make(map[string]int)
	}
	m.total++
	m.calls[id]++
	return m.faults.next(stage)
}

func (m *SecretsManager) answer(w http.ResponseWriter, id, versionID, stage string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(id)
	switch {
	case id == "":
		refuse(w, 400, "ValidationException", "message", "1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must not be null")
		return
	case s == nil:
		refuse(w, 400, "ResourceNotFoundException", "Message", messageNotFound)
		return
	}
	v, label := s.version(stage)
	missing := "staging label: " + label
	if versionID != "" {
		v, label = s.versionByID(versionID)
		missing = "VersionId: " + versionID
	}
	if v == nil {
		refuse(w, 400, "ResourceNotFoundException", "Message", "Secrets Manager can't find the specified secret value for "+missing)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(map[string]any{
		"ARN":           s.arn,
		"CreatedDate":   float64(v.created.UnixMilli()) / 1000,
		"Name":          s.name,
		"SecretString":  v.value,
		"VersionId":     v.id,
		"VersionStages": []string{label},
	})
}

// unsigned returns what AWS says to a request without a Signature Version 4
// for the service, or nothing. Who signed, and whether the signature is
// right, is not looked at.
func unsigned(header http.Header, service string) (errorType, message string) {
	authorization := header.Get("Authorization")
	if authorization == "" {
		return "MissingAuthenticationTokenException", "Missing Authentication Token"
	}
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 ")
	for _, part := range []string{"Credential=", "/" + service + "/aws4_request", "SignedHeaders=", "Signature="} {
		ok = ok && strings.Contains(rest, part)
	}
	if !ok || header.Get("X-Amz-Date") == "" {
		// AWS quotes the header here; a simulator has no reason to.
		return "IncompleteSignatureException", "Authorization header is not a complete Signature Version 4 for " + service + "."
	}
	return "", ""
}

// refuse writes an error in the AWS JSON 1.1 protocol. Services spell the
// message's name in both ways.
func refuse(w http.ResponseWriter, status int, errorType, messageName, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-ErrorType", errorType)
	w.WriteHeader(status)
	document := map[string]string{"__type": errorType}
	if message != "" {
		document[messageName] = message
	}
	json.NewEncoder(w).Encode(document)
}
