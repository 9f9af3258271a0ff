package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

var eraseVerb = &verb{
	name:      "erase",
	summary:   "forget an end user, at Didit and here; says what it will do, and asks",
	questions: []*question{eraseUser, confirmErase},
	run:       erase,
}

var eraseUser = &question{
	flag: "user", variable: "USER_ID", prompt: "The end user's id (vendor_data)",
	usage: "the end user's id, as in vendor_data",
}

var confirmErase = &question{
	flag: "confirm", variable: "CONFIRM", prompt: "Forget this end user, for good? The id once more",
	usage: "the end user's id once more, which confirms that the user is to be forgotten",
}

const (
	maxEraseCalls = 60               // of the function, each of up to five minutes and about a thousand sessions
	erasePause    = 30 * time.Second // between two calls: Didit's limits are those of a minute
)

func erase(ctx context.Context, o *ops) error {
	d, err := o.open(ctx)
	if err != nil {
		return err
	}
	if err := d.exists(o.env); err != nil {
		return err
	}
	function := d.output("EraseUserFunctionArn")
	if function == "" {
		return fmt.Errorf("the stack %s has no function eraseuser; deploy it first: make deploy ENV=%s with the parameter DeployEraseUser=yes", d.name, o.env)
	}
	user, err := o.ask(ctx, eraseUser)
	if err != nil {
		return err
	}
	o.say("%s, stack %s\n", d.place(), d.name)
	o.say("%s", erasePlan)
	q := *confirmErase
	q.check = func(_ context.Context, answer string) (string, error) {
		if answer != user {
			return "", errors.New("that is another id than the first one")
		}
		return answer, nil
	}
	if _, err := o.ask(ctx, &q); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	got, err := o.eraseUser(ctx, lambda.NewFromConfig(d.sdk), function, user)
	if err != nil {
		return err
	}
	o.say("Forgotten. Sessions found: %d, gone from Didit: %d. The user is gone from Didit: %t.\n", got.Sessions, got.Deleted, got.UserDeleted)
	o.say(eraseRemains, cmp.Or(d.parameter("LogRetentionDays"), "30"))
	return nil
}

// erasePlan says what the command is about to do.
const erasePlan = `This forgets one end user:
  here    every record of a session is stripped; waiting tasks fail with UserErased
  Didit   every session is deleted, then the user
  bus     Verification User Erased tells your services to do the same
Make sure that the request comes from that person. Sign the user out first, or a new session may begin.`

// eraseRemains says what is left, and for how long.
const eraseRemains = `What remains, and for how long:
  Didit                        its records of the sessions: Didit's delete of a session is a soft one, gone from
                               every read and kept inside Didit; see your contract. The user is deleted for good
  table                        session ids with the note that they are erased, 30 days
  backups of the table         the records as they were, 35 days
  queues of failed events      ids and statuses, 14 days
  histories of Step Functions  inputs and outputs of executions, 90 days
  logs                         session ids and statuses, not the user's id, %s days
  your services, archives      what they keep of events: theirs to delete`

// erasure is eraseuser's answer.
type erasure struct {
	Sessions    int  `json:"sessions"`
	Deleted     int  `json:"deleted"`
	UserDeleted bool `json:"user_deleted"`
}

// eraseUser invokes the function until it has forgotten the user: a call deletes what fits into its
// time.
func (o *ops) eraseUser(ctx context.Context, client *lambda.Client, function, user string) (done erasure, err error) {
	payload, err := json.Marshal(map[string]string{"vendor_data": user})
	if err != nil {
		return done, err
	}
	for call := 1; ; call++ {
		var out *lambda.InvokeOutput
		err := o.step(ctx, fmt.Sprintf("Forgetting, call %d", call), func(ctx context.Context) (err error) {
			out, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload, LogType: types.LogTypeTail})
			return err
		})
		if err != nil {
			return done, explain("eraseuser cannot be invoked", err)
		}
		if out.FunctionError == nil {
			if err := json.Unmarshal(out.Payload, &done); err != nil {
				return done, errors.New("eraseuser's answer cannot be read: it is older or newer than this tool")
			}
			return done, nil
		}
		var failed struct{ ErrorType string }
		_ = json.Unmarshal(out.Payload, &failed)
		if failed.ErrorType != "Throttled" || call == maxEraseCalls {
			return done, fmt.Errorf("the user is not forgotten yet: %s; fix that and run the command again, which continues", joinNonEmpty(": ", failed.ErrorType, reasonOf(out)))
		}
		o.say("More is left than fits into a call, or Didit throttles; the next call follows.")
		select {
		case <-ctx.Done():
			return done, ctx.Err()
		case <-time.After(cmp.Or(o.every, erasePause)):
		}
	}
}

// reasonOf returns the reason of a failure in the function's own words, from the end of its log;
// empty if there is none.
func reasonOf(out *lambda.InvokeOutput) string {
	log, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	for _, line := range slices.Backward(strings.Split(string(log), "\n")) {
		var entry struct{ Operation, Reason string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Operation != "" {
			return entry.Reason
		}
	}
	return ""
}
