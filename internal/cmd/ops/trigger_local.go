package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// localState is what trigger reads of the state of make run.
type localState struct {
	Run      string         `json:"run"`
	Version  int64          `json:"version"`
	Sessions []localSession `json:"sessions"`
	Hops     []struct {
		Kind    string `json:"kind"`
		Session string `json:"session_id"`
		Title   string `json:"title"`
		Result  string `json:"result"`
		Note    string `json:"note"`
	} `json:"hops"`
	Armed struct {
		Quirks []struct {
			Quirk string `json:"quirk"`
		} `json:"quirks"`
	} `json:"armed"`
	RealAccount bool `json:"real_account"`
}

type localSession struct {
	ID         string `json:"session_id"`
	VendorData string `json:"vendor_data"`
	AtDidit    string `json:"at_didit"`
	Status     string `json:"status"` // on record
}

// quirk is what an order makes go wrong.
type quirk struct {
	word       string // the simulator's; empty: nothing
	deliveries int    // that follow
	recorded   bool   // the status gets on record in the end
}

var quirks = map[string]quirk{
	inOrder: {"", 1, true}, late: {"late", 2, true}, twice: {"twice", 2, true}, forged: {"wrong_signature", 1, false}, lost: {"never", 1, false},
}

// maxFollow is how long trigger waits for what a delivery does. A delivery takes 5 s at most.
const maxFollow = 15 * time.Second

// triggerLocal makes the simulator of make run deliver a status, and prints what that does.
func (o *ops) triggerLocal(ctx context.Context, origin, session, status, order string) error {
	before, err := getLocal(ctx, origin, "")
	if err != nil {
		return err
	}
	i := 0 // the newest
	if session != "" {
		i = slices.IndexFunc(before.Sessions, func(s localSession) bool { return s.ID == session })
	}
	switch {
	case before.RealAccount:
		return blind(errors.New("make run uses a real account at Didit: decide the session in its console"))
	case len(before.Sessions) == 0 || i < 0:
		return errors.New("there is no such session; create one on the page, or with the command that make run prints")
	case len(before.Armed.Quirks) > 0:
		return fmt.Errorf("webhooks go wrong already (%s): switch that off on the page first", before.Armed.Quirks[0].Quirk)
	case before.Sessions[i].AtDidit == status:
		return fmt.Errorf("the session is %s at Didit already: nothing would be sent", status)
	}
	session, was := before.Sessions[i].ID, before.Sessions[i].AtDidit
	o.say("session %s of %s: %s, then %s (%s)", session, cmp.Or(before.Sessions[i].VendorData, "no end user"), was, status, order)
	if word := quirks[order].word; word != "" {
		if err := postLocal(ctx, origin, "/local/simulator/webhook/quirks", map[string]any{"quirk": word, "times": 1}); err != nil {
			return err
		}
	}
	steps := []string{status}
	if order == late {
		steps = append(steps, was) // a later event, which overtakes the first
	}
	for n, step := range steps {
		if n > 0 { // times of events are whole seconds
			if err := postLocal(ctx, origin, "/local/clock", map[string]any{"forward_seconds": 2}); err != nil {
				return err
			}
		}
		if err := postLocal(ctx, origin, "/local/simulator/sessions/"+session+"/status", map[string]any{"status": step}); err != nil {
			return err
		}
	}
	return o.followLocal(ctx, origin, before, session, quirks[order])
}

// followLocal prints the hops of a session until what the order promises has happened, and nothing
// more does.
func (o *ops) followLocal(ctx context.Context, origin string, from localState, session string, order quirk) error {
	ctx, cancel := context.WithTimeout(ctx, o.atMost(maxFollow))
	defer cancel()
	for seen := 0; ; {
		query := url.Values{"run": {from.Run}, "after": {fmt.Sprint(from.Version)}}
		next, err := getLocal(ctx, origin, "?"+query.Encode())
		if err != nil {
			return err
		}
		for _, h := range next.Hops {
			if h.Session != session || h.Kind == "request" {
				continue
			}
			if h.Kind == "webhook" {
				seen++
			}
			line := fmt.Sprintf("%-8s %s: %s", h.Kind, h.Title, h.Result)
			if h.Note != "" {
				line += " (" + h.Note + ")"
			}
			o.say("%s", line)
		}
		i := slices.IndexFunc(next.Sessions, func(s localSession) bool { return s.ID == session })
		recorded := i >= 0 && next.Sessions[i].Status == next.Sessions[i].AtDidit
		if seen >= order.deliveries && len(next.Hops) == 0 && (recorded || !order.recorded) {
			return nil
		}
		from = next
	}
}

// getLocal returns the state of make run; with a query that names a version, once there is news.
func getLocal(ctx context.Context, origin, query string) (state localState, err error) {
	text, err := localSystem{origin}.call(ctx, http.MethodGet, "/local/state"+query, "")
	if err == nil && json.Unmarshal(text, &state) != nil {
		err = fmt.Errorf("what answers at %s is not make run of this version", origin)
	}
	return state, err
}

func postLocal(ctx context.Context, origin, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = localSystem{origin}.call(ctx, http.MethodPost, path, string(text))
	return err
}
