package awssecret

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"

	// previousLimit is how much longer than the current version the previous one may take. Didit
	// waits 5 s for an answer to its webhook, and most secrets are not in rotation.
	previousLimit = 500 * time.Millisecond
)

// Versions are the texts of a secret in rotation. They print as redacted.
type Versions struct {
	Current string
	// Previous is the text that Current took the place of; empty where there is none, or where it
	// could not be read.
	Previous string
	// RotatedAt is when Current took that place, UTC: the later of the two versions' creation
	// times, so that it also holds for a rotation that was taken back. Zero: not known.
	RotatedAt time.Time
}

// Format prints a fixed word for every verb.
func (Versions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue logs a fixed word.
func (Versions) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON encodes a fixed word.
func (Versions) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// ReadVersions reads the secret's current and previous versions, side by side. It returns the
// errors of [Secret.Read], and only for the current version.
//
// The previous one is left out when it does not exist, and also when it cannot be read, or not
// within 500 ms of the current one: in most cases it is not needed, and what it alone fits is
// repaired by the sender's repetition and a further read. An error instead would refuse what fits
// the current version, for as long as the trouble lasts; for good, where only the previous version
// is denied or its key is gone.
func (s *Secret) ReadVersions(ctx context.Context) (Versions, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.limit, readLimit))
	defer cancel()
	// The channel has room for what nobody waits for any more.
	previous := make(chan *secretsmanager.GetSecretValueOutput, 1)
	go func() {
		out, err := s.readStage(ctx, aws.String(stagePrevious))
		if err != nil {
			out = nil
		}
		previous <- out
	}()
	current, err := s.readStage(ctx, aws.String(stageCurrent))
	if err != nil {
		return Versions{}, err
	}
	v := Versions{Current: *current.SecretString, RotatedAt: created(current)}
	patience := time.NewTimer(cmp.Or(s.previous, previousLimit))
	defer patience.Stop()
	select {
	case out := <-previous:
		if out == nil {
			break
		}
		v.Previous = *out.SecretString
		if at := created(out); at.After(v.RotatedAt) {
			v.RotatedAt = at
		}
	case <-patience.C:
	}
	return v, nil
}

func created(out *secretsmanager.GetSecretValueOutput) time.Time {
	if out.CreatedDate == nil {
		return time.Time{}
	}
	return out.CreatedDate.UTC()
}
