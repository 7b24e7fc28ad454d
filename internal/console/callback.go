package console

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// Callback shows an auth callback as soon as it is kept, before anything is done with it.
func (c *Console) Callback(e capture.Exchange, in bigcommerce.Install, missing, extra []string) {
	if c.event("callback", field{"id", e.ID}, field{"kind", capture.Auth}, field{"store", in.Store},
		field{"code", in.Code}, field{"context", in.Context}, field{"scope", list(in.Scopes)},
		field{"account_uuid", in.AccountUUID}, field{"external_install", in.External},
		field{"missing", list(missing)}, field{"extra", list(extra)}) {
		return
	}
	s := c.sheet()
	s.head(c, e, "▼", good).put(strong, "install").put(plain, " of store ").put(strong, in.Store).line()
	s.install(in, missing, extra)
	c.toOut(s)
}

// install is what an auth callback says, the scopes one a line as the portal calls them.
func (s *sheet) install(in bigcommerce.Install, missing, extra []string) {
	s.fact("code", strong, in.Code)
	s.fact("context", plain, in.Context)
	s.fact("store", strong, in.Store)
	s.fact("account", plain, in.AccountUUID)
	if in.External {
		s.fact("began", plain, "at an external install link")
	}
	s.scopes("scopes", plain, in.Scopes)
	s.scopes("missing", warn, missing)
	s.scopes("extra", warn, extra)
	if len(missing)+len(extra) > 0 {
		s.hint("the app's scopes in the Developer Portal are not those of the configuration; change one of them, and install again")
	}
}

// scopes lists scopes under a name, with what the portal calls them.
func (s *sheet) scopes(name string, i ink, scopes []string) {
	longest := 0
	for _, scope := range scopes {
		longest = max(longest, cells(escape(scope)))
	}
	for n, scope := range scopes {
		s.pad(s.at)
		if n == 0 {
			s.put(faint, name)
		}
		s.pad(s.val).put(i, scope)
		if title := scopeTitle(scope); title != "" {
			s.pad(s.val + min(longest, 40) + 2)
			s.put(faint, s.fit(title))
		}
		s.line()
	}
}

func scopeTitle(scope string) string {
	name, level, _ := bigcommerce.ScopeName(scope)
	if name == "" || level == "" {
		return name
	}
	return name + ", " + level
}

// Lifecycle shows a load, uninstall or remove_user callback: who, when by this machine's clock,
// and whether the signature holds. The payload may be half empty when err is not nil.
func (c *Console) Lifecycle(e capture.Exchange, p bigcommerce.Payload, err error) {
	now := c.o.Now()
	if c.event("callback", field{"id", e.ID}, field{"kind", e.Kind}, field{"store", storeOf(e, p.Store)},
		field{"valid", err == nil}, field{"user", userFields(p.User)}, field{"owner", userFields(p.Owner)},
		field{"url", p.URL}, field{"channel_id", p.ChannelID}, field{"legacy", p.Legacy},
		field{"iat", stamp(p.IssuedAt)}, field{"nbf", stamp(p.NotBefore)}, field{"exp", stamp(p.ExpiresAt)},
		field{"times", skew(p, now)}, field{"problem", messageOf(err)}, field{"hint", hintOf(err)}) {
		return
	}
	s := c.sheet()
	i := good
	if err != nil {
		i = bad
	}
	s.head(c, e, "▼", i).put(strong, strings.ReplaceAll(string(e.Kind), "_", " "))
	if store := storeOf(e, p.Store); store != "" {
		s.put(plain, " of store ").put(strong, store)
	}
	s.put(plain, "  ").verdict(err == nil)
	if err == nil {
		s.put(good, " signature valid").line()
	} else {
		s.put(bad, " refused").line()
		s.pad(colText).wrap(bad, colText, err.Error()).line()
		s.hint(hintOf(err))
	}
	s.payload(c, p, now)
	c.toOut(s)
}

// payload is what a signed payload says, its times against the clock in words.
func (s *sheet) payload(c *Console, p bigcommerce.Payload, now time.Time) {
	s.fact("user", plain, person(p.User))
	if person(p.Owner) != person(p.User) {
		s.fact("owner", plain, person(p.Owner))
	}
	s.fact("url", plain, p.URL)
	if p.ChannelID != nil {
		s.fact("channel", plain, strconv.FormatInt(*p.ChannelID, 10))
	}
	s.fact("locale", plain, p.User.Locale)
	if c.o.Verbose {
		s.fact("audience", plain, p.Audience).fact("issuer", plain, p.Issuer).fact("jti", plain, p.ID)
	}
	if !p.IssuedAt.IsZero() {
		span := c.clock(p.IssuedAt)
		if !p.ExpiresAt.IsZero() {
			span += ", good until " + p.ExpiresAt.In(c.o.Location).Format(time.DateTime)
		}
		s.fact("issued", plain, span)
	}
	if words := skew(p, now); words != "" {
		s.pad(s.at).put(faint, "clock").pad(s.val).wrap(plain, s.val, words).line()
	}
	if p.Legacy {
		s.fact("form", warn, "legacy signed_payload")
	}
}

// skew says in words how a payload's times stand to this machine's clock.
func skew(p bigcommerce.Payload, now time.Time) string {
	if p.IssuedAt.IsZero() && p.NotBefore.IsZero() && p.ExpiresAt.IsZero() {
		return ""
	}
	return bigcommerce.SkewWords(p, now)
}

// Granted shows what the token endpoint gave, the token as its tail. Again says that the code
// had been spent before and the grant was already there.
func (c *Console) Granted(e capture.Exchange, g bigcommerce.Grant, where string, again bool) {
	if c.event("grant", field{"id", e.ID}, field{"store", g.Store}, field{"scope", list(g.Scopes)},
		field{"user", userFields(g.User)}, field{"token", g.Token.Tail()}, field{"context", g.Context},
		field{"owner", userFields(g.Owner)}, field{"where", where}, field{"again", again}) {
		return
	}
	s := c.sheet()
	s.head(c, e, "✔", good).put(good, "installed").put(plain, " in store ").put(strong, g.Store)
	if again {
		s.put(faint, "  the grant of before: the code is spent")
	}
	s.line()
	s.fact("token", strong, g.Token.Tail())
	s.fact("kept in", plain, where)
	s.fact("context", plain, g.Context)
	s.fact("user", plain, person(g.User))
	if person(g.Owner) != person(g.User) {
		s.fact("owner", plain, person(g.Owner))
	}
	if len(g.Scopes) > 0 {
		s.pad(colText).put(faint, "scopes").pad(colValue).wrap(plain, colValue, strings.Join(g.Scopes, " ")).line()
	}
	c.toOut(s)
}

// userFields are the members of a user; the first two are promised.
func userFields(u bigcommerce.User) ordered {
	o := ordered{{"id", u.ID}, {"email", u.Email}}
	if u.Username != "" {
		o = append(o, field{"username", u.Username})
	}
	if u.Locale != "" {
		o = append(o, field{"locale", u.Locale})
	}
	return o
}

// Refused shows why a callback led to nothing.
func (c *Console) Refused(e capture.Exchange, err error) {
	if err == nil {
		return
	}
	code, cause := refusal(err)
	if c.event("problem", field{"code", code}, field{"message", err.Error()}, field{"hint", hintOf(err)},
		field{"id", e.ID}, field{"kind", e.Kind}, field{"store", e.Store}, field{"cause", cause}) {
		return
	}
	s := c.sheet()
	s.head(c, e, "✘", bad).put(bad, refusalTitle(e))
	if e.Store != "" {
		s.put(plain, ", store ").put(strong, e.Store)
	}
	s.line().pad(colText).wrap(plain, colText, err.Error()).line()
	s.hint(hintOf(err))
	c.toOut(s)
}

func refusalTitle(e capture.Exchange) string {
	if e.Kind == capture.Auth || e.Kind == "" {
		return "install failed"
	}
	return fmt.Sprintf("%s refused", strings.ReplaceAll(string(e.Kind), "_", " "))
}

// refusal is the problem's stable code, and the cause its room names.
func refusal(err error) (code, cause string) {
	var (
		exchange  *bigcommerce.ExchangeError
		callback  *bigcommerce.CallbackError
		payload   *bigcommerce.PayloadError
		signature *bigcommerce.SignatureError
	)
	switch {
	case errors.As(err, &exchange):
		return "exchange_refused", exchange.Code
	case errors.As(err, &callback):
		return "callback_malformed", callback.Code
	case errors.As(err, &payload):
		return "payload_refused", payload.Cause
	case errors.As(err, &signature):
		return "signature_refused", signature.Cause
	}
	return "callback_failed", ""
}
