package didittest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Op names what a request asks for.
type Op string

// The ops. A fault applies to one of those before the last two, or to all; [Server.Count] takes
// all.
const (
	OpAny        Op = "any"         // each of the others; in a [Fault], all but the last two
	OpToken      Op = "token"       // the token endpoint
	OpCreate     Op = "create"      // the create endpoints, v2 and v3
	OpDecision   Op = "decision"    // the decision endpoints, v2 and v3
	OpList       Op = "list"        // the list of sessions
	OpDelete     Op = "delete"      // the deletion of a session, v2 and v3
	OpDeleteUser Op = "delete_user" // the deletion of users
	OpManage     Op = "manage"      // the management API: workflows, balance, destinations, deliveries
	OpPage       Op = "page"        // what the end user's browser loads and sends
	OpOther      Op = "other"       // paths that Didit does not have, or that lack their trailing slash
)

// faultOps are the ops that meet faults.
var faultOps = []Op{OpToken, OpCreate, OpDecision, OpList, OpDelete, OpDeleteUser, OpManage}

// A Mode says what a fault does to a request.
type Mode string

// The modes. Those that answer before the work leave no session behind; the others spoil the answer
// after it, so that the session exists although the caller may not know.
const (
	ModeAnswer       Mode = "answer"        // before the work: answers as the fault says
	ModeResetBefore  Mode = "reset_before"  // before the work: resets the TCP connection
	ModeSilence      Mode = "silence"       // before the work: no answer until the caller leaves or Close
	ModeResetAfter   Mode = "reset_after"   // after the work: resets the TCP connection
	ModeSilenceAfter Mode = "silence_after" // after the work: no answer until the caller leaves or Close
	ModeTruncated    Mode = "truncated"     // after the work: half of the announced Content-Length, then the end
	ModeCutJSON      Mode = "cut_json"      // after the work: a complete HTTP answer that holds half of the JSON
	ModeDrip         Mode = "drip"          // after the work: the header, then a byte after each Pause
	ModeSlow         Mode = "slow"          // after the work: the whole answer, after one Pause

	// After the work, of a create request: the session of another end user, or of another workflow.
	ModeOtherVendorData Mode = "other_vendor_data"
	ModeOtherWorkflow   Mode = "other_workflow"

	// After the work, of a list request: all sessions, whatever was asked for.
	ModeUnfiltered Mode = "unfiltered"
)

var (
	modesAfter = []Mode{
		ModeResetAfter, ModeSilenceAfter, ModeTruncated, ModeCutJSON, ModeDrip, ModeSlow, ModeOtherVendorData, ModeOtherWorkflow,
		ModeUnfiltered}
	modes = append([]Mode{ModeAnswer, ModeResetBefore, ModeSilence}, modesAfter...)
)

// DefaultPause is the pause of a [ModeDrip] or [ModeSlow] fault whose Pause is zero.
const DefaultPause = 100 * time.Millisecond

// maxFaultSize bounds [Fault.Size], 64 MiB.
const maxFaultSize = 64 << 20

// A Fault is a failure on demand, armed by [Server.Inject]. The zero value answers every request
// that can meet a fault with status 500 and an empty body.
//
// The package's variables ([PaidPlan], [RateLimited], …) are ready-made faults. Treat them as
// constants, and adapt a copy by [Fault.At] and [Fault.Once].
type Fault struct {
	Name  string        `json:"name,omitempty"`  // what [Exchange.Fault] shows; empty means the mode
	On    Op            `json:"on,omitempty"`    // the op that meets it; empty means [OpAny]
	Times int           `json:"times,omitempty"` // how many requests meet it; zero means all until [Server.ClearFaults]
	Mode  Mode          `json:"mode,omitempty"`  // empty means [ModeAnswer]
	Pause time.Duration `json:"-"`               // of [ModeDrip] and [ModeSlow]; zero means [DefaultPause]

	// The rest is the answer of ModeAnswer, and must be zero in other modes.

	Status int         `json:"status,omitempty"` // 200 to 599; zero means 500
	Header http.Header `json:"-"`                // sent as it is; X-RateLimit-Limit gets a matching X-RateLimit-Reset
	Body   string      `json:"-"`                // sent as it is, as JSON unless Header holds a Content-Type
	Size   int         `json:"size,omitempty"`   // spaces follow the body up to this many bytes, at most 64 MiB
}

// At returns a copy that applies to the given op.
func (f Fault) At(op Op) Fault { f.On = op; return f }

// Once returns a copy that applies to a single request.
func (f Fault) Once() Fault { f.Times = 1; return f }

// Inject arms a fault. Each following request meets the first armed fault of its op, in the order
// of injection, until the fault's Times are used up. Inject panics if the fault is invalid by the
// rules of [Fault]: that is a mistake in the calling program.
func (s *Server) Inject(f Fault) {
	if err := f.check(); err != nil {
		panic("didittest: fault: " + err.Error())
	}
	f.Header = f.Header.Clone()
	defer s.lock()()
	s.faults = append(s.faults, f)
}

// ClearFaults disarms all faults. It does not release a request that already met one.
func (s *Server) ClearFaults() {
	defer s.lock()()
	s.faults = nil
}

// check returns an error that begins with the name of the wrong field.
func (f Fault) check() error {
	isAnswer := f.mode() == ModeAnswer
	switch {
	case f.On != "" && f.On != OpAny && !slices.Contains(faultOps, f.On):
		return fmt.Errorf("on: %q is not one of any, token, create, decision, list, delete, delete_user, manage", f.On)
	case f.Times < 0:
		return fmt.Errorf("times: %d is negative", f.Times)
	case f.Pause < 0:
		return fmt.Errorf("pause: %v is negative", f.Pause)
	case !slices.Contains(modes, f.mode()):
		return fmt.Errorf("mode: %q is not one of %q", f.Mode, modes)
	case !isAnswer && (f.Status != 0 || len(f.Header) > 0 || f.Body != "" || f.Size != 0):
		return fmt.Errorf("mode: %s takes no status, header, body or size", f.Mode)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: %d is not in 200 to 599", f.Status)
	case f.Size < 0 || f.Size > maxFaultSize:
		return fmt.Errorf("size: %d is not in 0 to %d", f.Size, maxFaultSize)
	}
	return nil
}

func (f Fault) mode() Mode    { return cmp.Or(f.Mode, ModeAnswer) }
func (f Fault) label() string { return cmp.Or(f.Name, string(f.mode())) }

// works reports whether the request is to be processed; f is nil for a request that meets no fault.
func (f *Fault) works() bool { return f == nil || slices.Contains(modesAfter, f.Mode) }

// answer returns the answer of ModeAnswer.
func (f Fault) answer() answer {
	body := f.Body + strings.Repeat(" ", max(0, f.Size-len(f.Body)))
	a := textAnswer(cmp.Or(f.Status, http.StatusInternalServerError), "application/json", []byte(body))
	maps.Copy(a.header, f.Header)
	return a
}

// replacement returns the answer of a fault that prevents the work; its status is 0 if it sends
// none.
func (s *Server) replacement(f *Fault) answer {
	if f.mode() != ModeAnswer {
		return answer{}
	}
	a := f.answer()
	if a.header.Get("X-RateLimit-Limit") != "" {
		seconds, _ := strconv.ParseInt(a.header.Get("Retry-After"), 10, 64)
		a.header.Set("X-RateLimit-Reset", strconv.FormatInt(s.now().Unix()+seconds, 10))
	}
	return a
}

// takeFault returns the fault that a request meets, or nil.
func (s *Server) takeFault(op Op, body []byte) *Fault {
	if !slices.Contains(faultOps, op) {
		return nil
	}
	defer s.lock()()
	applies := func(f Fault) bool { return f.On == "" || f.On == OpAny || f.On == op }
	if f, ok := take(&s.faults, applies, func(f *Fault) *int { return &f.Times }); ok {
		return &f
	}
	if op == OpCreate {
		return requestedFault(body)
	}
	return nil
}

// take returns the first of the armed items that applies, and uses up one of its times; zero means
// that it has no limit.
func take[T any](armed *[]T, applies func(T) bool, times func(*T) *int) (met T, ok bool) {
	i := slices.IndexFunc(*armed, applies)
	if i < 0 {
		return met, false
	}
	met = (*armed)[i]
	switch left := times(&(*armed)[i]); *left {
	case 0:
	case 1:
		*armed = slices.Delete(*armed, i, i+1)
	default:
		*left--
	}
	return met, true
}

// requestedFault returns the fault that a create request asks for by the member "simulate" of its
// metadata, or nil.
func requestedFault(body []byte) *Fault {
	var v struct {
		Metadata struct {
			Simulate string `json:"simulate"`
		} `json:"metadata"`
	}
	if !bytes.Contains(body, []byte(`"simulate"`)) || json.Unmarshal(body, &v) != nil || v.Metadata.Simulate == "" {
		return nil
	}
	f, ok := Known(v.Metadata.Simulate)
	if !ok {
		problem := fmt.Sprintf("%q is no fault of the simulator; GET /simulator/faults lists them.", v.Metadata.Simulate)
		a := jsonAnswer(0, report{"metadata": report{"simulate": list(problem)}})
		f = Fault{Name: "unknown", Status: http.StatusBadRequest, Body: string(a.body)}
	}
	return &f
}
