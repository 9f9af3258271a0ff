package repotest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Ensure that the local gateway has the routes of the template, with their throttles and without
// more open ones, and sends its CORS headers.
func TestLocalGateway(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	gateway, edge := read(t, "internal/cmd/local/gateway.go"), read(t, "internal/cmd/local/edge.go")
	routes := operations(openapi(t)["paths"].(object)) // which are the template's
	var local []string
	for _, line := range all(`(?m)^\t\t(\{method: "[A-Z]+", path: .*\},)$`, gateway) {
		method, path := all(`method: "(\w+)"`, line)[0], all(`path: "([^"]+)"`, line)[0]
		route := method + " " + path
		local = append(local, route)
		if open := strings.Contains(line, "open: true"); routes[route] != nil && open != (routes[route]["security"] != nil) {
			t.Errorf("internal/cmd/local: %s is open: %v", route, open)
		}
		rate, burst := "rate", "burst" // parameters
		if limits, ok := at(tm.resources, "Api|Properties|RouteSettings|"+route).(object); ok {
			rate, burst = limits["ThrottlingRateLimit"].(string), limits["ThrottlingBurstLimit"].(string)
		}
		if want := fmt.Sprintf("bucket{rate: %s, burst: %s}", rate, burst); !strings.Contains(line, want) {
			t.Errorf("internal/cmd/local: %s has another throttle than template.yaml: want %s", route, want)
		}
	}
	slices.Sort(local)
	var want []string
	for route := range routes {
		want = append(want, route)
	}
	slices.Sort(want)
	same(t, "routes of internal/cmd/local", local, want)
	for name, parameter := range map[string]string{"defaultRate": "ThrottleRate", "defaultBurst": "ThrottleBurst"} {
		same(t, name+" of internal/cmd/local", all(name+` += (\d+)`, edge), strs(at(tm.parameters, parameter+"|Default")))
	}
	cors := at(tm.resources, "Api|Properties|CorsConfiguration|Fn::If|1")
	for name, property := range map[string]string{"corsMethods": "AllowMethods", "corsHeaders": "AllowHeaders", "corsExposed": "ExposeHeaders", "corsMaxAge": "MaxAge"} {
		same(t, name+" of internal/cmd/local", all(name+` += "([^"]+)"`, edge), []string{strings.Join(strs(at(cors, property)), ",")})
	}
	same(t, "origins of internal/cmd/local", all(`defaultOrigins += "([^"]+)"`, edge), all(`"AllowedOrigins=([^"]+)"`, read(t, "samconfig.toml")))
}
