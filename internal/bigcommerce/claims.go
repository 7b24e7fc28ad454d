package bigcommerce

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// read fills p from the claims of a JWT. Only claims of impossible types are refused: an id may
// be a number or a string of digits, and a claim may be missing.
func (p *Payload) read(claims []byte) error {
	p.Claims = bytes.Clone(claims)
	var c struct {
		Aud, Iat, Nbf, Exp json.RawMessage
		Iss, Jti, Sub, URL looseText
		User, Owner        looseUser
		ChannelID          looseInt `json:"channel_id"`
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return malformed("", "its claims are not what BigCommerce sends: "+jsonProblem(err))
	}
	p.Audience = audience(c.Aud)
	p.Issuer, p.ID, p.URL = string(c.Iss), string(c.Jti), string(c.URL)
	p.IssuedAt, p.NotBefore, p.ExpiresAt = unixTime(c.Iat), unixTime(c.Nbf), unixTime(c.Exp)
	p.User, p.Owner = User(c.User), User(c.Owner)
	p.ChannelID = c.ChannelID.value
	p.Store, _ = StoreOfContext(string(c.Sub))
	return nil
}

// audience reads aud, which may be a string or a list of strings (RFC 7519, 4.1.3).
func audience(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return strings.Join(many, " ")
	}
	return ""
}

// lastSecond is the end of the year 9999, behind which a time cannot be written as JSON.
const lastSecond = 253402300799

// unixTime reads seconds since 1970, whole or with a fraction, as a number or a string. What is
// no time is the zero time.
func unixTime(raw json.RawMessage) time.Time {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > lastSecond {
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e6)*1e3).UTC()
}

// looseText takes a string and forgives anything else.
type looseText string

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (t *looseText) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = looseText(s)
	}
	return nil
}

// looseInt takes a number, a string of digits, or null.
type looseInt struct{ value *int64 }

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (n *looseInt) UnmarshalJSON(b []byte) error {
	if i, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64); err == nil {
		n.value = &i
	}
	return nil
}

// looseUser is a User whose id may be a string, as in old answers of the token endpoint.
type looseUser User

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (u *looseUser) UnmarshalJSON(b []byte) error {
	var c struct {
		ID                      looseInt
		Username, Email, Locale looseText
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil //nolint:nilerr // whoever is no object is nobody
	}
	*u = looseUser{Username: string(c.Username), Email: string(c.Email), Locale: string(c.Locale)}
	if c.ID.value != nil {
		u.ID = *c.ID.value
	}
	return nil
}

// jsonProblem words a decoding error without the bytes that were decoded.
func jsonProblem(err error) string { return oneLine(strings.TrimPrefix(err.Error(), "json: "), 120) }
