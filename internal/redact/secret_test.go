package redact

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const sentinel = "sentinel-0123456789"

type account struct {
	Name  string
	Token Secret
}

func TestNoVerbPrintsASecret(t *testing.T) {
	s := Secret(sentinel)
	values := []any{s, &s, account{"a", s}, &account{"a", s}, []Secret{s}, map[string]Secret{"k": s}, map[Secret]int{s: 1}, [1]any{s}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3s", "%c", "%e", "%U", "%T"} {
		for _, v := range values {
			if got := fmt.Sprintf(verb, v); leaks(got) {
				t.Errorf("%s of %T prints %s", verb, v, got)
			}
		}
	}
	if got := fmt.Sprintf("%+v", account{"a", s}); got != "{Name:a Token:••••}" {
		t.Errorf("a struct prints as %s", got)
	}
	if got := fmt.Sprint(Secret("")); got != "" {
		t.Errorf("an empty secret prints as %q", got)
	}
}

func leaks(s string) bool {
	hex := fmt.Sprintf("%x", sentinel)
	return strings.Contains(s, sentinel) || strings.Contains(strings.ToLower(s), hex) || strings.Contains(s, "sen")
}

func TestNoEncoderWritesASecret(t *testing.T) {
	s := Secret(sentinel)
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "s", s, "a", account{"a", s})
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "s", s, "a", account{"a", s})
	asJSON, err := json.Marshal([]any{s, &s, account{"a", s}})
	if err != nil {
		t.Fatal(err)
	}
	asXML, err := xml.Marshal(account{"a", s})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := s.MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{text.String(), lines.String(), string(asJSON), string(asXML), fmt.Sprint(asYAML)} {
		if leaks(got) || !strings.Contains(got, Mask) {
			t.Errorf("written: %s", got)
		}
	}
}

func TestReadingASecretFromJSON(t *testing.T) {
	var a account
	if err := json.Unmarshal([]byte(`{"Name":"a","Token":"`+sentinel+`"}`), &a); err != nil {
		t.Fatal(err)
	}
	if a.Token.Reveal() != sentinel || !a.Token.Equal(sentinel) || a.Token.Equal(sentinel+"x") {
		t.Error("the secret that was read is another")
	}
}

func TestTheTailOfAShortSecretShowsNothing(t *testing.T) {
	for in, want := range map[Secret]string{"": "", "elevenbytes": Mask, "twelve-bytes": Mask + "ytes", sentinel: Mask + "6789"} {
		if got := in.Tail(); got != want {
			t.Errorf("the tail of %d bytes is %s, want %s", len(in), got, want)
		}
	}
}
