package verification

import (
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Ensure that pages of a developer's own machine are callbacks where the policy says so, for every
// caller, and nowhere else.
func TestCreator_Create_localCallbacks(t *testing.T) {
	t.Parallel()
	for callback, local := range map[string]bool{
		"http://localhost:5173/done?x=1": true, "http://127.0.0.1/": true, "http://[::1]:3000": true,
		"http://localhost.example.com/": false, "http://user@localhost/": false, "http://localhost:99999/": false, "http://10.0.2.2/": false, "ftp://localhost/": false,
	} {
		for _, caller := range []Caller{trusted, signedIn} {
			for _, allowed := range []bool{true, false} {
				s := newCreator(newWire(t, 201, okSession).client)
				s.Policy.LocalCallbacks = allowed
				_, err := create(t, s, caller, `{"callback":"`+callback+`"}`)
				if got, want := err == nil, local && allowed; got != want {
					t.Errorf("%s, trusted %v, allowed %v: got %v %q, want accepted %v", callback, caller.Trusted, allowed, err, fieldsOf(err), want)
				}
			}
		}
	}
}

// Ensure that a callback that no browser should follow is refused on every door, and that what
// is taken reaches Didit as it was written.
func TestCreator_Create_callback(t *testing.T) {
	t.Parallel()
	const taken = ""
	for _, test := range []struct{ callback, says string }{
		{"https://app.example.com", taken},
		{"https://app.example.com/verified?state=a%20b&next=https://x/#part?", taken},
		{"HTTPS://APP.example.com/Verified", taken},
		{"https://app.example.com:8443/", taken},
		{"https://app.example.com:65535/", taken},
		{"https://192.0.2.1/verified", taken},
		{"https://[2001:db8::1]/verified", taken},
		{"https://[2001:db8::1]:8443/verified", taken},
		{"https://app.example.com/a/%2e%2e/%2f", taken},
		{"https://xn--bcher-kva.example/", taken},
		{"myapp://", taken},
		{"myapp://verified?session=1#x", taken},
		{"com.example.my-app+x:/verified", taken},
		{"myapp:verified", taken},
		{"myapp:https://app.example.com/", taken},
		{"fb1234567890://authorize", taken},
		{"web+myapp://verified", taken},
		{"myapp://verified/İ?q=ü", taken},
		{"https://app.example.com/İ/ü?q=日本", taken},

		{"/verified", "absolute"},
		{"verified", "absolute"},
		{"//app.example.com/verified", "absolute"},
		{"app.example.com/verified", "absolute"},
		{"?x", "absolute"},
		{"://app.example.com", "must be a URL"},
		{"1app://x", "must be a URL"},
		{"https://[::1/", "must be a URL"},
		{"https://[]/", "must be a URL"},
		{"https://app.example.com:port/", "must be a URL"},
		{"https://app.example.com/%zz", "must be a URL"},
		{"https://app%2eexample.com/", "must be a URL"},

		{"http://app.example.com/", "not http."},
		{"http://localhost/", "not http."},
		{"HTTP://app.example.com/", "not http."},
		{"ftp://app.example.com/", "not ftp."},
		{"file:///etc/passwd", "not file."},
		{"javascript:alert(1)", "not javascript."},
		{"JavaScript://app.example.com/%0aalert(1)", "not javascript."},
		{"data:text/html,x", "not data."},
		{"data://app.example.com/", "not data."},
		{"VBScript:x", "not vbscript."},
		{"blob:https://app.example.com/1", "not blob."},
		{"about:blank", "not about."},
		{"intent://scan/#Intent;scheme=https;end", "not intent."},
		{"view-source:https://app.example.com", "not view-source."},
		{"filesystem:https://app.example.com/temporary/x", "not filesystem."},
		{"wss://app.example.com/", "not wss."},
		{"content://x/y", "not content."},

		{"https://bücher.example/", "punycode"},
		{"https://mobİle.example.com/", "punycode"},
		{"https://m%C3%B6bile.example.com/", "punycode"},
		{"https://mob\u0131le.example.com/", "punycode"}, // ı
		{"https://\u212aapp.example.com/", "punycode"},   // the Kelvin sign, which lower-cases to k
		{"https://app\uff0eexample.com/", "punycode"},    // a full stop to browsers
		{"https://app\u3002example.com:8443/x", "punycode"},
		{"https://app.example.com\u00ad/", "punycode"},
		{"https://app.example.com\u200b/", "punycode"},
		{"myapp://mobİle/x", "punycode"},
		{"com.example.app://\uff48ost", "punycode"},

		{"https://user@app.example.com/", "user name"},
		{"https://user:pass@app.example.com/", "user name"},
		{"https://app.example.com@evil.com/", "user name"},
		{"https://@app.example.com/", "user name"},
		{"myapp://user@host/", "user name"},

		{"https:", "must name a host"},
		{"https:///verified", "must name a host"},
		{"https:/verified", "must name a host"},
		{"https:app.example.com", "must name a host"},
		{"https://:443/", "must name a host"},
		{"https://?x", "must name a host"},

		{"https://app.example.com:0/", "host and port"},
		{"https://app.example.com:65536/", "host and port"},
		{"https://app.example.com:99999/", "host and port"},
		{"https://app.example.com:99999999999999999999/", "host and port"},
		{"https://app.example.com:/", "host and port"},
		{"https://[2001:db8::1]:0/", "host and port"},
		{"https://[2001:db8::1]:99999/", "host and port"},
		{"https://[fe80::1%25eth0]/", "host and port"},
		{"myapp://host:0/", "host and port"},

		{`https://app.example.com\@evil.com/`, "backslashes"},
		{`https:\\app.example.com/`, "backslashes"},
		{`https://app.example.com/a\..\b`, "backslashes"},
		{"https://app.example.com/\tverified", "control"},
		{"https://app.example.com/\nverified", "control"},
		{"java\tscript:alert(1)", "control"},
		{"\x01javascript:alert(1)", "control"},
		{" https://app.example.com/", "spaces"},
		{"https://app.example.com/ ", "spaces"},
		{"https://app.example.com/a b", "spaces"},
		{"https://app.example.com/\u2028", "spaces"},
		{"https://app.example.com/\u0085", "control"},
		{"https://app.example.com/\ufffd", "control"},
	} {
		t.Run(test.callback, func(t *testing.T) {
			t.Parallel()
			body := bodyWith("callback", quote(test.callback), "")
			if test.says == taken {
				if got := accepted(t, newCreator(nil).Policy, trusted, body).Get("callback").Text; got != test.callback {
					t.Errorf("got callback %q, want %q", got, test.callback)
				}
				return
			}
			e := refused(t, newCreator(nil).Policy, trusted, body)
			wantRefusal(t, body, e, CodeInvalidRequest, "callback")
			if got := e.Fields[0].Message; !strings.Contains(got, test.says) {
				t.Errorf("%q: got %q, want it to say %q", test.callback, got, test.says)
			}
		})
	}
}

// Ensure that no door takes a scheme that means something else than an app of the operator's.
func TestCreator_Create_takenSchemes(t *testing.T) {
	t.Parallel()
	schemes := []string{ // what the contract names, and what attackers would try
		"javascript", "data", "vbscript", "blob", "about", "intent", "shell", "mhtml", "chrome", "res", "mailto", "tel", "ms-msdt", "jar", "feed", "ftp", "file",
		"search-ms", "search", "ms-settings", "ms-word", "ms-officecmd", "ms-its", "view-source", "wyciwyg", "sms", "callto", "facetime", "skype", "market", "itms-services",
		"ldap", "smb", "nfs", "ssh", "telnet", "sftp", "gopher", "news", "irc", "magnet", "bitcoin", "steam", "vscode", "chrome-extension", "moz-extension", "android-app",
		"content", "filesystem", "ws", "wss", "http", "urn", "cid", "z39.50", "coap+tcp", "iris.beep", "x-apple.systempreferences", "livescript", "c",
	}
	anywhere := CallbackPrefix{}
	for _, scheme := range append(schemes, takenSchemes...) {
		for _, rest := range []string{"x", "javascript:alert(1)", "//app.example.com/verified", "https://app.example.com/"} {
			for _, callback := range []string{scheme + ":" + rest, strings.ToUpper(scheme) + ":" + rest} {
				anywhere.scheme, anywhere.any = scheme, true
				policy := newCreator(nil).Policy
				policy.AllowedCallbacks = []CallbackPrefix{anywhere}
				for _, caller := range []Caller{trusted, signedIn} {
					wantRefusal(t, callback, refused(t, policy, caller, bodyWith("callback", quote(callback), "")), CodeInvalidRequest, "callback")
				}
			}
		}
		if _, err := ParseCallbackPrefix(scheme + "://"); !errors.Is(err, ErrCallbackPrefix) {
			t.Errorf("%s:// as an entry: got error %v, want %v", scheme, err, ErrCallbackPrefix)
		}
	}
	for _, scheme := range []string{"myapp", "com.example.app", "com.example.my-app+x", "msal1234", "jars", "feeds2", "my-javascript", "x1", "mailto.app", "didit"} {
		if !IsAppScheme(scheme) {
			t.Errorf("%s: got taken, want an app's scheme", scheme)
		}
	}
}

// Ensure that the table of schemes is as the comparison needs it.
func TestTakenSchemes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, scheme := range takenSchemes {
		u, err := url.Parse(scheme + ":x")
		if err != nil || u.Scheme != scheme || seen[scheme] || scheme == "https" || strings.HasPrefix(scheme, "ms-") {
			t.Errorf("%q: got scheme %v, error %v, want it valid, in lower case and once", scheme, u, err)
		}
		seen[scheme] = true
	}
	if len(seen) < 400 {
		t.Errorf("got %d schemes, want IANA's and those of systems", len(seen))
	}
}

// Ensure that a signed-in user's browser goes where the list says, and nowhere else.
func TestCreator_Create_allowedCallbacks(t *testing.T) {
	t.Parallel()
	const verified = "https://app.example.com/verified"
	for _, group := range []struct {
		entry         string
		allow, refuse []string
	}{
		{verified, []string{
			verified, verified + "/", verified + "/deep/er", verified + "?a=1#b", verified + "/%2e/x", verified + "/a/../b", verified + "//",
			"HTTPS://APP.EXAMPLE.COM/verified", "https://app.example.com:443/verified", "https://app.example.com/./verified",
			"https://app.example.com/x/../verified", "https://app.example.com/%76erified", "https://app.example.com/a/%2E%2e/verified",
		}, []string{
			"https://app.example.com", "https://app.example.com/", "https://app.example.com/verifiedX", "https://app.example.com/verified%20",
			"https://app.example.com/Verified", "https://app.example.com//verified", "https://app.example.com/verified;x",
			verified + "/..", verified + "/../", verified + "/../admin", verified + "/%2e%2e/admin", verified + "/.%2E/admin", verified + "/./../admin",
			verified + "/a/../../admin", verified + "/%2e%2e", "https://app.example.com/verified%2f..%2fadmin", verified + "/%2f", verified + "/a%2Fb", verified + "/%5c..%5cadmin",
			"https://app.example.com.evil.com/verified", "https://evil.com/verified", "https://evil.com/https://app.example.com/verified",
			"https://evil.com?" + verified, "https://evil.com#" + verified, "https://evilapp.example.com/verified", "https://example.com/verified",
			"https://app.example.com./verified", "https://app.example.com:8443/verified", "https://app.example.com:444/verified", "https://app.example.com:0443/verified",
			"https://[::1]/verified", "myapp://app.example.com/verified", "https+x://app.example.com/verified",
		}},
		{"https://app.example.com/", []string{
			"https://app.example.com", "https://app.example.com/", "https://app.example.com/any/thing?x", "https://app.example.com/..", "https://app.example.com?x",
		}, []string{"https://app.example.com.evil.com/", "https://app.example.com/%2f", "https://app.example.com:444/", "https://app.example.co/"}},
		{"https://app.example.com:443/verified/", []string{verified, verified + "/x", "https://app.example.com:443/verified"},
			[]string{"https://app.example.com/verifiedX", "https://app.example.com/"}},
		{"https://app.example.com:8443", []string{"https://app.example.com:8443/x"}, []string{"https://app.example.com/x", "https://app.example.com:443/x", "https://app.example.com:84430/x"}},
		{"https://app.example.com/a/./b/../c", []string{"https://app.example.com/a/c", "https://app.example.com/a/c/d"}, []string{"https://app.example.com/a/b", "https://app.example.com/a"}},
		{"https://[2001:DB8::1]:8443/v", []string{"https://[2001:db8::1]:8443/v"}, []string{"https://[2001:db8::1]/v", "https://[2001:db8::2]:8443/v"}},
		{"myapp://", []string{"myapp://", "myapp://verified", "myapp://a/b?c#d", "MyApp://x", "myapp:x", "myapp:/x", "myapp://x/%2f"},
			[]string{"myapp2://x", "myap://x", "https://myapp/", "https://myapp://"}},
		{"myapp://host/path", []string{"myapp://host/path", "myapp://HOST/path/x?y"},
			[]string{"myapp://host/pathX", "myapp://host", "myapp://other/path", "myapp:/path", "myapp:host/path", "myapp://host/path/../x", "myapp://host:1/path"}},
		{"com.example.app:/path", []string{"com.example.app:/path", "com.example.app:/path/x"}, []string{"com.example.app:/", "com.example.app://path", "com.example.app:/pathX"}},
	} {
		prefix, err := ParseCallbackPrefix(group.entry)
		if err != nil {
			t.Errorf("%q: got %v, want an entry", group.entry, err)
			continue
		}
		policy := newCreator(nil).Policy
		policy.AllowedCallbacks = []CallbackPrefix{{}, prefix}
		for _, callback := range group.allow {
			body := bodyWith("callback", quote(callback), "")
			if got := accepted(t, policy, signedIn, body).Get("callback").Text; got != callback {
				t.Errorf("%q under %q: got %q, want it unchanged", callback, group.entry, got)
			}
		}
		for _, callback := range group.refuse {
			body := bodyWith("callback", quote(callback), "")
			wantRefusal(t, callback+" under "+group.entry, refused(t, policy, signedIn, body), CodeInvalidRequest, "callback")
		}
	}
}

func TestCreator_Create_callbackLists(t *testing.T) {
	t.Parallel()
	body := bodyWith("callback", `"https://b.example.com/x"`, "")
	var both []CallbackPrefix
	for _, entry := range []string{"https://a.example.com/", "https://b.example.com/"} {
		prefix, err := ParseCallbackPrefix(entry)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, prefix)
	}
	policy := newCreator(nil).Policy
	for _, test := range []struct {
		name  string
		list  []CallbackPrefix
		taken bool
	}{{"none", nil, false}, {"zero value", []CallbackPrefix{{}}, false}, {"first of two", both[:1], false}, {"second of two", both, true}} {
		policy.AllowedCallbacks = test.list
		if test.taken {
			accepted(t, policy, signedIn, body)
		} else {
			wantRefusal(t, test.name, refused(t, policy, signedIn, body), CodeInvalidRequest, "callback")
		}
		accepted(t, policy, trusted, body)                                      // the trusted door has no list
		accepted(t, policy, signedIn, `{}`)                                     // and no callback needs none
		wantRefusal(t, "one reason for one field", refused(t, policy, signedIn, // a wrong one is not also off the list
			bodyWith("callback", `"http://b.example.com/"`, "")), CodeInvalidRequest, "callback")
	}
}

func TestParseCallbackPrefix_refused(t *testing.T) {
	t.Parallel()
	if (CallbackPrefix{}).allows(&url.URL{}) {
		t.Error("the zero value allows the empty URL, want it to allow nothing")
	}
	for _, entry := range []string{
		"", "app.example.com", "/verified", "*", "https://*", "https://*.example.com/", "myapp://*", "https://", "https:///x", "https:app", "http://app.example.com/", "http://localhost/", "javascript:", "data:",
		"https://user@app.example.com/", "https://app.example.com/?x=1", "https://app.example.com/#x", "https://app.example.com:0/", "https://app.example.com:99999/",
		"https://app.example.com/%2f", "https://app.example.com/a%5cb", `https://app.example.com\`, "https://app.example.com/ x", "myapp:x", "myapp", "https://[::1",
		"https://mobİle.example.com/", "https://bücher.example/verified", "myapp://mobİle", "mailto:", "tel://", "ms-msdt://", "market://details", "shell:", "c:", "jar:",
	} {
		switch prefix, err := ParseCallbackPrefix(entry); {
		case !errors.Is(err, ErrCallbackPrefix):
			t.Errorf("%q: got error %v, want %v", entry, err, ErrCallbackPrefix)
		case prefix.allows(&url.URL{Scheme: "https", Host: "app.example.com"}):
			t.Errorf("%q: the prefix beside the error allows something", entry)
		}
	}
}

// Ensure that no callback that the list lets through leads a browser elsewhere: the URL that a
// resolver makes of it has the entry's origin and lies under the entry's path.
func FuzzCallbackPrefix(f *testing.F) {
	const entry = "https://app.example.com/verified"
	prefix, err := ParseCallbackPrefix(entry)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		entry, entry + "/../admin", entry + "/%2e%2e/x", entry + "/%2f..", "https://app.example.com.evil.com/verified", "https://app.example.com@evil.com/verified",
		`https://app.example.com\@evil.com/verified`, "https://app.example.com:443/./verified/a//b/..?x#y", "//evil.com/verified", "javascript:alert(1)", "https://[::1]/verified",
		"https://app.example.com:443/./verified//..", "https://app.exampİe.com/verified", "https://\u212aapp.example.com/verified", "https://app\u3002example.com/verified",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, callback string) {
		u, problem := parseCallback(callback)
		if problem != "" || !prefix.allows(u) {
			return
		}
		again, err := url.Parse(callback)
		if err != nil || again.Scheme != "https" || again.User != nil || strings.TrimSuffix(strings.ToLower(again.Host), ":443") != "app.example.com" {
			t.Fatalf("%q: got through with origin %v, error %v", callback, again, err)
		}
		if strings.ContainsFunc(again.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Errorf("%q: got through with host %q, which is not in ASCII", callback, again.Host)
		}
		if clean := path.Clean("/" + again.Path); clean != "/verified" && !strings.HasPrefix(clean, "/verified/") {
			t.Errorf("%q: got through, and leads to %q", callback, clean)
		}
		if slices.ContainsFunc([]string{`\`, "\t", "\n", " ", "@"}, func(s string) bool { return strings.Contains(again.Host, s) }) {
			t.Errorf("%q: got through with host %q", callback, again.Host)
		}
	})
}
