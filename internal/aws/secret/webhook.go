package secret

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

	// maxPrevious is how much longer than the current version the previous one may take. Didit
	// waits 5 s for an answer to its webhook, and most secrets are not in rotation.
	maxPrevious = 500 * time.Millisecond
)

// Versions are the two versions of a secret in rotation. They print, log and encode as [redacted].
type Versions struct {
	Current string
	// Previous is the version that Current replaced; empty if there is none, or if it could not be
	// read.
	Previous string
	// RotatedAt is when Current replaced it, in UTC; zero if unknown. It is the later of the two
	// versions' creation times, so it also holds after a rotation that was reverted.
	RotatedAt time.Time
}

// Format prints a fixed word for every verb.
func (Versions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue logs a fixed word.
func (Versions) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON encodes a fixed word.
func (Versions) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// ReadVersions reads the secret's current and previous versions concurrently. It returns the errors
// of [Secret.Read] for the current version only, and no sooner than it would return a value.
//
// The previous version is left empty if it does not exist, cannot be read, or arrives more than 500
// ms after the current one. Few deliveries need it, and Didit retries those, which leads to another
// read. If its failure were an error, deliveries that match the current version would be refused
// too, and for good if the function may not read the previous version.
func (s *Secret) ReadVersions(ctx context.Context) (Versions, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.limit, maxRead))
	defer cancel()
	// Buffered, because the function may have returned before the answer.
	previous := make(chan *secretsmanager.GetSecretValueOutput, 1)
	go func() {
		out, err := s.readStage(ctx, aws.String(stagePrevious))
		if err != nil {
			out = nil
		}
		previous <- out
	}()
	current, err := s.readStage(ctx, aws.String(stageCurrent))
	timer := time.NewTimer(cmp.Or(s.previous, maxPrevious))
	defer timer.Stop()
	var before *secretsmanager.GetSecretValueOutput
	select {
	case before = <-previous: // after an error, too, so that no request is left behind
	case <-timer.C:
	}
	if err != nil {
		return Versions{}, err
	}
	v := Versions{Current: *current.SecretString, RotatedAt: creationTime(current)}
	if before != nil {
		v.Previous = *before.SecretString
		if at := creationTime(before); at.After(v.RotatedAt) {
			v.RotatedAt = at
		}
	}
	return v, nil
}

// creationTime returns when the version was created, in UTC; zero if the answer does not say.
func creationTime(out *secretsmanager.GetSecretValueOutput) time.Time {
	if out.CreatedDate == nil {
		return time.Time{}
	}
	return out.CreatedDate.UTC()
}
