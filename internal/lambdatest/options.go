package lambdatest

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// APITimeout is the function timeout that the template gives functions behind the API: two seconds
// below the 30 s after which API Gateway gives up on an integration.
const APITimeout = 28 * time.Second

// defaultTimeout only ends what hangs: a function that waits for a processor must not run into it.
const defaultTimeout = 5 * time.Minute

// Region and Account are the made-up home of every function that runs here;
// they are part of its ARN.
const (
	Region  = "eu-west-1"
	Account = "123456789012"
)

// Options say what [Start] runs. Only Binary is required.
type Options struct {
	// Binary is the path of the function's executable, as Build wrote it.
	Binary string

	// Name is the function's name; empty means the base name of Binary.
	Name string

	// Env is added to the environment that Lambda gives a function, and wins
	// over it. Nothing of the caller's own environment is passed on.
	Env map[string]string

	// Timeout bounds each invocation, from handing the payload over to the
	// answer: it is the deadline that the function sees, and the process is
	// killed when it passes. 0 means five minutes, which no function needs.
	Timeout time.Duration

	// Grace is how much longer than Timeout the process may live. Lambda gives none; with it a
	// test can tell a function that keeps to its deadline from one that does not, on a machine
	// that is too busy to do so at once.
	Grace time.Duration

	// MaxConcurrency is how many invocations the process is offered at once.
	// Above 1, AWS_LAMBDA_MAX_CONCURRENCY tells the function's runtime to poll
	// so often in parallel; 0 and 1 mean one at a time.
	MaxConcurrency int

	// Logs receives a copy of all that the function writes to stdout and
	// stderr, in order and never from two goroutines at once; its errors are
	// ignored. nil means no copy.
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

func (o Options) arn() string {
	return "arn:aws:lambda:" + Region + ":" + Account + ":function:" + o.Name
}

// environment is what a function on an OS-only runtime finds, and no more
// (AWS Lambda: Defined runtime environment variables), with o.Env on top.
func (o Options) environment(runtimeAPI string) []string {
	taskRoot := filepath.Dir(o.Binary)
	env := map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_REGION":                      Region,
		"AWS_DEFAULT_REGION":              Region,
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
		// Lambda sets no HOME. Without one the AWS SDK asks the user database
		// for it and finds the developer's own ~/.aws.
		"HOME": "/home/sbx_user1051",
	}
	if o.MaxConcurrency > 1 {
		env["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(o.MaxConcurrency)
	}
	for name, value := range o.Env {
		env[name] = value
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
