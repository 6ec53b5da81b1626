package haproxy

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A fake answers on a socket as haproxy does, as far as is needed: what cannot
// be made to happen with a real one, and quickly.
type fake struct {
	socket string
	// answer says what a command is answered with, and whether the connection
	// stays.
	answer func(command string) (reply string, stays bool)
	mu     sync.Mutex
	heard  []string
}

func newFake(t testing.TB, answer func(string) (string, bool)) *fake {
	dir, err := os.MkdirTemp("", "hap")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{socket: filepath.Join(dir, "s"), answer: answer}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	conns := map[net.Conn]bool{}
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			conns[c] = true
			f.mu.Unlock()
			done.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for c := range conns {
			c.Close()
		}
		f.mu.Unlock()
		done.Wait()
		os.RemoveAll(dir)
	})
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	w := bufio.NewWriter(c)
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply, stays := "", true
		if line = strings.TrimSuffix(line, "\n"); line != "prompt" {
			f.mu.Lock()
			f.heard = append(f.heard, line)
			reply, stays = f.answer(line)
			f.mu.Unlock()
		}
		if reply != "" {
			reply += "\n"
		}
		w.WriteString(reply)
		if !stays {
			w.Flush()
			return
		}
		w.WriteString("\n> ")
		if in.Buffered() == 0 {
			w.Flush()
		}
	}
}

// A model is what haproxy 2.6 makes of commands on the servers of one backend
// called web.
type model struct {
	servers     []modelServer
	connections map[string]int
	mistakes    []string // what haproxy would refuse
}

type modelServer struct {
	name    string
	addr    netip.AddrPort
	weight  int
	initial int
	maint   bool
	drain   bool
	checked bool
	up      bool
}

func (m *model) answer(command string) (string, bool) {
	reply := m.do(command)
	if command := strings.Fields(command); reply != "" && command[0] != "show" && !strings.HasPrefix(reply, "IP changed") &&
		reply != "New server registered." && reply != "Server deleted." && !strings.HasPrefix(reply, "Server still has") {
		m.mistakes = append(m.mistakes, strings.Join(command, " ")+": "+reply)
	}
	return reply, true
}

func (m *model) do(command string) string {
	f := strings.Fields(command)
	if len(f) < 3 {
		return "Unknown command"
	}
	switch verb := f[0] + " " + f[1]; verb {
	case "show servers":
		return m.show(f[2])
	case "add server", "del server", "set server", "enable health":
		_, name, _ := strings.Cut(f[2], "/")
		i := slices.IndexFunc(m.servers, func(s modelServer) bool { return s.name == name })
		if verb == "add server" {
			return m.add(i, name, f[3:])
		}
		if i < 0 {
			return "No such server."
		}
		s := &m.servers[i]
		switch {
		case verb == "del server" && !s.maint:
			return "Only servers in maintenance mode can be deleted."
		case verb == "del server" && m.connections[name] > 0:
			return "Server still has connections attached to it, cannot remove it."
		case verb == "del server":
			m.servers = slices.Delete(m.servers, i, i+1)
			return "Server deleted."
		case verb == "enable health":
			return ""
		}
		return s.set(f[3:])
	}
	return "Unknown command"
}

func (m *model) add(i int, name string, args []string) string {
	addr, err := netip.ParseAddrPort(args[0])
	if i >= 0 || err != nil {
		return "Already exists a server with the same name in backend."
	}
	s := modelServer{name: name, addr: addr, weight: 1, maint: true}
	for i, a := range args {
		switch a {
		case "check":
			s.checked = true
		case "weight":
			s.weight, _ = strconv.Atoi(args[i+1])
		}
	}
	s.initial = s.weight
	m.servers = append(m.servers, s)
	return "New server registered."
}

func (s *modelServer) set(args []string) string {
	switch what := args[0] + " " + args[1]; {
	case what == "state ready":
		s.up = s.up || s.maint
		s.maint, s.drain = false, false
	case what == "state drain":
		s.up = s.up || s.maint
		s.maint, s.drain = false, true
	case what == "state maint":
		s.maint, s.drain, s.up = true, false, false
	case what == "health down", what == "health up":
		if !s.checked {
			return "health checks are not enabled on this server."
		}
		s.up = args[1] == "up"
	case args[0] == "weight":
		s.weight, _ = strconv.Atoi(args[1])
	case args[0] == "addr" && len(args) == 4:
		port, _ := strconv.Atoi(args[3])
		s.addr = netip.AddrPortFrom(netip.MustParseAddr(args[1]), uint16(port))
		return "IP changed from 'x' to 'y' by 'stats socket command'"
	default:
		return "usage"
	}
	return ""
}

func (m *model) show(what string) string {
	if what == "conn" {
		out := "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max\n"
		for _, s := range m.servers {
			out += fmt.Sprintf("web/%s 3/1 x 80 - 5000 %d 0\n", s.name, m.connections[s.name])
		}
		return out
	}
	out := "1\n# " + strings.Join(stateFields[:], " ") + "\n"
	for _, s := range m.servers {
		op, admin, check := 0, 0, 0
		if s.up {
			op = opRunning
		}
		if s.maint {
			admin |= forcedMaint
		}
		if s.drain {
			admin |= forcedDrain
		}
		if s.checked {
			check = hasCheck | checkEnabled
		}
		out += fmt.Sprintf("web %s %s %d %d %d %d %d %d 0 0 0\n", s.name, s.addr.Addr(), s.addr.Port(), op, admin, s.weight, s.initial, check)
	}
	return out
}

// load is what haproxy has after it has read a text.
func (m *model) load(text string) error {
	backends, err := readBackends([][]byte{[]byte(text)})
	if err != nil {
		return err
	}
	m.servers = nil
	b := backends[0]
	for _, s := range b.servers {
		w := max(s.weight, 0)
		if s.weight < 0 {
			w = 1
		}
		m.servers = append(m.servers, modelServer{name: s.name, addr: s.addr, weight: w, initial: w, maint: s.disabled, checked: s.option("check"), up: !s.disabled})
	}
	if t := b.template; t != nil {
		for n := t.low; n <= t.high; n++ {
			m.servers = append(m.servers, modelServer{name: fmt.Sprint(t.prefix, n), addr: netip.MustParseAddrPort("0.0.0.0:1"),
				weight: 1, initial: 1, maint: true, checked: true})
		}
	}
	return nil
}
