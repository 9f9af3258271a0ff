package didittest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// scenarios are what a sandbox application can ask for ("Didit: Sandbox"). The first word says what
// the session comes to.
var scenarios = []string{
	"approve", "decline_document_expired", "decline_could_not_recognize_document", "decline_mrz_validation",
	"decline_minimum_age", "decline_face_match_low_similarity", "decline_liveness_attack", "decline_aml_hit",
	"decline_ip_blocklist", "decline_poa_address_mismatch", "decline_nfc_chip_not_verified", "decline_database_no_match",
	"review_aml_possible_match", "review_face_match_borderline", "review_poa_partial_match", "decline_kyb_registry_mismatch",
}

// refuseScenario returns Didit's refusal of a scenario, or nil: only sandbox applications have any.
func (s *Server) refuseScenario(o order) *answer {
	problem := ""
	switch {
	case o.scenario == nil:
		return nil
	case !s.Sandbox:
		problem = "Sandbox scenarios are available in sandbox applications only."
	case !slices.Contains(scenarios, *o.scenario):
		problem = `"` + *o.scenario + `" is not a valid choice.`
	default:
		return nil
	}
	a := jsonAnswer(http.StatusBadRequest, report{"sandbox_scenario": list(problem)})
	return &a
}

// play moves a new session to what its scenario comes to, without a person. The caller holds the
// lock.
func (s *Server) play(v *session) {
	if v.scenario == nil || s.closed() {
		return
	}
	word, _, _ := strings.Cut(*v.scenario, "_")
	end := map[string]string{"approve": "Approved", "decline": "Declined", "review": "In Review"}[word]
	s.pending++
	go func() {
		defer s.endPending()
		for _, status := range []string{inProgress, end} {
			select {
			case <-time.After(s.ScenarioPause):
				_ = s.SetStatus(v.id, status) // the session may be forgotten by now
			case <-s.ctx.Done():
				return
			}
		}
	}()
}
