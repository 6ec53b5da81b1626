package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// A Port is where the API is served over TCP.
type Port struct {
	Address   string // "host:port"
	Cert, Key string // PEM files; empty: in the clear
	Logger    *slog.Logger
}

// Listen listens on the port, with TLS if there is a certificate.
func (p Port) Listen() (net.Listener, error) {
	var config *tls.Config
	if p.Cert != "" {
		c := &certificate{Port: p}
		if err := c.load(); err != nil {
			return nil, fmt.Errorf("cannot serve HTTPS: %w", err)
		}
		config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
	}
	ln, err := net.Listen("tcp", p.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve HTTP at %s: %w", p.Address, cause(err))
	}
	ln = newCrowd(ln, mostGuests)
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	return ln, nil
}

// cause is what the system has to say, without the address.
func cause(err error) error {
	if op, ok := err.(*net.OpError); ok {
		return op.Err
	}
	return err
}

// A certificate is read again when its files have been replaced, as they are
// every few weeks where certificates renew themselves.
type certificate struct {
	Port

	mu     sync.Mutex
	pair   tls.Certificate
	read   [2]time.Time // when the files that pair is from were written
	failed [2]time.Time // those that could not be used
}

// load reads the files, and keeps what it had if they are no pair.
func (c *certificate) load() error {
	written := c.written()
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		c.failed = written
		return err
	}
	c.pair, c.read = pair, written
	return nil
}

// written is when the two files were written.
func (c *certificate) written() (at [2]time.Time) {
	for i, path := range []string{c.Cert, c.Key} {
		if info, err := os.Stat(path); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.written(); now != c.read && now != c.failed {
		if err := c.load(); err != nil {
			c.Logger.Error("the new certificate cannot be used, the old one stays in use", "error", err)
		} else {
			c.Logger.Info("the new certificate is in use", "file", c.Cert)
		}
	}
	pair := c.pair
	return &pair, nil
}
