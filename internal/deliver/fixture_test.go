package deliver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/deliver"
)

func write(t *testing.T, e capture.Exchange) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := deliver.WriteFixture(&b, e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAFixtureHoldsNoSecretAndCanBeReplayed(t *testing.T) {
	token, err := app.SignPayload(merchant, today)
	if err != nil {
		t.Fatal(err)
	}
	detail, err := json.Marshal(merchant)
	if err != nil {
		t.Fatal(err)
	}
	e := capture.Exchange{
		ID: 17, Door: capture.Public, Kind: capture.Load, Store: "abc123xyz", At: today, Method: http.MethodGet,
		Target: "/load?signed_payload_jwt=" + token + "&state=1&access_token=verysecret", Host: "dev.example.com", Detail: detail,
	}
	e.Request.Header = http.Header{
		"Accept": {"text/html", "*/*"}, "Cookie": {"session=verysecret"}, "Authorization": {"Bearer verysecret"},
		"X-Dev-Secret": {"verysecret"}, "X-Forwarded-For": {"192.0.2.1"}, "Referer": {"https://x/?code=verysecret"},
	}
	file := write(t, e)
	if strings.Contains(string(file), token) || strings.Contains(string(file), "verysecret") || strings.Contains(string(file), "192.0.2.1") {
		t.Errorf("the fixture holds a secret:\n%s", file)
	}
	if !strings.Contains(string(file), "signed_payload_jwt={{signed_payload_jwt}}&state=1&") {
		t.Errorf("the fixture does not name what is missing:\n%s", file)
	}
	back, err := deliver.ReadFixture(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if back.ID != 0 || back.Kind != capture.Load || back.Store != "abc123xyz" || !back.At.Equal(today) {
		t.Errorf("read back as %+v", back)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"text/html", "*/*"}}, back.Request.Header); diff != "" {
		t.Error(diff)
	}
	a := startApp(t, nil)
	if _, err := deliverer(t, nil, a, nil).Replay(t.Context(), back, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	got := a.next(t)
	p, err := app.VerifyPayload(between(got.Target, "signed_payload_jwt=", "&"), today)
	if err != nil || p.User.Email != "merchant@example.com" || p.Store != "abc123xyz" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAPayloadOfAnotherAppIsAddressedToTheOneThatSigns(t *testing.T) {
	other := app
	other.ClientID = "the0colleagues0draft0app"
	token, err := other.SignPayload(merchant, today)
	if err != nil {
		t.Fatal(err)
	}
	e := capture.Exchange{Door: capture.Public, Kind: capture.Load, Method: http.MethodGet, Target: "/load?signed_payload_jwt=" + token}
	a := startApp(t, nil)
	d := deliverer(t, nil, a, nil)
	if _, err := d.Replay(t.Context(), e, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.VerifyPayload(between(a.next(t).Target, "=", "&"), today); err != nil {
		t.Error(err)
	}
	if _, err := d.Replay(t.Context(), e, deliver.Replay{Set: map[string]string{"claims.aud": "wrong"}}); err != nil {
		t.Fatal(err)
	}
	if p, err := app.VerifyPayload(between(a.next(t).Target, "=", "&"), today); err == nil || p.Audience != "wrong" {
		t.Errorf("audience %q, %v", p.Audience, err)
	}
}

func TestTheBodyOfAFixtureIsTheSameByteForByte(t *testing.T) {
	for name, c := range map[string]struct{ body, field string }{
		"compact JSON":     {`{"b":1,"a":[1,2.50,12345678901234567890],"h":"<&>\u2028"}`, `"body": {`},
		"JSON with spaces": {`{ "b": 1 }`, `"body_text"`},
		"text":             {"a=1&b=ü\n", `"body_text"`},
		"bytes":            {"\x00\xff\xfe", `"body_base64"`},
		"nothing":          {"", `"target"`},
	} {
		t.Run(name, func(t *testing.T) {
			e := capture.Exchange{Kind: capture.Hook, Topic: "store/order/created", Method: http.MethodPost, Target: "/webhooks"}
			e.Request.Body = []byte(c.body)
			file := write(t, e)
			if !strings.Contains(string(file), c.field) {
				t.Errorf("written as\n%s", file)
			}
			back, err := deliver.ReadFixture(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if string(back.Request.Body) != c.body {
				t.Errorf("read back as %q", back.Request.Body)
			}
		})
	}
}

func TestAWebhookFixtureIsSignedWhenItIsReplayed(t *testing.T) {
	j := openJournal(t)
	id := arrive(t, j, "", capture.Hook, hook(`{"scope":"store/order/created"}`))
	file := write(t, reveal(t, j, fmt.Sprint(id)))
	if strings.Contains(string(file), "v1,") {
		t.Errorf("the signature is in the fixture:\n%s", file)
	}
	back, err := deliver.ReadFixture(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	a := startApp(t, nil)
	d := deliverer(t, nil, a, nil)
	if _, err := d.Replay(t.Context(), back, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	got := a.next(t)
	if err := app.VerifyWebhook(got.Header, []byte(got.Body), today); err != nil {
		t.Error(err)
	}
	_, err = d.Replay(t.Context(), back, deliver.Replay{AsIs: true})
	hinted(t, err, "--as-is")
}

func TestAnInstallFixtureHasAPlaceholder(t *testing.T) {
	e := capture.Exchange{Kind: capture.Auth, Store: "abc123xyz", Method: http.MethodGet,
		Target: "/auth?code=k3b9x0q2m5w7&context=stores%2Fabc123xyz&scope=a+b"}
	file := write(t, e)
	if !strings.Contains(string(file), `"/auth?code={{code}}&context=stores%2Fabc123xyz&scope=a+b"`) {
		t.Errorf("written as\n%s", file)
	}
	e.Request.Truncated = true
	if err := deliver.WriteFixture(&bytes.Buffer{}, e); !errors.Is(err, capture.ErrTruncated) {
		t.Errorf("a cut-off body gives %v", err)
	}
}

func TestWhatIsNoFixtureIsRefusedWithAReason(t *testing.T) {
	good := `"format":"bcdev fixture 1","kind":"load","method":"GET","target":"/load"`
	for name, file := range map[string]string{
		"nothing":               ``,
		"another format":        `{"format":"2","kind":"load","method":"GET","target":"/load"}`,
		"an API call":           `{"format":"bcdev fixture 1","kind":"api","method":"GET","target":"/v3"}`,
		"an unknown key":        `{` + good + `,"colour":"red"}`,
		"two of them":           `{` + good + `}{` + good + `}`,
		"a target elsewhere":    `{"format":"bcdev fixture 1","kind":"load","method":"GET","target":"https://api.bigcommerce.com/"}`,
		"a line in the target":  `{"format":"bcdev fixture 1","kind":"load","method":"GET","target":"/x HTTP/1.1\r\nHost: y"}`,
		"a method of two words": `{"format":"bcdev fixture 1","kind":"load","method":"GET /","target":"/load"}`,
		"a line in a header":    `{` + good + `,"header":{"X":["a\r\nb"]}}`,
		"a host of two lines":   `{` + good + `,"host":"a\nb"}`,
		"two bodies":            `{` + good + `,"body":1,"body_text":"a"}`,
		"a very long file":      `{` + good + `,"body_text":"` + strings.Repeat("a", 5<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := deliver.ReadFixture(strings.NewReader(file))
			var f *deliver.FixtureError
			if !errors.As(err, &f) || f.Hint() == "" {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzReadFixture(f *testing.F) {
	f.Add([]byte(`{"format":"bcdev fixture 1","kind":"webhook","method":"POST","target":"/webhooks?code=1","header":{"A":["b"]},"body":{"a":1}}`))
	f.Add([]byte(`{"format":"bcdev fixture 1","kind":"load","method":"GET","target":"/load?signed_payload_jwt={{signed_payload_jwt}}","detail":{"store":"abc"}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := deliver.ReadFixture(bytes.NewReader(file))
		if err != nil {
			return
		}
		if _, err := e.NewRequest(t.Context(), &url.URL{Scheme: "http", Host: "localhost"}); err != nil {
			t.Skip("refused when it is sent")
		}
		var b bytes.Buffer
		if err := deliver.WriteFixture(&b, e); err != nil {
			t.Fatalf("%q cannot be written again: %v", file, err)
		}
		again, err := deliver.ReadFixture(&b)
		if err != nil {
			t.Fatalf("%q cannot be read again: %v", file, err)
		}
		if !bytes.Equal(again.Request.Body, e.Request.Body) {
			t.Fatalf("the body %q became %q", e.Request.Body, again.Request.Body)
		}
	})
}
