package tunnel

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEveryCodeHasASentenceAndAStep(t *testing.T) {
	for code, s := range sentences {
		if codePattern.FindString(code) != code {
			t.Errorf("%s is no code", code)
		}
		if s.text == "" || s.next == "" {
			t.Errorf("%s says too little: %+v", code, s)
		}
		if strings.HasSuffix(s.text, ".") || s.text[0] >= 'A' && s.text[0] <= 'Z' {
			t.Errorf("%s is not in the house's style: %q", code, s.text)
		}
	}
}

func TestTheCodeIsFoundInEveryShape(t *testing.T) {
	for text, want := range map[string]string{
		"authentication failed: invalid\r\n\r\nERR_NGROK_107\r\n": "ERR_NGROK_107",
		"stopped\n\nhttps://ngrok.com/docs/errors/err_ngrok_300":  "ERR_NGROK_300",
		"failed to start tunnel: taken (ERR_NGROK_334)":           "ERR_NGROK_334",
		"remote gone away": "",
		"MY_ERR_NGROK_1":   "",
		"failed to dial ngrok server with address \"ERR_NGROK_x:1\": dial tcp": "",
	} {
		if got := codeOf(errors.New(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := codeOf(nil); got != "" {
		t.Errorf("nil: got %q", got)
	}
}

func TestOnlyTheServersWordsAreQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"failed to start tunnel: The domain 'x' is not reserved. ERR_NGROK_319":        "The domain 'x' is not reserved",
		"authentication failed: no ERR_NGROK_9":                                        "no",
		"failed to accept connection: bye https://ngrok.com/docs/errors/err_ngrok_300": "bye",
		"ERR_NGROK_1": "",
	} {
		if got := serverWords(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAStrangersTextIsOneCleanLineOfLimitedLength(t *testing.T) {
	got := clean("a\r\n\tb\x1b[31mc\x00\u202e d" + strings.Repeat("ä", 1000))
	if !strings.HasPrefix(got, "a b[31mc dä") || strings.ContainsAny(got, "\x1b\x00\r\n\u202e") {
		t.Errorf("got %q", got)
	}
	if n := utf8.RuneCountInString(got); n != longestWords+1 {
		t.Errorf("%d runes are left", n)
	}
}

func TestTheHintNamesThePageOfTheCode(t *testing.T) {
	for _, c := range []struct {
		e    Error
		want string
	}{
		{Error{Code: "ERR_NGROK_107", Next: "do this"}, "do this (https://ngrok.com/docs/errors/err_ngrok_107)"},
		{Error{Code: "ERR_NGROK_9"}, "see https://ngrok.com/docs/errors/err_ngrok_9"},
		{Error{Next: "do this"}, "do this"},
	} {
		if got := c.e.Hint(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAVersionThatNgrokWouldRefuseIsNotSent(t *testing.T) {
	for given, want := range map[string]string{
		"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "1.2.3-rc.1+abc": "1.2.3-rc.1+abc",
		"": "0.0.0", "dev": "0.0.0", "1.2": "0.0.0", "1.2.3 (x)": "0.0.0", "7c5fc6d-dirty": "0.0.0",
	} {
		p := &plan{Options: Options{ClientVersion: given}}
		if got := p.version(); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
