package serve

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder finds the program that listens on a port, by the tables of /proc. Programs of other
// users stay unknown.
func holder(port int) (program string, pid int) {
	sockets := listening(port, "/proc/net/tcp", "/proc/net/tcp6")
	if len(sockets) == 0 {
		return "", 0
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !sockets[target] {
			continue
		}
		folder := filepath.Dir(filepath.Dir(link))
		name, err := os.ReadFile(filepath.Join(folder, "comm"))
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(folder))
		return strings.TrimSpace(string(name)), pid
	}
	return "", 0
}

// listening returns the sockets in state LISTEN (0A) on a port, as /proc/*/fd names them
// (proc_net_tcp: column 2 is the local address, 4 the state, 10 the inode).
func listening(port int, tables ...string) map[string]bool {
	sockets := map[string]bool{}
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range tables {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			column := strings.Fields(lines.Text())
			if len(column) > 9 && strings.HasSuffix(column[1], suffix) && column[3] == "0A" {
				sockets["socket:["+column[9]+"]"] = true
			}
		}
		_ = f.Close()
	}
	return sockets
}
