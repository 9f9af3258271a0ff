package lambdatest

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"didit-sessions/internal/awsfake"
)

// APITimeout is the template's timeout for functions behind the API, two seconds less than the 30 s
// that API Gateway waits for an integration.
const APITimeout = 28 * time.Second

// defaultTimeout is long enough for a function that waits for a processor on a busy machine.
const defaultTimeout = 5 * time.Minute

// Options describe the function for [Start]. Only Binary is required.
type Options struct {
	// Binary is the path of the executable, for example from [Build].
	Binary string

	// Name is the function's name; empty means the base name of Binary.
	Name string

	// Env is added to the environment that Lambda gives a function, and wins over it. The function
	// does not get this process's environment.
	Env map[string]string

	// Timeout is how long an invocation may take. The function sees it as its deadline, and is
	// killed when it passes. 0 means five minutes.
	Timeout time.Duration

	// Grace is the time between the deadline and the kill. Lambda has none. It is for tests of
	// functions that end before their deadline, on a machine so busy that they may end a moment
	// after it.
	Grace time.Duration

	// MaxConcurrency is how many invocations the process may run at once: above 1,
	// AWS_LAMBDA_MAX_CONCURRENCY makes its runtime poll so often in parallel. 0 means one.
	MaxConcurrency int

	// Logs gets a copy of what the function writes to stdout and stderr, in order. Calls of Write
	// do not overlap, and their errors are ignored. nil means no copy.
	Logs io.Writer
}

func (o Options) withDefaults() (Options, error) {
	if o.Binary == "" {
		return o, fmt.Errorf("no binary to run: Options.Binary is empty")
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return o, err
	}
	o.Binary = binary
	o.Name = cmp.Or(o.Name, filepath.Base(binary))
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.MaxConcurrency = max(o.MaxConcurrency, 1)
	if o.Timeout < 0 {
		return o, fmt.Errorf("negative timeout %v", o.Timeout)
	}
	return o, nil
}

// environment returns the variables of a function on an OS-only runtime (AWS Lambda: Defined
// runtime environment variables), with o.Env on top.
func (o Options) environment(runtimeAPI string) []string {
	taskRoot := filepath.Dir(o.Binary)
	env := map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_REGION":                      awsfake.Region,
		"AWS_DEFAULT_REGION":              awsfake.Region,
		"AWS_ACCESS_KEY_ID":               "ASIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY":           "not-a-real-secret-access-key-EXAMPLEKEY",
		"AWS_SESSION_TOKEN":               "not-a-real-session-token",
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME":        o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_FORMAT":           "JSON",
		"AWS_LAMBDA_LOG_LEVEL":            "INFO",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "2025/01/01/[$LATEST]00000000000000000000000000000000",
		"LAMBDA_TASK_ROOT":                taskRoot,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH":                 "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:" + taskRoot + ":" + taskRoot + "/lib:/opt/lib",
		"TZ":                              ":UTC",
		// Lambda sets no HOME. Without it the AWS SDK would find the developer's ~/.aws by the user
		// database.
		"HOME": "/home/sbx_user1051",
	}
	if o.MaxConcurrency > 1 {
		env["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(o.MaxConcurrency)
	}
	maps.Copy(env, o.Env)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}
