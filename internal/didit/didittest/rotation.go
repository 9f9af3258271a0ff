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

// RotateWebhookSecret replaces the secret of the oldest destination as a rotation in Didit's
// console does: for 24 hours every delivery, retries and resends included, is signed with the
// secret before it, too, under the names of the signatures with -Previous. A further rotation ends
// that for the one before. It is an error if the secret is empty or there is no destination.
// [Server.SetWebhook] replaces a secret without an overlap.
func (s *Server) RotateWebhookSecret(secret string) error {
	if secret == "" {
		return errors.New("secret: empty")
	}
	now := s.now()
	defer s.lock()()
	if len(s.destinations) == 0 {
		return errors.New("secret: there is no destination")
	}
	d := s.destinations[0]
	d.secret, d.retired, d.updated = secret, retiredSecret{d.secret, now.Add(rotationOverlap)}, now
	return nil
}

// secrets returns what signs a delivery, by the suffix of its signatures' names. The caller holds
// the lock.
func (d *destination) secrets(now time.Time) map[string]string {
	secrets := map[string]string{"": d.secret}
	if now.Before(d.retired.until) {
		secrets["-Previous"] = d.retired.text
	}
	return secrets
}

func (s *Server) postRotation(_ *http.Request, body struct {
	Secret string `json:"secret"`
}) (any, error) {
	err := s.RotateWebhookSecret(body.Secret)
	return s.webhook(), err
}
