package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variables that replace parameters of template.yaml which API Gateway reads itself, so that no
// function has them: AllowedOrigins, ThrottleRate, ThrottleBurst, JwtIssuer and JwtAudience.
const (
	allowedOrigins = "ALLOWED_ORIGINS"
	throttleRate   = "THROTTLE_RATE"
	throttleBurst  = "THROTTLE_BURST"
	jwtIssuer      = "JWT_ISSUER"
	jwtAudience    = "JWT_AUDIENCE"
)

// What holds unless the variables say otherwise: the throttle of new sessions as in template.yaml,
// and the origin as in samconfig.toml.
const (
	defaultRate    = 4
	defaultBurst   = 20
	defaultOrigins = "http://localhost:5173"
)

// edge is the configuration of the gateway itself. The zero value allows no page of another origin
// and no new session.
type edge struct {
	origins     []string // from which pages may call; "*": all
	rate, burst float64  // of new sessions
	issuer      string   // of tokens; empty: every word is a token
	audiences   []string // of tokens
}

// originForm is that of the parameter AllowedOrigins, and defaultPort is what it has none of: no
// browser sends it.
var (
	originForm  = regexp.MustCompile(`^https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?$`)
	defaultPort = regexp.MustCompile(`^(https://.*:443|http://.*:80)$`)
)

func isOrigin(text string) bool {
	return originForm.MatchString(text) && !defaultPort.MatchString(text)
}

// loadEdge reads the variables of the gateway. Its error names every wrong one.
func loadEdge(getenv func(string) string) (edge, error) {
	var problems []error
	refuse := func(name, rule string) { problems = append(problems, fmt.Errorf("%s %s", name, rule)) }
	number := func(name string, fallback, most float64) float64 {
		n, err := strconv.ParseFloat(cmp.Or(getenv(name), fmt.Sprint(fallback)), 64)
		if err != nil || !(n >= 1 && n <= most) {
			refuse(name, fmt.Sprintf("must be a number from 1 to %v", most))
		}
		return n
	}
	// Above the template's 100 and 200, because a test of load may want to see more than the throttle.
	e := edge{
		origins: items(cmp.Or(getenv(allowedOrigins), defaultOrigins)), issuer: getenv(jwtIssuer), audiences: items(getenv(jwtAudience)),
		rate: number(throttleRate, defaultRate, 1e6), burst: number(throttleBurst, defaultBurst, 1e6),
	}
	if !slices.Equal(e.origins, []string{"*"}) && slices.ContainsFunc(e.origins, func(o string) bool { return !isOrigin(o) }) {
		refuse(allowedOrigins, `must be "*", or origins such as https://app.example.com,http://localhost:5173`)
	}
	if (e.issuer == "") != (len(e.audiences) == 0) {
		refuse(jwtIssuer, "and "+jwtAudience+" are set together, or neither is")
	}
	return e, errors.Join(problems...)
}

// items returns the entries of a list that is separated by commas.
func items(list string) []string {
	var entries []string
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries
}

// What pages of the allowed origins may do, as in template.yaml.
const (
	corsMethods = "GET,POST"
	corsHeaders = "authorization,content-type,x-amz-content-sha256,x-amz-date,x-amz-security-token"
	corsExposed = "location,retry-after"
	corsMaxAge  = "3600"
)

// isPreflight reports whether the gateway answers a request in the place of a route. Without
// allowed origins it does not (API Gateway: Configure CORS for HTTP APIs).
func (e edge) isPreflight(r *http.Request) bool {
	return len(e.origins) > 0 && r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// cors adds the headers for a page of another origin. It returns false if the page may not see the
// answer.
func (e edge) cors(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "http://"+r.Host {
		return true
	}
	all := slices.Contains(e.origins, "*")
	if !all && !slices.Contains(e.origins, origin) {
		return false
	}
	if all {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	return true
}
