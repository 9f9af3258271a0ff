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

// The ops. A fault applies to one of the first four; [Server.Count] takes all.
const (
	OpAny      Op = "any"      // each of the others; in a [Fault], the next three
	OpToken    Op = "token"    // the token endpoint
	OpCreate   Op = "create"   // the create endpoints, v2 and v3
	OpDecision Op = "decision" // the decision endpoints, v2 and v3
	OpPage     Op = "page"     // what the end user's browser loads and sends
	OpOther    Op = "other"    // paths that Didit does not have, or that lack their trailing slash
)

// faultOps are the ops that meet faults.
var faultOps = []Op{OpToken, OpCreate, OpDecision}

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
)

var (
	modesBefore = []Mode{ModeAnswer, ModeResetBefore, ModeSilence}
	modesAfter  = []Mode{ModeResetAfter, ModeSilenceAfter, ModeTruncated, ModeCutJSON, ModeDrip, ModeSlow}
	modes       = slices.Concat(modesBefore, modesAfter)
)

// DefaultPause is the pause of a [ModeDrip] or [ModeSlow] fault whose Pause is zero.
const DefaultPause = 100 * time.Millisecond

// maxFaultSize bounds [Fault.Size], 1 GiB.
const maxFaultSize = 1 << 30

// A Fault is a failure on demand, armed by [Server.Inject]. The zero value answers every token,
// create and decision request with status 500 and an empty body.
//
// The package's variables ([PaidPlan], [RateLimited], …) are ready-made faults. Treat them as
// constants, and adapt a copy by [Fault.At] and [Fault.Once].
type Fault struct {
	Name  string        // what [Exchange.Fault] shows; empty means the mode
	On    Op            // [OpToken], [OpCreate], [OpDecision] or [OpAny]; empty means OpAny
	Times int           // how many requests meet it; zero means all until [Server.ClearFaults]
	Mode  Mode          // empty means [ModeAnswer]
	Pause time.Duration // of [ModeDrip] and [ModeSlow]; zero means [DefaultPause]

	// The rest is the answer of ModeAnswer, and must be zero in other modes.

	Status int         // 200 to 599; zero means 500
	Header http.Header // sent as it is; X-RateLimit-Limit gets a matching X-RateLimit-Reset
	Body   string      // sent as it is, as JSON unless Header holds a Content-Type
	Size   int         // spaces follow the body up to this many bytes, at most 1 GiB; zero means none
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

// Known returns the ready-made fault of a name: one of the package's variables, such as
// "paid_plan", or a fault that is nothing but a mode, such as "reset_after".
func Known(name string) (f Fault, ok bool) {
	for _, f := range known {
		if f.Name == name {
			return f, true
		}
	}
	mode := Mode(name)
	if mode == ModeAnswer || !slices.Contains(modes, mode) {
		return Fault{}, false
	}
	return Fault{Name: name, Mode: mode}, true
}

// KnownNames returns the names that [Known] knows, sorted.
func KnownNames() []string {
	var names []string
	for _, f := range known {
		names = append(names, f.Name)
	}
	for _, m := range modes[1:] {
		names = append(names, string(m))
	}
	slices.Sort(names)
	return names
}

// check returns an error that begins with the name of the wrong field.
func (f Fault) check() error {
	isAnswer := f.mode() == ModeAnswer
	switch {
	case f.On != "" && f.On != OpAny && !slices.Contains(faultOps, f.On):
		return fmt.Errorf("on: %q is not one of any, token, create, decision", f.On)
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

// takeFault returns the fault that a request meets, or nil.
func (s *Server) takeFault(op Op, body []byte) *Fault {
	if !slices.Contains(faultOps, op) {
		return nil
	}
	defer s.lock()()
	for i := range s.faults {
		f := &s.faults[i]
		if f.On != "" && f.On != OpAny && f.On != op {
			continue
		}
		met := *f
		switch f.Times {
		case 0: // no limit
		case 1:
			s.faults = slices.Delete(s.faults, i, i+1)
		default:
			f.Times--
		}
		return &met
	}
	if op == OpCreate {
		return requestedFault(body)
	}
	return nil
}

// requestedFault returns the fault that a create request asks for by the member "simulate" of its
// metadata, or nil.
func requestedFault(body []byte) *Fault {
	if !bytes.Contains(body, []byte(`"simulate"`)) {
		return nil
	}
	var v struct {
		Metadata struct {
			Simulate string `json:"simulate"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &v) != nil || v.Metadata.Simulate == "" {
		return nil
	}
	f, ok := Known(v.Metadata.Simulate)
	if !ok {
		problem := fmt.Sprintf("%q is not one of %s.", v.Metadata.Simulate, strings.Join(KnownNames(), ", "))
		a := jsonAnswer(0, report{"metadata": report{"simulate": list(problem)}})
		f = newFault("unknown", http.StatusBadRequest, string(a.body))
	}
	return &f
}

// replacement returns the answer of a fault that prevents the work; its status is 0 if it sends
// none.
func (s *Server) replacement(f *Fault) answer {
	if f.mode() != ModeAnswer {
		return answer{}
	}
	a := textAnswer(cmp.Or(f.Status, http.StatusInternalServerError), "application/json", []byte(f.Body))
	maps.Copy(a.header, f.Header)
	if a.header.Get("X-RateLimit-Limit") != "" {
		seconds, _ := strconv.ParseInt(a.header.Get("Retry-After"), 10, 64)
		a.header.Set("X-RateLimit-Reset", strconv.FormatInt(s.now().Unix()+seconds, 10))
	}
	a.pad = max(0, f.Size-len(f.Body))
	return a
}
