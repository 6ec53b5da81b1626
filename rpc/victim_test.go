package rpc_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"muster/cluster"
	"muster/cluster/clustertest"
	"muster/logs"
	"muster/rpc"
)

// victimEnv makes the test binary a process of its own that serves: its value
// is the most descriptors it may have.
const victimEnv = "MUSTER_TEST_RPC_VICTIM"

// victim runs a node and serves its RPC until standard input ends. The log, at
// INFO, goes to standard error; the RPC's address is printed first.
func victim() error {
	most, err := strconv.ParseUint(os.Getenv(victimEnv), 10, 64)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	log := logs.New(slog.NewTextHandler(os.Stderr, nil), 100)
	logger := slog.New(log)
	node, err := cluster.Join(clustertest.Fast(cluster.Config{Name: "victim", Bind: "127.45.0.1:0", Logger: logger}))
	if err != nil {
		return err
	}
	ln, err := rpc.Listen("127.0.0.1:0", "")
	if err != nil {
		return err
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Node: node, Logs: log, Logger: logger, WriteTimeout: 2 * time.Second, Leave: func() {},
	})
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- node.Run(ctx) }()
	go func() { ended <- server.Serve(ctx, ln) }()
	for !node.View().Settled {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel(cluster.ErrStay)
	for range 2 {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// A prey is a victim that runs.
type prey struct {
	served
	tb     testing.TB
	cmd    *exec.Cmd
	logged atomic.Int64 // bytes
}

// hunt starts a victim, whose memory is watched until the test ends.
func hunt(tb testing.TB, descriptors int) *prey {
	tb.Helper()
	p := &prey{tb: tb, cmd: exec.Command(os.Args[0])}
	p.Book = &logbook{}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", victimEnv, descriptors))
	p.cmd.Stderr = io.MultiWriter(p.Book, counter{&p.logged})
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		if err := p.cmd.Wait(); err != nil {
			tb.Errorf("the victim has not ended well: %v\n%.5000s", err, p.Book)
		}
	})
	if _, err := fmt.Fscan(stdout, &p.Addr); err != nil {
		tb.Fatalf("the victim has not started: %v\n%s", err, p.Book)
	}
	return p
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// rss is the victim's resident memory in kB.
func (p *prey) rss() int64 {
	p.tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatalf("the victim is gone: %v\n%.5000s", err, p.Book)
	}
	for line := range strings.Lines(string(status)) {
		if field := strings.Fields(line); field[0] == "VmRSS:" {
			n, err := strconv.ParseInt(field[1], 10, 64)
			if err != nil {
				p.tb.Fatal(err)
			}
			return n
		}
	}
	p.tb.Fatal("no VmRSS")
	return 0
}

// abuse runs do while it watches the victim, and holds the victim to what it
// owes: it lives, needs no more than 20 MB more than before, logs less than
// 10 kB a second, and lists its members afterwards.
func (p *prey) abuse(do func()) {
	p.tb.Helper()
	if got, err := p.dial(p.tb, "").Members(); err != nil || len(got) != 1 {
		p.tb.Fatalf("members before: %v, %v", got, err)
	}
	before, logged, began := p.rss(), p.logged.Load(), time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	peak := before
	for watching := true; watching; {
		select {
		case <-done:
			watching = false
		case <-time.After(20 * time.Millisecond):
		}
		peak = max(peak, p.rss())
	}
	took := time.Since(began)
	asked := time.Now()
	if got, err := p.dial(p.tb, "").Members(); err != nil || len(got) != 1 {
		p.tb.Errorf("members afterwards: %v, %v", got, err)
	}
	answered := time.Since(asked)
	if grown := peak - before; grown > 20<<10 && !raceEnabled {
		p.tb.Errorf("its memory has grown by %d kB, from %d", grown, before)
	}
	written := p.logged.Load() - logged
	if most := int64(10_000 * max(1, took.Seconds())); written > most {
		p.tb.Errorf("it has logged %d bytes in %v", written, took)
	}
	p.tb.Logf("%v: memory %d kB and %d at most, %d bytes logged; members within %v", took, before, peak, written, answered)
}
