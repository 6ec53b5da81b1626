package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	prompt = "\n> " // ends each answer in interactive mode
	// chunk is how many bytes of commands haproxy is sent before its answers
	// are read. It reads no more than tune.bufsize (16 KiB) ahead and stops
	// while its answers are not read; more is not faster. A connection for
	// each command takes eight times as long.
	chunk    = 4 << 10
	maxReply = 16 << 20
)

// CheckSocket says what is wrong with the way a socket is written.
func CheckSocket(socket string) error {
	_, _, err := address(socket)
	return err
}

// address turns haproxy's way to write an address ("Address formats" of its
// configuration manual) into Go's.
func address(socket string) (network, addr string, err error) {
	kind, rest, ok := strings.Cut(socket, "@")
	switch {
	case strings.HasPrefix(socket, "/"):
		return "unix", socket, nil
	case ok && kind == "unix" && strings.HasPrefix(rest, "/"):
		return "unix", rest, nil
	case ok && (kind == "ipv4" || kind == "ipv6"):
		a, err := netip.ParseAddrPort(rest)
		if err == nil && a.Port() != 0 && a.Addr().Is4() == (kind == "ipv4") {
			return "tcp", a.String(), nil
		}
	}
	return "", "", fmt.Errorf("%s is no socket of haproxy: write its path, as in /run/haproxy/admin.sock, or ipv4@127.0.0.1:9999", quoted(socket))
}

// A conn is a conversation with haproxy.
type conn struct {
	net     net.Conn
	in      *bufio.Reader
	ctx     context.Context
	stop    func() bool
	socket  string
	timeout time.Duration
	greeted bool
}

func dial(ctx context.Context, socket string, timeout time.Duration) (*conn, error) {
	network, addr, err := address(socket)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: timeout}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, unreachable(socket, timeout, err)
	}
	// The end of ctx interrupts what is going on.
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return &conn{net: c, in: bufio.NewReaderSize(c, 64<<10), ctx: ctx, stop: stop, socket: socket, timeout: timeout}, nil
}

func (c *conn) close() {
	c.stop()
	_ = c.net.Close() // nothing is left to be sent
}

// ask sends commands and returns an answer for each.
func (c *conn) ask(commands ...string) ([]string, error) {
	replies := make([]string, 0, len(commands))
	for len(commands) > 0 {
		var out []byte
		n := 0
		if !c.greeted {
			out = append(out, "prompt\n"...)
		}
		for n < len(commands) && (n == 0 || len(out)+len(commands[n]) < chunk) {
			if !isCommand(commands[n]) {
				return nil, fmt.Errorf("refused to send %s to haproxy", quoted(commands[n]))
			}
			out = append(append(out, commands[n]...), '\n')
			n++
		}
		got, err := c.exchange(out, n)
		if err != nil {
			return nil, unreachable(c.socket, c.timeout, err)
		}
		replies = append(replies, got...)
		commands = commands[n:]
	}
	return replies, nil
}

// exchange sends some commands and reads n answers.
func (c *conn) exchange(out []byte, n int) ([]string, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, context.Cause(c.ctx)
	}
	_ = c.net.SetDeadline(time.Now().Add(c.timeout))
	if c.ctx.Err() != nil { // its end may have come just before
		_ = c.net.SetDeadline(time.Unix(1, 0))
	}
	if _, err := c.net.Write(out); err != nil {
		return nil, c.why(err)
	}
	if !c.greeted {
		c.greeted = true
		if _, err := c.reply(); err != nil {
			return nil, err
		}
	}
	replies := make([]string, n)
	for i := range replies {
		var err error
		if replies[i], err = c.reply(); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// reply reads one answer, up to the prompt behind it.
func (c *conn) reply() (string, error) {
	var b []byte
	for {
		part, err := c.in.ReadSlice(' ')
		b = append(b, part...)
		switch {
		case len(b) > maxReply:
			return "", fmt.Errorf("it answered with more than %d MiB", maxReply>>20)
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return "", c.why(err)
		case len(b) >= len(prompt) && string(b[len(b)-len(prompt):]) == prompt:
			return strings.TrimSpace(string(b[:len(b)-len(prompt)])), nil
		}
	}
}

// why prefers the end of the context to what it led to.
func (c *conn) why(err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// isCommand is the last look at what goes out: what could end a command or
// escape something is no part of any.
func isCommand(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune("_.:-/@+=,()[] ", rune(s[i])) {
			return false
		}
	}
	return s != ""
}

// unreachable says why there is no conversation, and what to do about it.
func unreachable(socket string, timeout time.Duration, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, os.ErrNotExist):
		remedy = "; is haproxy running, and does its global section say: stats socket " + socket + " mode 660 level admin"
	case errors.Is(err, syscall.ECONNREFUSED):
		remedy = "; haproxy is not running"
	case errors.Is(err, os.ErrPermission):
		remedy = "; let the agent's user into the socket's group, and give it mode 660"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("haproxy at %s does not answer within %v; it hangs, or the socket is not its stats socket", socket, timeout)
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("haproxy at %s ended the conversation; it was reloaded just now, or the socket is not its stats socket", socket)
	}
	return fmt.Errorf("cannot talk to haproxy at %s: %w%s", socket, err, remedy)
}
