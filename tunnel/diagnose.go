package tunnel

import (
	"context"
	"errors"
	"fmt"

	"golang.ngrok.com/ngrok/v2"
)

func (p *plan) diagnose(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, diagnoseLimit)
	defer cancel()
	p.Authtoken = ""
	by := newDialer(nil)
	defer by.close()
	agent, err := ngrok.NewAgent(p.options(by)...)
	if err != nil {
		return p.explain(err)
	}
	d, can := agent.(ngrok.Diagnoser)
	if !can {
		return &Error{Text: "this version of ngrok's library cannot diagnose", Next: newVersion}
	}
	if _, err = d.Diagnose(ctx, ""); err == nil {
		return nil
	}
	return p.diagnosed(err)
}

// diagnosed names the step that failed.
func (p *plan) diagnosed(err error) *Error {
	if e := p.untrusted(err); e != nil {
		return e
	}
	e := &Error{Err: err}
	said := p.words(err)
	if errors.Is(err, context.DeadlineExceeded) {
		said = fmt.Sprintf("no answer within %s", diagnoseLimit)
	}
	switch {
	case ngrok.IsTCPDiagnoseFailure(err):
		e.Text = fmt.Sprintf("cannot connect to %s: %s", p.address, said)
		e.Next = "check the network, and that no firewall keeps programs from this address and port"
	case ngrok.IsTLSDiagnoseFailure(err):
		e.Text = fmt.Sprintf("%s does not speak TLS as ngrok does: %s", p.address, said)
		e.Next = "a proxy or a firewall may stand between; let this address through untouched"
	default:
		e.Text = fmt.Sprintf("%s speaks TLS, but not as an ngrok edge: %s", p.address, said)
		e.Next = "check tunnel.connect_url; remove it to use ngrok's own"
	}
	return e
}
