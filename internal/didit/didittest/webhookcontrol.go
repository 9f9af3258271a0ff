package didittest

import "net/http"

// webhookBody is the destination as the control API shows it: without its secret.
type webhookBody struct {
	URL     string       `json:"url"`
	Version string       `json:"version"`
	Quirks  []armedQuirk `json:"quirks"`
}

func (s *Server) getWebhook(http.ResponseWriter, *http.Request) (answer, error) {
	defer s.lock()()
	b := webhookBody{URL: s.hooks.url, Version: s.hooks.version, Quirks: append([]armedQuirk{}, s.hooks.quirks...)}
	return jsonAnswer(http.StatusOK, b), nil
}

func (s *Server) postWebhook(w http.ResponseWriter, r *http.Request) (answer, error) {
	var b struct {
		URL     string `json:"url"`
		Secret  string `json:"secret"`
		Version string `json:"version"`
	}
	if err := readControl(w, r, &b); err != nil {
		return answer{}, err
	}
	if err := s.SetWebhook(b.URL, b.Secret, b.Version); err != nil {
		return answer{}, err
	}
	return s.getWebhook(w, r)
}

func (s *Server) postQuirk(w http.ResponseWriter, r *http.Request) (answer, error) {
	var b armedQuirk
	if err := readControl(w, r, &b); err != nil {
		return answer{}, err
	}
	if err := b.check(); err != nil {
		return answer{}, err
	}
	s.Misdeliver(b.Quirk, b.Times)
	return jsonAnswer(http.StatusCreated, b), nil
}

func (s *Server) deleteQuirks(w http.ResponseWriter, r *http.Request) (answer, error) {
	s.ClearQuirks()
	return s.getWebhook(w, r)
}

func (s *Server) listDeliveries(http.ResponseWriter, *http.Request) (answer, error) {
	return jsonAnswer(http.StatusOK, map[string]any{"deliveries": append([]Delivery{}, s.Deliveries()...)}), nil
}

// postResend insists on the JSON media type, as all that changes anything does.
func (s *Server) postResend(w http.ResponseWriter, r *http.Request) (answer, error) {
	if err := readControl(w, r, &struct{}{}); err != nil {
		return answer{}, err
	}
	d, err := s.Resend(r.PathValue("event_id"))
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, d), nil
}

func (s *Server) postData(w http.ResponseWriter, r *http.Request) (answer, error) {
	if err := readControl(w, r, &struct{}{}); err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	if err := s.EditData(id); err != nil {
		return answer{}, err
	}
	v, _ := s.Session(id)
	return jsonAnswer(http.StatusOK, v), nil
}
