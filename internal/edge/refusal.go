package edge

import "fmt"

// Refusal is an edge's no, with one of ngrok's codes (https://ngrok.com/docs/errors).
type Refusal struct {
	Code    string // ERR_NGROK_107
	Message string
}

// Error returns the message and the code.
func (r *Refusal) Error() string { return r.Message + " (" + r.Code + ")" }

// wire is the form in which ngrok's servers send it; the library looks for the code in it.
func (r *Refusal) wire() string {
	if r == nil {
		return ""
	}
	return r.Message + "\r\n\r\n" + r.Code + "\r\n"
}

func (r *Refusal) code() string {
	if r == nil {
		return ""
	}
	return r.Code
}

func refuse(code int, format string, args ...any) *Refusal {
	return &Refusal{Code: fmt.Sprintf("ERR_NGROK_%d", code), Message: fmt.Sprintf(format, args...)}
}
