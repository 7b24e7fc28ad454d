package cli

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// isTerminalIn reports whether a person types what in gives.
func isTerminalIn(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && isTerminal(f)
}

// terminalIn is the person's keyboard, also when standard input is a file.
func (p *program) terminalIn() (io.Reader, func(), error) {
	if isTerminalIn(p.In) {
		return p.In, func() {}, nil
	}
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

// agreed asks a question that is answered with y or n; anything else is no.
func (p *program) agreed() (bool, error) {
	answer, err := p.ask()
	return answer == "y" || answer == "Y" || answer == "yes", err
}
