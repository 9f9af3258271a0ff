package start

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"runtime/debug"
	"testing"

	"github.com/aws/smithy-go/logging"
)

// withID adds the context's id to each record, as the handler of aws-lambda-go does.
type withID struct{ slog.Handler }

type idKey struct{}

func (h withID) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(idKey{}).(string); ok {
		r.AddAttrs(slog.String("id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// Ensure that the SDK's warnings become lines like the function's own, and that its debug lines,
// which may hold requests, are left out.
func TestSDKLog(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	before := slog.Default()
	defer slog.SetDefault(before)
	var out bytes.Buffer
	slog.SetDefault(slog.New(withID{slog.NewJSONHandler(&out, nil)}))
	c, err := AWS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Logger.Logf(logging.Debug, "Request\n%s", "PLANTED")
	ctx := context.WithValue(t.Context(), idKey{}, "invocation-1")
	logging.WithContext(ctx, c.Logger).Logf(logging.Warn, "got %q\n", "a\nb")
	var line struct{ Level, Msg, Detail, ID string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != "WARN" || line.Msg != "AWS SDK" || line.Detail != "got \"a\\nb\"\n" || line.ID != "invocation-1" {
		t.Errorf("got %s, %v, want one JSON line with the warning and the invocation", &out, err)
	}
}

// Ensure that there is a memory limit, and that GOMEMLIMIT has precedence.
func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct{ set, want int64 }{{math.MaxInt64, 30 << 20}, {100 << 20, 100 << 20}} {
		debug.SetMemoryLimit(test.set)
		limitMemory()
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("with a limit of %d: got %d, want %d", test.set, got, test.want)
		}
	}
}
