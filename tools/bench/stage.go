package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stage holds the processes of a run.
type stage struct {
	settings
	dir     string
	cert    string
	running []*exec.Cmd
	rivals  []rival // bcdev first
}

// rival is one way to the upstream.
type rival struct {
	name   string
	base   string
	pid    int // 0: no process of its own
	client *http.Client
}

const benchStore = "bench0store"

func openStage(s settings) (_ *stage, err error) {
	st := &stage{settings: s}
	defer func() {
		if err != nil {
			st.close()
		}
	}()
	if st.dir, err = os.MkdirTemp("", "bcdev-bench-"); err != nil {
		return nil, err
	}
	st.cert = filepath.Join(st.dir, "upstream.pem")
	up, _, err := st.start(os.Args[0], nil, firstLine, "-role", "upstream", "-ca", st.cert)
	if err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	direct := "https://" + up
	plain, pid, err := st.start(os.Args[0], nil, firstLine, "-role", "reverse", "-target", direct, "-ca", st.cert)
	if err != nil {
		return nil, fmt.Errorf("starting the reverse proxy: %w", err)
	}
	door, doorPID, err := st.startBcdev(direct)
	if err != nil {
		return nil, fmt.Errorf("starting bcdev: %w", err)
	}
	pool, err := trusted(st.cert)
	if err != nil {
		return nil, err
	}
	st.rivals = []rival{
		{"bcdev, recording", door, doorPID, client(nil)},
		{"ReverseProxy", "http://" + plain, pid, client(nil)},
		{"no proxy", direct, 0, client(&tls.Config{RootCAs: pool})},
	}
	return st, nil
}

func client(t *tls.Config) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true, TLSClientConfig: t,
	}}
}

// startBcdev runs "bcdev up" with a store-level token, no tunnel of its own, and the upstream as
// BigCommerce, whose certificate the system's pool is told of.
func (s *stage) startBcdev(upstream string) (string, int, error) {
	config := filepath.Join(s.dir, "bcdev.yaml")
	text := fmt.Sprintf(`app: {client_id: bench, client_secret: bench0secret0bench0secret}
tunnel: {provider: none, public_url: "https://bench.example", listen: "127.0.0.1:0"}
proxy: {listen: "127.0.0.1:0"}
inspector: {listen: "127.0.0.1:0"}
capture: {keep_exchanges: 10000000}
stores: [{hash: %s, token: bench0token0bench0token0bench0}]
bigcommerce: {api_url: %q, login_url: %q}
`, benchStore, upstream, upstream)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", 0, err
	}
	env := append(os.Environ(), "SSL_CERT_FILE="+s.cert, "BCDEV_NO_KEYRING=1")
	return s.start(s.bcdev, env, readyLine, "up", "--json", "--config", config, "--state-dir", filepath.Join(s.dir, "state"))
}

// start runs a program and returns what its output says of its address.
func (s *stage) start(program string, env []string, address func(string) string, args ...string) (string, int, error) {
	c := exec.Command(program, args...)
	c.Env, c.Stderr = env, os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return "", 0, err
	}
	if err := c.Start(); err != nil {
		return "", 0, err
	}
	s.running = append(s.running, c)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if a := address(line); a != "" {
			go io.Copy(io.Discard, lines)
			return a, c.Process.Pid, nil
		}
		if err != nil {
			return "", 0, errors.New("it ended before it said where it listens")
		}
	}
}

func firstLine(line string) string { return strings.TrimSpace(line) }

func readyLine(line string) string {
	var ready struct {
		Event string `json:"event"`
		URL   string `json:"proxy_url"`
	}
	if json.Unmarshal([]byte(line), &ready) != nil || ready.Event != "ready" {
		return ""
	}
	return ready.URL
}

func (s *stage) close() {
	for _, c := range s.running {
		c.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { c.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(8 * time.Second):
			c.Process.Kill()
		}
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

func (r rival) url(query string) string {
	return r.base + "/stores/" + benchStore + "/v3/bench?" + query
}
