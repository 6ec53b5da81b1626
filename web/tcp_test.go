package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newCertificate writes a certificate for 127.0.0.1 and its key, dated n
// seconds from now so that a new one is seen to be new.
func newCertificate(t *testing.T, cert, key, name string, n int) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n)), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), n)
	replace(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})), n)
}

// replace writes a file as of n seconds from now.
func replace(t *testing.T, path, text string, n int) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Duration(n) * time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// With a certificate it is HTTPS and nothing else; a renewed certificate is
// taken up, a broken one is not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	p := Port{Address: "127.0.0.1:0", Cert: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key"), Logger: slog.New(slog.DiscardHandler)}
	if _, err := p.Listen(); err == nil || !strings.Contains(err.Error(), "cannot serve HTTPS: ") {
		t.Errorf("without files: %v", err)
	}
	newCertificate(t, p.Cert, p.Key, "first", 0)
	api := New(Config{Agent: newAgent(t, nil), Gate: &Gate{Token: token, ReadToken: readerToken}})
	url := "https" + strings.TrimPrefix(serveOn(t, api.Remote(), p), "http")
	subject := func() string {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		response, err := client.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != 200 || response.Proto != "HTTP/1.1" {
			t.Errorf("%s %s %s", response.Proto, response.Status, text)
		}
		return response.TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := subject(); got != "first" {
		t.Errorf("got %s", got)
	}
	newCertificate(t, p.Cert, p.Key, "second", 10)
	if got := subject(); got != "second" {
		t.Errorf("renewed: got %s", got)
	}
	replace(t, p.Cert, "broken", 20)
	if got := subject(); got != "second" {
		t.Errorf("broken: got %s", got)
	}
	newCertificate(t, p.Cert, p.Key, "third", 30)
	if got := subject(); got != "third" {
		t.Errorf("mended: got %s", got)
	}
	addr := strings.TrimPrefix(url, "https://")
	if got := raw(t, addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); strings.Contains(got, "200") {
		t.Errorf("in the clear: %q", got)
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", addr, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestPortIsTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = Port{Address: ln.Addr().String()}.Listen()
	if err == nil || !strings.Contains(err.Error(), "cannot serve HTTP at 127.0.0.1:") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
