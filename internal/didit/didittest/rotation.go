package didittest

import (
	"errors"
	"net/http"
	"time"
)

// rotationOverlap is how long the secret before a rotation signs as well ("Didit: Get webhook
// destination").
const rotationOverlap = 24 * time.Hour

// retiredSecret is the secret before a rotation.
type retiredSecret struct {
	text  string
	until time.Time
}

// RotateWebhookSecret replaces the secret as a rotation in Didit's console does: for 24 hours every
// delivery, retries and resends included, is signed with the secret before it, too, under the names
// of the signatures with -Previous. A further rotation ends that for the one before. An empty
// secret is an error. [Server.SetWebhook] replaces a secret without an overlap.
func (s *Server) RotateWebhookSecret(secret string) error {
	if secret == "" {
		return errors.New("secret: empty")
	}
	now := s.now()
	defer s.lock()()
	s.retired = retiredSecret{s.WebhookSecret, now.Add(rotationOverlap)}
	s.WebhookSecret = secret
	return nil
}

// secrets returns what signs a delivery, by the suffix of its signatures' names. The caller holds
// the lock.
func (s *Server) secrets(now time.Time) map[string]string {
	secrets := map[string]string{"": s.WebhookSecret}
	if now.Before(s.retired.until) {
		secrets["-Previous"] = s.retired.text
	}
	return secrets
}

func (s *Server) postRotation(_ *http.Request, body struct {
	Secret string `json:"secret"`
}) (any, error) {
	err := s.RotateWebhookSecret(body.Secret)
	return s.webhook(), err
}
