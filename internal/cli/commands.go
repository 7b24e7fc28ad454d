package cli

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release.
var version = ""

func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.upCommand(), p.demoCommand(), p.sandboxCommand(),
		p.listCommand(), p.showCommand(), p.replayCommand(), p.exportCommand(), p.importCommand(), p.pruneCommand(),
		p.hooksCommand(), p.exchangeCommand(), p.storesCommand(), p.tokenCommand(), p.envCommand(),
		p.triggerCommand(), p.verifyCommand(), p.scopesCommand(), p.caCommand(), p.versionCommand(),
	}
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := programVersion()
			con := p.console()
			if p.json {
				con.JSONLine("version", struct {
					Version string `json:"version"`
					Go      string `json:"go"`
					OS      string `json:"os"`
					Arch    string `json:"arch"`
				}{v, runtime.Version(), runtime.GOOS, runtime.GOARCH})
			} else {
				con.Print(fmt.Sprintf("bcdev %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH))
			}
			return con.Err()
		},
	}
}

// programVersion is the linker's word, else the module's, else "dev".
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// localURL is how a program on this machine reaches a listener.
func localURL(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix://" + a.String()
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

var releaseVersion = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)$`)

// nameToNgrok is how a released bcdev names itself to ngrok, which asks for a semantic version.
// Any other build leaves the library's own name: it is known to be let in.
func nameToNgrok(version string) (client, semver string) {
	if m := releaseVersion.FindStringSubmatch(version); m != nil {
		return "bcdev", m[1]
	}
	return "", ""
}

// called is how a person calls this program again from the same folder.
func (p *program) called() string {
	name := filepath.ToSlash(p.Name)
	switch {
	case name == "":
		return "bcdev"
	case strings.Contains(name, "/go-build"): // go run builds it there, and removes it
		return "go run ."
	}
	return shellWord(p.Name)
}

// shellWord is text as one word of a shell's command.
func shellWord(text string) string {
	if strings.ContainsAny(text, " '\"$&;()") {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}
