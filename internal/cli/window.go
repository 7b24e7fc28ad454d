package cli

import (
	"net/http"

	"bcdev/internal/serve"
)

// windowServer answers at the window.
func (s *session) windowServer() (*http.Server, error) {
	return serve.New(http.NotFoundHandler(), serve.Limits{Logger: s.log}), nil
}
