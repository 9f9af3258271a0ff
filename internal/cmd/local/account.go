package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"

	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// Variables with the credentials of a real account, which a deployment has in Secrets Manager.
const (
	diditAPIKey        = "DIDIT_API_KEY"
	diditClientID      = "DIDIT_CLIENT_ID"
	diditClientSecret  = "DIDIT_CLIENT_SECRET"
	diditWebhookSecret = "DIDIT_WEBHOOK_SECRET"
)

// account is the account at Didit that the system uses: the simulator's, or a real one. It must not
// be printed.
type account struct {
	url           string // Didit's session API; empty: the simulator's account
	secret        string // the credentials' JSON
	webhookSecret string // empty: no webhook is accepted
	unused        bool   // credentials are set, and no URL
}

// simulated is the account of the simulator.
var simulated = account{
	secret:        secretJSON(map[string]string{"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret}),
	webhookSecret: didittest.DefaultWebhookSecret,
}

func (a account) isReal() bool { return a.url != "" }

// loadAccount reads the variables of the account. Real credentials are used only if the URL is set
// too: a shell may have them for other programs.
func loadAccount(getenv func(string) string) (account, error) {
	key, id, secret := getenv(diditAPIKey), getenv(diditClientID), getenv(diditClientSecret)
	a := account{url: getenv(config.DiditAPIURL), webhookSecret: getenv(diditWebhookSecret)}
	switch {
	case a.url == "" && getenv(config.DiditAuthURL) != "":
		return a, errors.New(config.DiditAuthURL + " is set: set " + config.DiditAPIURL + " too, for a real account at Didit")
	case a.url == "":
		a = simulated
		a.unused = key+id+secret != ""
		return a, nil
	case key != "":
		a.secret = secretJSON(map[string]string{"api_key": key})
	case id != "" && secret != "":
		a.secret = secretJSON(map[string]string{"client_id": id, "client_secret": secret})
	default:
		return a, errors.New(config.DiditAPIURL + " is set, for a real account at Didit: set " + diditAPIKey + ", or " +
			diditClientID + " and " + diditClientSecret + ", too")
	}
	if getenv(config.WorkflowIDs) == "" {
		return a, errors.New(config.WorkflowIDs + " must name workflows of the account at " + config.DiditAPIURL)
	}
	return a, nil
}

func secretJSON(members map[string]string) string {
	text, _ := json.Marshal(members)
	return string(text)
}

// hosted is a client of the simulator whose session URLs have the host by which the caller reached
// the gateway, which an emulator or a phone can open.
type hosted struct {
	*didit.Client
	origin string // of the simulator's session URLs
}

func (h hosted) CreateSession(ctx context.Context, r didit.SessionRequest) (didit.Session, error) {
	s, err := h.Client.CreateSession(ctx, r)
	host, _ := ctx.Value(hostKey{}).(string)
	s.URL = withHost(s.URL, h.origin, host)
	return s, err
}

// withHost returns a URL of the origin with the name in the Host header instead of its own.
// Loopback is no reason to replace it: behind it may be the address of this machine in its network,
// for a phone.
func withHost(target, origin, host string) string {
	path, ours := strings.CutPrefix(target, origin+"/")
	u, err := url.Parse("http://" + host)
	if !ours || err != nil || u.Hostname() == "" || u.Hostname() == "localhost" {
		return target
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return target
	}
	port := origin[strings.LastIndexByte(origin, ':')+1:]
	return "http://" + net.JoinHostPort(u.Hostname(), port) + "/" + path
}
