package edge

import (
	"encoding/binary"
	"encoding/json"
)

// Types of streams (golang.ngrok.com/ngrok/v2 v2.4.0, internal/tunnel/proto).
const (
	typeAuth       uint32 = 0 // the agent opens these ...
	typeBind       uint32 = 1
	typeUnbind     uint32 = 2
	typeLabels     uint32 = 7
	typeSrvInfo    uint32 = 8
	typePatch      uint32 = 10
	typeProxy      uint32 = 3 // ... the edge these ...
	typeStopTunnel uint32 = 9
	typeHeartbeat  uint32 = 0xFFFFFFFF // ... and both this one
)

type authRequest struct {
	Version  []string
	ClientID string `json:"ClientId"`
	Extra    struct {
		Authtoken, Version, UserAgent, Metadata, Cookie, ClientType string
		HeartbeatInterval, HeartbeatTolerance                       int64 // ns
	}
}

type authResponse struct {
	Version  string
	ClientID string `json:"ClientId"`
	Error    string
	Extra    struct {
		Version, Region, Cookie, AccountName, PlanName, Banner, AgentSessionID string
	}
}

type bindRequest struct {
	ID         string `json:"Id"` // "" asks for one, a reconnecting agent names its own
	Proto      string
	ForwardsTo string
	Opts       json.RawMessage
	Extra      struct {
		Token, Metadata string
		PoolingEnabled  bool
	}
}

type bindOpts struct {
	URL           string
	TrafficPolicy string
}

type bindResponse struct {
	ID    string `json:"Id"`
	URL   string
	Proto string
	// Opts are the request's. A reconnecting agent sends what it got here, so an edge that does not
	// echo them loses the address and the policy.
	Opts  json.RawMessage `json:",omitempty"`
	Error string
	Extra struct{ Token, TunnelID string }
}

type unbindRequest struct {
	ID string `json:"Id"`
}

type srvInfoResponse struct{ Region string }

type errorResponse struct{ Error string }

type stopTunnel struct {
	ID        string `json:"Id"`
	Message   string
	ErrorCode string
}

// proxyHeader announces a visitor's connection.
type proxyHeader struct {
	ID             string `json:"Id"`
	ClientAddr     string
	Proto          string
	EdgeType       string
	PassthroughTLS bool
}

const edgeTypeHTTPS = "3"

// announcement is the beginning of a visitor's connection: stream type (big endian), length of the
// header (little endian), header. It has to be written at once, and without a newline at the end:
// the agent reads a counted JSON value, and what is left over becomes part of the request.
func announcement(h proxyHeader) []byte {
	body, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and a bool
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 12+len(body)), typeProxy)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
	return append(b, body...)
}
