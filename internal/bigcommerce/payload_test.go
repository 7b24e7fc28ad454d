package bigcommerce

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// The published test vectors.
const (
	vectorJWT    = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJiY2RldjBjbGllbnRpZDBleGFtcGxlMDAwMDAwMDAwMSIsImlzcyI6ImJjIiwiaWF0IjoxNzk1MDAwMDA1LCJuYmYiOjE3OTUwMDAwMDAsImV4cCI6MTc5NTA4NjQwNSwianRpIjoiMGI3YzFjOGUtNWQ1Mi00YTRlLTlkNTMtMmY5YTFmMGU3YTExIiwic3ViIjoic3RvcmVzL2FiYzEyM3h5eiIsInVzZXIiOnsiaWQiOjEwMDEsImVtYWlsIjoibWVyY2hhbnRAZXhhbXBsZS5jb20iLCJsb2NhbGUiOiJlbi1VUyJ9LCJvd25lciI6eyJpZCI6MTAwMSwiZW1haWwiOiJtZXJjaGFudEBleGFtcGxlLmNvbSJ9LCJ1cmwiOiIvIiwiY2hhbm5lbF9pZCI6bnVsbH0.YcpKyXDp2s0A5tVBgp_MKCPeyi8EnCwt6NQj0-t4FWE"
	vectorClaims = `{"aud":"bcdev0clientid0example0000000001","iss":"bc","iat":1795000005,"nbf":1795000000,"exp":1795086405,"jti":"0b7c1c8e-5d52-4a4e-9d53-2f9a1f0e7a11","sub":"stores/abc123xyz","user":{"id":1001,"email":"merchant@example.com","locale":"en-US"},"owner":{"id":1001,"email":"merchant@example.com"},"url":"/","channel_id":null}`
	vectorLegacy = "eyJ1c2VyIjp7ImlkIjoxMDAxLCJlbWFpbCI6Im1lcmNoYW50QGV4YW1wbGUuY29tIn0sIm93bmVyIjp7ImlkIjoxMDAxLCJlbWFpbCI6Im1lcmNoYW50QGV4YW1wbGUuY29tIn0sImNvbnRleHQiOiJzdG9yZXMvYWJjMTIzeHl6Iiwic3RvcmVfaGFzaCI6ImFiYzEyM3h5eiIsInRpbWVzdGFtcCI6MTc5NTAwMDAwNS4yNX0=.YTNkODU1MDNjMjliOGY2NjhjOWFkMWEzY2MyZGJhNmYyYzkzZDkxZTY5MTM5MGNmZjJhNjRhY2Y3OTMxMzFjNQ=="
)

var (
	vectorApp = App{ClientID: "bcdev0clientid0example0000000001", ClientSecret: "bcdev0secret0example000000000000000000000000000000000000000000aa"}
	issued    = time.Unix(1795000005, 0).UTC()
	merchant  = User{ID: 1001, Email: "merchant@example.com"}
)

func TestTheVectorIsVerifiedAndDecoded(t *testing.T) {
	got, err := vectorApp.VerifyPayload(vectorJWT, issued)
	if err != nil {
		t.Fatal(err)
	}
	want := Payload{
		Store: "abc123xyz", User: User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"}, Owner: merchant,
		URL: "/", ID: "0b7c1c8e-5d52-4a4e-9d53-2f9a1f0e7a11", Audience: vectorApp.ClientID, Issuer: "bc",
		IssuedAt: issued, NotBefore: issued.Add(-5 * time.Second), ExpiresAt: issued.Add(24 * time.Hour),
		Algorithm: "HS256", Claims: json.RawMessage(vectorClaims),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheVectorIsSignedToTheByte(t *testing.T) {
	got, err := vectorApp.signClaims([]byte(vectorClaims))
	if err != nil || got != vectorJWT {
		t.Errorf("got %s, %v", got, err)
	}
	fresh, err := vectorApp.SignPayload(Payload{Store: "abc123xyz", User: User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"}, Owner: merchant}, issued)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(fresh, ".")[1])
	jti := regexp.MustCompile(`"jti":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)
	if !jti.Match(raw) {
		t.Errorf("no random UUID in %s", raw)
	}
	if same := jti.ReplaceAllString(string(raw), `"jti":"0b7c1c8e-5d52-4a4e-9d53-2f9a1f0e7a11"`); same != vectorClaims {
		t.Errorf("got  %s\nwant %s", same, vectorClaims)
	}
}

func TestSigningAgainKeepsTheOtherClaimsInTheirOrder(t *testing.T) {
	old := Payload{Claims: json.RawMessage(`{"sub":"stores/b","x":{"z":1,"a":1.50},"exp":1,"aud":"other","iat":2,"url":"/a?b=1&c=<2>"}`)}
	token, err := vectorApp.SignPayload(old, issued)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	raw = regexp.MustCompile(`"jti":"[^"]+"`).ReplaceAll(raw, []byte(`"jti":"J"`))
	want := `{"sub":"stores/b","x":{"z":1,"a":1.50},"exp":1795086405,"aud":"other","iat":1795000005,"url":"/a?b=1&c=<2>","nbf":1795000000,"jti":"J"}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	if _, err := vectorApp.SignPayload(Payload{Claims: json.RawMessage(`[`)}, issued); err == nil {
		t.Error("broken claims were signed")
	}
}

func TestVerifyPayloadNamesTheCause(t *testing.T) {
	sign := func(claims string) string {
		token, err := vectorApp.signClaims([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	with := func(old, changed string) string { return sign(strings.Replace(vectorClaims, old, changed, 1)) }
	forged := func(header string, key any, method jwt.SigningMethod) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(vectorClaims))
		signature, err := method.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	secret := []byte(vectorApp.ClientSecret.Reveal())
	other := App{ClientID: vectorApp.ClientID, ClientSecret: "another secret of sixty-four bytes"}
	otherSigned, _ := other.signClaims([]byte(vectorClaims))
	stranger, _ := App{ClientSecret: "x"}.signClaims([]byte(strings.Replace(vectorClaims, vectorApp.ClientID, "stranger", 1)))
	changed := strings.Split(with("1001", "1002"), ".")
	grafted := strings.Join(append(changed[:2], vectorJWT[strings.LastIndex(vectorJWT, ".")+1:]), ".")
	for name, c := range map[string]struct {
		app          App
		token        string
		at           time.Time
		cause, claim string
		says         string
	}{
		"C15: alg none":                         {vectorApp, forged(`{"alg":"none"}`, jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone), issued, "algorithm", "", "none"},
		"C15: alg None with a signature":        {vectorApp, forged(`{"alg":"None"}`, secret, jwt.SigningMethodHS256), issued, "algorithm", "", "None"},
		"C16: another secret":                   {vectorApp, otherSigned, issued, "signature", "", "client secret"},
		"C16: another app altogether":           {vectorApp, stranger, issued, "signature", "", "client id stranger"},
		"C16: HS512 with this secret":           {vectorApp, forged(`{"alg":"HS512"}`, secret, jwt.SigningMethodHS512), issued, "algorithm", "", "HS512"},
		"C16: RS256":                            {vectorApp, forged(`{"alg":"RS256"}`, secret, jwt.SigningMethodHS256), issued, "algorithm", "", "RS256"},
		"C16: ES256":                            {vectorApp, forged(`{"alg":"ES256"}`, secret, jwt.SigningMethodHS256), issued, "algorithm", "", "ES256"},
		"C16: an empty secret":                  {App{ClientID: vectorApp.ClientID}, forged(`{"alg":"HS256"}`, []byte{}, jwt.SigningMethodHS256), issued, "signature", "", "no client secret"},
		"no algorithm":                          {vectorApp, forged(`{"typ":"alg","alg":5}`, secret, jwt.SigningMethodHS256), issued, "algorithm", "", "none named"},
		"a secret in braces":                    {App{vectorApp.ClientID, "{" + vectorApp.ClientSecret + "}\n"}, vectorJWT, issued, "signature", "", "client secret"},
		"one changed byte":                      {vectorApp, grafted, issued, "signature", "", "client secret"},
		"another client id, rightly signed":     {App{"other", vectorApp.ClientSecret}, vectorJWT, issued, "audience", "aud", "bcdev0clientid"},
		"no audience":                           {vectorApp, with(`"aud":"bcdev0clientid0example0000000001",`, ""), issued, "audience", "aud", "missing"},
		"another issuer":                        {vectorApp, with(`"bc"`, `"bc/apps"`), issued, "issuer", "iss", "bc/apps"},
		"no issuer":                             {vectorApp, with(`"iss":"bc",`, ``), issued, "issuer", "iss", "missing"},
		"expired for an hour":                   {vectorApp, vectorJWT, issued.Add(25 * time.Hour), "expired", "exp", "1 h ago, at 2026-11-19T11:06:45Z"},
		"expired this second":                   {vectorApp, vectorJWT, issued.Add(24 * time.Hour), "expired", "exp", "expired"},
		"not yet valid":                         {vectorApp, vectorJWT, issued.Add(-12 * time.Second), "not_yet_valid", "nbf", "another 7 s: this machine's clock is behind"},
		"no expiry":                             {vectorApp, with(`"exp":1795086405,`, ""), issued, "malformed", "exp", "no exp"},
		"an expiry that is no number":           {vectorApp, with(`1795086405`, `"soon"`), issued, "malformed", "exp", ""},
		"no store":                              {vectorApp, with(`stores/abc123xyz`, `stores/../x`), issued, "malformed", "sub", "names no store"},
		"claims that are a list":                {vectorApp, sign(`[1]`), issued, "malformed", "", ""},
		"nothing":                               {vectorApp, " ", issued, "malformed", "", "empty"},
		"far too long":                          {vectorApp, strings.Repeat("e", 70000), issued, "malformed", "", "longer"},
		"words":                                 {vectorApp, "hello", issued, "malformed", "", "three parts"},
		"four parts":                            {vectorApp, vectorJWT + ".x", issued, "malformed", "", "three parts"},
		"a legacy payload":                      {vectorApp, vectorLegacy, issued, "malformed", "", "legacy signed_payload"},
		"a signature that is too long":          {vectorApp, vectorJWT + "x", issued, "malformed", "", "32 bytes"},
		"a signature with foreign letters":      {vectorApp, vectorJWT[:len(vectorJWT)-1] + "*", issued, "malformed", "", "32 bytes"},
		"cut off in the signature":              {vectorApp, vectorJWT[:len(vectorJWT)-3], issued, "cut_off", "", "cut off after"},
		"cut off in the claims":                 {vectorApp, vectorJWT[:200], issued, "cut_off", "", "cut off after 200 bytes"},
		"cut off behind the claims":             {vectorApp, vectorJWT[:strings.LastIndex(vectorJWT, ".")], issued, "cut_off", "", ""},
		"cut off behind the header":             {vectorApp, vectorJWT[:37], issued, "cut_off", "", ""},
		"an algorithm that types on a terminal": {vectorApp, forged(`{"alg":"\u001b[31m"}`, secret, jwt.SigningMethodHS256), issued, "algorithm", "", `\x1b[31m`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.app.VerifyPayload(c.token, c.at)
			var e *PayloadError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *PayloadError", err)
			}
			if e.Cause != c.cause || e.Claim != c.claim || !strings.Contains(e.Text, c.says) {
				t.Errorf("got %s (%s): %s", e.Cause, e.Claim, e.Text)
			}
			if e.Hint() == "" || strings.ContainsRune(e.Error(), 0x1b) || strings.Contains(e.Error()+e.Hint(), string(secret)) {
				t.Errorf("the words are not fit to be shown: %s; %s", e, e.Hint())
			}
		})
	}
}

func TestTheSecretInBracesIsRecognised(t *testing.T) {
	_, err := App{vectorApp.ClientID, "{" + vectorApp.ClientSecret + "}"}.VerifyPayload(vectorJWT, issued)
	var e *PayloadError
	if !errors.As(err, &e) || !strings.Contains(e.Next, "braces") {
		t.Errorf("got %v", err)
	}
}

func TestAPayloadThatFailsIsStillDecoded(t *testing.T) {
	p, err := App{"x", "y"}.VerifyPayload(vectorJWT, issued)
	if err == nil || p.Store != "abc123xyz" || p.User.Email != "merchant@example.com" {
		t.Errorf("got %+v, %v", p, err)
	}
	p, err = DecodePayload(" " + vectorJWT + " ")
	if err != nil || p.Store != "abc123xyz" || p.Legacy {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestLenientClaims(t *testing.T) {
	claims := strings.NewReplacer(`"id":1001`, `"id":"1001"`, `"channel_id":null`, `"channel_id":"2"`, `"locale":"en-US"`, `"locale":null`,
		`"aud":"bcdev0clientid0example0000000001"`, `"aud":["bcdev0clientid0example0000000001"]`).Replace(vectorClaims)
	token, _ := vectorApp.signClaims([]byte(claims))
	p, err := vectorApp.VerifyPayload(token, issued)
	if err != nil || p.User != merchant || p.ChannelID == nil || *p.ChannelID != 2 || p.Audience != vectorApp.ClientID {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := json.Marshal(p); err != nil {
		t.Error(err)
	}
}

func TestATimeBeyondTheYear9999IsNoTime(t *testing.T) {
	token, _ := vectorApp.signClaims([]byte(strings.Replace(vectorClaims, "1795000005", "1e300", 1)))
	p, _ := DecodePayload(token)
	if !p.IssuedAt.IsZero() {
		t.Errorf("got %v", p.IssuedAt)
	}
}

func TestTheLegacyVector(t *testing.T) {
	p, err := vectorApp.VerifyLegacy(vectorLegacy)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1795000005, 250e6).UTC()
	if p.Store != "abc123xyz" || p.User != merchant || p.Owner != merchant || !p.Legacy || !p.IssuedAt.Equal(at) {
		t.Errorf("got %+v", p)
	}
	signed, err := vectorApp.SignLegacy(Payload{Store: "abc123xyz", User: User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"}, Owner: merchant}, at)
	if err != nil || signed != vectorLegacy {
		t.Errorf("got %s, %v", signed, err)
	}
	again, err := vectorApp.SignLegacy(p, at)
	if err != nil || again != vectorLegacy {
		t.Errorf("signed again: %s, %v", again, err)
	}
	if _, err := (App{}).SignLegacy(p, at); err == nil {
		t.Error("an empty secret signed")
	}
	if _, err := (App{}).SignPayload(p, at); err == nil {
		t.Error("an empty secret signed")
	}
	if decoded, err := DecodePayload(vectorLegacy); err != nil || decoded.Store != "abc123xyz" {
		t.Errorf("decoded: %+v, %v", decoded, err)
	}
}

func TestVerifyLegacyForgivesEncodings(t *testing.T) {
	doc := []byte(`{"context":"stores/abc123xyz","x":"???>>>~~~"}`)
	parts := func(e *base64.Encoding) string {
		digest := []byte(hexMAC(vectorApp, doc))
		return e.EncodeToString(doc) + "." + e.EncodeToString(digest)
	}
	for name, payload := range map[string]string{
		"standard": parts(base64.StdEncoding), "standard without padding": parts(base64.RawStdEncoding),
		"for URLs": parts(base64.URLEncoding), "for URLs without padding": parts(base64.RawURLEncoding),
		"plus signs turned into blanks": strings.ReplaceAll(parts(base64.StdEncoding), "+", " "),
	} {
		if p, err := vectorApp.VerifyLegacy(payload); err != nil || p.Store != "abc123xyz" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func hexMAC(a App, doc []byte) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, b := range mac(a.ClientSecret.Reveal(), doc) {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

func TestVerifyLegacyNamesTheCause(t *testing.T) {
	body, signature, _ := strings.Cut(vectorLegacy, ".")
	doc, _ := base64.StdEncoding.DecodeString(body)
	sum := mac(vectorApp.ClientSecret.Reveal(), doc)
	b64 := base64.StdEncoding.EncodeToString
	storeless := []byte(`{"context":"x"}`)
	for name, c := range map[string]struct {
		app            App
		payload, cause string
	}{
		"another secret":                 {App{ClientSecret: "x"}, vectorLegacy, "signature"},
		"an empty secret":                {App{}, body + "." + b64([]byte(hexMAC(App{}, doc))), "signature"},
		"base64 of the raw digest":       {vectorApp, body + "." + b64(sum), "legacy_order"},
		"the bare hex digest":            {vectorApp, body + "." + hexMAC(vectorApp, doc), "legacy_order"},
		"hex of the base64":              {vectorApp, body + "." + hexText(b64(sum)), "legacy_order"},
		"cut off in the signature":       {vectorApp, body + "." + signature[:30], "cut_off"},
		"cut off before the signature":   {vectorApp, body + ".", "cut_off"},
		"cut off in the content":         {vectorApp, body[:50], "cut_off"},
		"no base64":                      {vectorApp, "?.?", "malformed"},
		"a signature that is no base64":  {vectorApp, body + ".????", "malformed"},
		"a JWT":                          {vectorApp, vectorJWT, "malformed"},
		"nothing":                        {vectorApp, "", "malformed"},
		"content that names no store":    {vectorApp, b64(storeless) + "." + b64([]byte(hexMAC(vectorApp, storeless))), "malformed"},
		"content that is another object": {vectorApp, b64([]byte("[1]")) + "." + signature, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.app.VerifyLegacy(c.payload)
			var e *PayloadError
			if !errors.As(err, &e) || e.Cause != c.cause || e.Hint() == "" {
				t.Errorf("got %#v, want %s", err, c.cause)
			}
		})
	}
}

func hexText(s string) string {
	const digits = "0123456789abcdef"
	var out []byte
	for i := range len(s) {
		out = append(out, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(out)
}

func TestSkewWords(t *testing.T) {
	p := Payload{IssuedAt: issued, ExpiresAt: issued.Add(24 * time.Hour)}
	for want, c := range map[string]struct {
		p   Payload
		now time.Time
	}{
		"issued 3 s ago, valid for 23 h 59 m":                {p, issued.Add(3 * time.Second)},
		"issued 12 s in the future: your clock is behind":    {p, issued.Add(-12 * time.Second)},
		"issued just now, valid for 1 d":                     {p, issued},
		"issued 2 d 1 h ago, expired 1 d 1 h ago":            {p, issued.Add(49 * time.Hour)},
		"issued 1 m 30 s ago, never expires":                 {Payload{IssuedAt: issued}, issued.Add(90 * time.Second)},
		"issued at an unknown time, never expires":           {Payload{}, issued},
		"issued 1 h 1 m in the future: your clock is behind": {p, issued.Add(-61 * time.Minute)},
		"issued at an unknown time, valid for 10 m":          {Payload{ExpiresAt: issued.Add(10 * time.Minute)}, issued},
	} {
		if got := SkewWords(c.p, c.now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
