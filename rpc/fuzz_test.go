package rpc_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/cluster"
	"muster/rpc"
)

// FuzzServer lets a client say anything. Whatever it is, the server neither
// panics nor hangs, and needs no more memory than a few frames.
func FuzzServer(f *testing.F) {
	auth := request("auth", 1) + "\x81\xa7AuthKey\xa6secret"
	for _, seed := range []string{
		handshake, handshake + auth,
		request("event", 2) + "\x83\xa4Name\xa1x\xa7Payload\xc4\x02\x00\xff\xa8Coalesce\xc3",
		request("members", 2) + request("stats", 3) + request("list-keys", 4),
		request("members-filtered", 2) + "\x83\xa4Tags\x81\xa4role\xa2w.\xa6Status\xa5alive\xa4Name\xa1(",
		request("tags", 2) + "\x82\xa4Tags\x81\xa1a\xa1b\xaaDeleteTags\x91\xa1c",
		request("stream", 2) + "\x81\xa4Type\xa1*" + request("stop", 3) + "\x81\xa4Stop\x02",
		request("monitor", 2) + "\x81\xa8LogLevel\xa5debug" + request("stop", 3) + "\x81\xa4Stop\x02",
		request("query", 2) + "\x86\xa4Name\xa1x\xa7Payload\xc0\xabFilterNodes\x91\xa1a\xaaFilterTags\x80\xaaRequestAck\xc3\xa7Timeout\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
		request("respond", 2) + "\x82\xa2ID\x01\xa7Payload\xa1x",
		request("install-key", 2) + "\x81\xa3Key\xa1x" + request("get-coordinate", 3) + "\x81\xa4Node\xa1a",
		request("foo", 2) + "\xdd\xff\xff\xff\xff", strings.Repeat("\x91", 100), "\xdf\xff\xff\xff\xff\xc0", "\xc7\x05\x01hello",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	node, err := cluster.Join(cluster.Config{Name: "a", Bind: loopback()})
	if err != nil {
		f.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Node: node, AuthKey: "secret", AuthDelay: time.Microsecond, RequestTimeout: time.Millisecond, WriteTimeout: 5 * time.Second,
	})
	f.Fuzz(func(t *testing.T, said []byte, known bool) {
		if known {
			said = append([]byte(handshake+auth), said...)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		client, ln := newPair()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := server.Serve(t.Context(), ln); err != nil && !strings.Contains(err.Error(), "closed") {
				t.Error(err)
			}
		})
		wg.Go(func() { _, _ = io.Copy(io.Discard, client) })
		_ = client.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := client.Write(said); err != nil && os.IsTimeout(err) {
			t.Error("the server has stopped reading")
		}
		client.Close()
		ln.Close()
		wg.Wait()
		runtime.ReadMemStats(&after)
		// Frames of 64 KiB, decoded; each answered with a little.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(2<<20+1000*len(said)); used > most {
			t.Errorf("%d bytes for %d that were said", used, len(said))
		}
	})
}

// newPair is a client, and the listener of a server that is to have just it.
func newPair() (net.Conn, net.Listener) {
	client, conn := net.Pipe()
	ln := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conn <- conn
	return client, ln
}

type single struct {
	conn   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *single) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
