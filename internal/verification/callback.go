package verification

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checkCallback requires an absolute https URL or a URL of an app's own scheme.
func checkCallback(callback string) string {
	_, problem := parseCallback(callback)
	return problem
}

// isWeb reports whether a valid callback is a web page's, not an app's.
func isWeb(callback string) bool {
	u, _ := parseCallback(callback)
	return u != nil && u.Scheme == "https"
}

// isLocal reports whether a callback is a page on the browser's own machine, over http: where
// developers serve theirs.
func isLocal(callback string) bool {
	u, err := url.Parse(callback)
	return err == nil && u.Scheme == "http" && u.User == nil && validPort(u) &&
		slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

// parseCallback parses a callback, and returns the rule that it breaks, or "". Browsers silently
// repair some URLs that Go parses differently (a backslash becomes a slash, a tab disappears), so
// what they would repair is refused. They also map other hosts to ASCII than Go does: to Go, a
// Turkish İ in lower case is i.
func parseCallback(callback string) (u *url.URL, problem string) {
	if strings.ContainsFunc(callback, func(r rune) bool {
		return r == '\\' || unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar
	}) {
		return nil, "must not contain spaces, control characters or backslashes."
	}
	u, err := url.Parse(callback)
	if err != nil {
		return nil, "must be a URL."
	}
	switch {
	case u.Scheme == "":
		return nil, "must be an absolute URL, with https or an app's own scheme."
	case u.Scheme != "https" && !IsAppScheme(u.Scheme):
		return nil, "must use https or an app's own scheme, not " + u.Scheme + "."
	case u.User != nil:
		return nil, "must not contain a user name or a password."
	case u.Scheme == "https" && (u.Opaque != "" || u.Hostname() == ""):
		return nil, "must name a host, for example https://app.example.com/verified."
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return nil, "must name its host in ASCII (punycode), for example https://xn--bcher-kva.example/."
	case strings.Contains(u.Host, "%") || !validPort(u):
		return nil, "must name a valid host and port."
	}
	return u, ""
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.Atoi(u.Port())
	return err == nil && port > 0 && port <= 65535
}

// CallbackPrefix is an entry of the callback allow-list: a URL under which callbacks are allowed,
// or an app's scheme such as myapp://. The zero value allows nothing.
type CallbackPrefix struct {
	scheme, host, port string
	any                bool // every URL of the scheme is allowed
	segments           []string
}

// ErrCallbackPrefix is the error for an entry that is neither an https URL nor an app's scheme.
var ErrCallbackPrefix = errors.New(
	"must be an https URL prefix or an app scheme, such as https://app.example.com/verified or myapp://")

// ParseCallbackPrefix parses an entry of the allow-list. It returns [ErrCallbackPrefix] for a
// scheme that is no app's, a user name, a query, a fragment, a wildcard, https without a host, or a
// host that is not in ASCII.
func ParseCallbackPrefix(entry string) (CallbackPrefix, error) {
	u, problem := parseCallback(entry)
	if problem != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.Contains(u.Host, "*") {
		return CallbackPrefix{}, ErrCallbackPrefix
	}
	segments, ok := pathSegments(u)
	if !ok {
		return CallbackPrefix{}, ErrCallbackPrefix
	}
	if n := len(segments); n > 0 && segments[n-1] == "" {
		segments = segments[:n-1]
	}
	host, port := hostAndPort(u)
	return CallbackPrefix{
		scheme: u.Scheme, host: host, port: port, segments: segments,
		any: u.Scheme != "https" && host == "" && len(segments) == 0,
	}, nil
}

// allows reports whether a URL has the prefix: the same scheme, host and port, and a path that
// begins with the same whole segments once dot segments are removed.
func (p CallbackPrefix) allows(u *url.URL) bool {
	if p.scheme == "" || u.Scheme != p.scheme {
		return false
	}
	if p.any {
		return true
	}
	host, port := hostAndPort(u)
	segments, ok := pathSegments(u)
	return ok && host == p.host && port == p.port &&
		len(segments) >= len(p.segments) && slices.Equal(segments[:len(p.segments)], p.segments)
}

func hostAndPort(u *url.URL) (host, port string) {
	port = u.Port()
	if u.Scheme == "https" && port == "" {
		port = "443"
	}
	return strings.ToLower(u.Hostname()), port
}

// pathSegments returns the decoded segments of a path without dot segments. A segment with an
// encoded slash is not ok, and neither are dots that go up from an empty segment: servers disagree
// on their meaning.
func pathSegments(u *url.URL) (segments []string, ok bool) {
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	if path == "" {
		return nil, true
	}
	parts := strings.Split(path, "/")
	for _, part := range parts {
		segment, err := url.PathUnescape(part)
		if err != nil || strings.ContainsAny(segment, `/\`) {
			return nil, false
		}
		switch {
		case segment != "." && segment != "..":
			segments = append(segments, segment)
		case segment == ".." && len(segments) > 0:
			last := len(segments) - 1
			if segments[last] == "" {
				return nil, false
			}
			segments = segments[:last]
		}
	}
	return segments, true
}
