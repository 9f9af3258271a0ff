package start

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLog writes the AWS SDK's own lines as the function writes its lines: as JSON, with the id of
// the invocation. The SDK's debug lines may hold whole requests; the default level leaves them out.
type sdkLog struct{ ctx context.Context }

var _ logging.ContextLogger = sdkLog{}

func (l sdkLog) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelWarn
	if class == logging.Debug {
		level = slog.LevelDebug
	}
	slog.Log(l.ctx, level, "AWS SDK", "detail", fmt.Sprintf(format, v...))
}

func (sdkLog) WithContext(ctx context.Context) logging.Logger { return sdkLog{ctx} }
