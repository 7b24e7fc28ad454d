package edge

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestAnEdgeThatTakesAnothersPlaceIsTrustedAsThatOneWas(t *testing.T) {
	first := start(t, Options{})
	kept, err := first.Authority()
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, Options{Authority: kept})
	if !bytes.Equal(first.CAPEM(), second.CAPEM()) {
		t.Error("the second edge has another certificate")
	}
	conn, err := tls.Dial("tcp", second.AgentAddr(), &tls.Config{RootCAs: first.CertPool(), MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatalf("an agent that trusts the first edge: %v", err)
	}
	conn.Close()
}

func TestAnAuthorityThatDoesNotFitIsReplaced(t *testing.T) {
	local := start(t, Options{})
	good, err := local.Authority()
	if err != nil {
		t.Fatal(err)
	}
	other, err := start(t, Options{}).Authority()
	if err != nil {
		t.Fatal(err)
	}
	half := bytes.Index(good, []byte("-----BEGIN PRIVATE KEY"))
	otherHalf := bytes.Index(other, []byte("-----BEGIN PRIVATE KEY"))
	cases := []struct {
		name string
		o    Options
	}{
		{"nothing was kept", Options{}},
		{"it is cut off", Options{Authority: good[:half+40]}},
		{"its key is missing", Options{Authority: good[:half]}},
		{"its key is another's", Options{Authority: append(bytes.Clone(good[:half]), other[otherHalf:]...)}},
		{"it is made for other names", Options{Authority: good, Domain: "example"}},
		{"it is about to end", Options{Authority: good, Now: func() time.Time { return time.Now().Add(caLife - keepMargin) }}},
		{"the clock was set back", Options{Authority: good, Now: func() time.Time { return time.Now().Add(-24 * time.Hour) }}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if e := start(t, c.o); bytes.Equal(e.CAPEM(), local.CAPEM()) {
				t.Error("it was taken up")
			}
		})
	}
}

func TestAnEdgeOfOneDeveloperGivesTheNameThatIsAskedFor(t *testing.T) {
	o := Options{Tokens: []string{"first", "second"}, Reserved: map[string]string{"kept": "second"}, AnyName: true}
	for name, code := range map[string]string{
		"https://shop.localhost": "", "https://" + devName("first") + ".localhost": "",
		"https://kept.localhost": "ERR_NGROK_320", "https://" + devName("second") + ".localhost": "ERR_NGROK_320",
		"https://you.ngrok-free.app": "ERR_NGROK_319",
	} {
		a := dial(t, start(t, o))
		a.auth("first", "")
		if got := a.bind(https(name)).Error; (got == "") != (code == "") || !strings.Contains(got, code) {
			t.Errorf("%s: the answer is %q, want %q", name, got, code)
		}
	}
}
