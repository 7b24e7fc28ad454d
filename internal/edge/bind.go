package edge

import (
	"encoding/json"
	"strings"
)

// grants remembers which public name belongs to which reconnect token. An agent keeps the first
// token it got, so a name has to be found by it for ever.
type grants struct {
	byToken map[string]grant
	order   []string
}

type grant struct{ account, host string }

func (g *grants) keep(token string, of grant) {
	if g.byToken == nil {
		g.byToken = map[string]grant{}
	}
	if len(g.order) >= maxGrants {
		delete(g.byToken, g.order[0])
		g.order = g.order[1:]
	}
	g.byToken[token] = of
	g.order = append(g.order, token)
}

func (s *session) bind(r bindRequest) any {
	var opts bindOpts
	bad := json.Unmarshal(r.Opts, &opts)
	record := BindRecord{
		At: s.edge.options.Now(), Token: s.account(), ID: r.ID, URL: opts.URL, Proto: r.Proto,
		TrafficPolicy: opts.TrafficPolicy, ForwardsTo: r.ForwardsTo, Metadata: r.Extra.Metadata,
	}
	no := checkBind(record, bad)
	if refuse := s.edge.options.RefuseBind; no == nil && refuse != nil {
		no = refuse(record)
	}
	var ep *endpoint
	if no == nil {
		ep, no = s.edge.grant(s, r, &record)
	}
	record.Refused = no.code()
	s.edge.noteBind(record)
	if no != nil {
		return bindResponse{ID: r.ID, Error: no.wire()}
	}
	out := bindResponse{ID: ep.bindID, URL: record.Granted, Proto: "https", Opts: r.Opts}
	out.Extra.Token = ep.resume
	out.Extra.TunnelID = ep.tunnelID
	return out
}

// checkBind refuses what this edge cannot serve. Traffic policies are taken, not carried out; of
// JSON it is said when it is none.
func checkBind(r BindRecord, bad error) *Refusal {
	switch {
	case r.Proto == "tcp":
		return refuse(8013, "TCP endpoints are not available to your account.")
	case r.Proto == "tls":
		return refuse(303, "TLS endpoints are not available to your account.")
	case r.Proto != "https":
		return refuse(332, "The protocol '%.20s' is not supported.", r.Proto)
	case bad != nil:
		return refuse(326, "The endpoint's options can't be read.")
	}
	if p := strings.TrimSpace(r.TrafficPolicy); strings.HasPrefix(p, "{") && !json.Valid([]byte(p)) {
		return refuse(2201, "The traffic policy is not valid JSON.")
	}
	return nil
}

// grant finds a name for the request and puts it online.
func (e *Edge) grant(s *session, r bindRequest, record *BindRecord) (*endpoint, *Refusal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, alive := e.sessions[s]; !alive {
		return nil, refuse(128, "The session has ended.")
	}
	former, resumed := e.grants.byToken[r.Extra.Token]
	resumed = resumed && former.account == record.Token
	host, no := former.host, (*Refusal)(nil)
	if !resumed {
		host, no = e.choose(record.Token, record.URL)
	}
	if no == nil {
		no = e.place(record.Token, host, resumed)
	}
	if no != nil {
		return nil, no
	}
	ep := newEndpoint(s, host, r.ID)
	if ep.resume = r.Extra.Token; !resumed {
		ep.resume = randomID("")
		e.grants.keep(ep.resume, grant{record.Token, host})
	}
	e.endpoints[host] = ep
	record.Resumed, record.Granted = resumed, "https://"+e.publicHost(host)
	return ep, nil
}

// choose finds the name: the one that was asked for, or the token's own.
func (e *Edge) choose(token, wanted string) (string, *Refusal) {
	host, random, no := wantedHost(wanted)
	switch {
	case no != nil:
		return "", no
	case random:
		return e.fullName(randomID("r")), nil
	case host == "":
		return e.fullName(devName(token)), nil
	}
	return host, e.mayHave(token, host)
}

// place refuses a name that is taken and a token that has too many. One that comes back takes
// the place of its former self.
func (e *Edge) place(token, host string, resumed bool) *Refusal {
	if old := e.endpoints[host]; old != nil {
		if !resumed || old.session.account() != token {
			return refuse(334, "The endpoint 'https://%s' is already online.", host)
		}
		old.offline()
		return nil
	}
	online := 0
	for _, ep := range e.endpoints {
		if ep.session.account() == token {
			online++
		}
	}
	if online >= maxEndpoints {
		return refuse(324, "Your account is limited to %d simultaneous endpoints.", maxEndpoints)
	}
	return nil
}

func (s *session) unbind(r unbindRequest) any {
	s.edge.mu.Lock()
	defer s.edge.mu.Unlock()
	for host, ep := range s.edge.endpoints {
		if ep.session == s && ep.bindID == r.ID {
			delete(s.edge.endpoints, host)
			ep.offline()
			return errorResponse{}
		}
	}
	return errorResponse{"There is no endpoint with this id."}
}

func (e *Edge) noteBind(r BindRecord) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.binds = kept(e.binds, r)
	e.log.Debug("endpoint", "url", r.Granted, "resumed", r.Resumed, "refused", r.Refused)
}
