package haproxy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Bits and values of "show servers state"; see there in haproxy's management
// guide.
const (
	forcedMaint   = 0x01 // srv_admin_state
	forcedDrain   = 0x08
	anyMaint      = 0x01 | 0x02 | 0x20 // forced, of a tracked server, without an address
	anyDrain      = 0x08 | 0x10
	opStopped     = 0 // srv_op_state
	opStarting    = 1
	opRunning     = 2
	checkFailed   = 2    // srv_check_result
	hasCheck      = 0x02 // srv_check_state
	checkEnabled  = 0x04
	stateVersion  = "1"
	maxServerLine = 4096
)

// A liveServer is a server that haproxy has.
type liveServer struct {
	name    string
	addr    netip.AddrPort // invalid, if it is no IP address
	op      int
	admin   int
	weight  int
	initial int // the weight it began with
	check   int
	result  int  // of its last check
	agent   bool // an agent has a say in whether it is up
	ssl     bool
}

// up reports whether new requests go to l.
func (l *liveServer) up() bool {
	return (l.op == opStarting || l.op == opRunning) && l.admin&(anyMaint|anyDrain) == 0 && l.weight > 0
}

// stateCommands asks for the state of each backend.
func stateCommands(backends []*backend) []string {
	out := make([]string, len(backends))
	for i, b := range backends {
		out[i] = "show servers state " + b.name
	}
	return out
}

// readState reads the answer to "show servers state BACKEND".
func readState(backend, reply string) ([]liveServer, error) {
	version, rest, _ := strings.Cut(reply, "\n")
	switch {
	case strings.HasPrefix(version, "Can't find backend"):
		return nil, fmt.Errorf("haproxy has no backend %s: it has not loaded the file; %w", backend, ErrReload)
	case version != stateVersion:
		return nil, refusal("show servers state "+backend, reply)
	}
	header, rest, _ := strings.Cut(rest, "\n")
	names, ok := strings.CutPrefix(header, "# ")
	if !ok {
		return nil, fmt.Errorf("haproxy's answer about backend %s is not understood: %s", backend, quoted(header))
	}
	column := columns(strings.Fields(names))
	servers := make([]liveServer, 0, strings.Count(rest, "\n")+1)
	seen := make(map[string]bool, cap(servers))
	fields := make([]string, 0, 32)
	for line := range strings.Lines(rest) {
		fields = appendFields(fields[:0], line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		l, ok := column.server(backend, fields)
		if !ok || len(line) > maxServerLine || seen[l.name] {
			return nil, fmt.Errorf("haproxy's answer about backend %s is not understood: %s", backend, quoted(line))
		}
		seen[l.name] = true
		servers = append(servers, l)
	}
	return servers, nil
}

// A stateColumns holds the places of the fields that are needed, in the order
// of stateFields.
type stateColumns [12]int

var stateFields = [...]string{"be_name", "srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight",
	"srv_check_state", "srv_check_result", "srv_agent_state", "srv_use_ssl"}

func columns(names []string) (c stateColumns) {
	for i, field := range stateFields {
		c[i] = -1
		for j, name := range names {
			if name == field {
				c[i] = j
			}
		}
	}
	return c
}

func (c stateColumns) server(backend string, fields []string) (l liveServer, ok bool) {
	var text [len(stateFields)]string
	for i, at := range c {
		if at < 0 || at >= len(fields) {
			return l, false
		}
		text[i] = fields[at]
	}
	if text[0] != backend || !isName(text[1]) {
		return l, false
	}
	var n [8]int
	for i, s := range append(text[4:11:11], text[3]) {
		v, err := strconv.Atoi(s)
		if err != nil || v < 0 {
			return l, false
		}
		n[i] = v
	}
	l = liveServer{name: text[1], op: n[0], admin: n[1], weight: n[2], initial: n[3], check: n[4], result: n[5],
		agent: n[6]&hasCheck != 0, ssl: text[11] == "1"}
	if a, err := netip.ParseAddr(text[2]); err == nil && n[7] <= 65535 {
		l.addr = netip.AddrPortFrom(a, uint16(n[7]))
	}
	return l, true
}

// appendFields is strings.Fields for ASCII, into a slice that there is.
func appendFields(dst []string, line string) []string {
	for i := 0; i < len(line); {
		if line[i] <= ' ' {
			i++
			continue
		}
		start := i
		for i < len(line) && line[i] > ' ' {
			i++
		}
		dst = append(dst, line[start:i])
	}
	return dst
}

// readConnections reads the answer to "show servers conn BACKEND": how many
// connections each server uses. Where haproxy does not say, a server is not in
// it.
func readConnections(reply string) map[string]int {
	header, rest, _ := strings.Cut(reply, "\n")
	used := -1
	for i, name := range strings.Fields(strings.TrimPrefix(header, "# ")) {
		if name == "used_cur" {
			used = i
		}
	}
	out := map[string]int{}
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if used < 0 || used >= len(fields) {
			continue
		}
		_, name, _ := strings.Cut(fields[0], "/")
		if n, err := strconv.Atoi(fields[used]); err == nil {
			out[name] = n
		}
	}
	return out
}
