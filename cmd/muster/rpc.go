package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"muster/rpc"
)

// serfRPC is where Serf's agent serves its RPC unless told otherwise.
const serfRPC = "127.0.0.1:7373"

// asksRPC gives a command the flags to find an agent that speaks Serf's RPC,
// muster's or Serf's own.
func (a *app) asksRPC(cmd *cobra.Command) {
	a.asksAgent(cmd)
	cmd.Flags().StringVar(&a.rpcAddr, "rpc-addr", "", "`ADDRESS` of the agent's RPC, HOST:PORT or unix:PATH; also SERF_RPC_ADDR")
	cmd.Flags().StringVar(&a.rpcAuth, "rpc-auth", "", "`KEY` that the agent's RPC demands; also SERF_RPC_AUTH")
}

// dial connects to the agent that a command is to ask. Who may not use the
// default socket asks where Serf's agent would be, as muster's serves every
// local user there, too, unless it was told not to.
func (a *app) dial(ctx context.Context, cmd *cobra.Command) (*rpc.Client, error) {
	addr, err := a.rpcAddress(cmd)
	if err != nil {
		return nil, err
	}
	o := rpc.Options{AuthKey: a.rpcKey(cmd)}
	client, err := rpc.Dial(ctx, cmp.Or(addr, serfRPC), o)
	if errors.Is(err, fs.ErrPermission) && addr == a.defaultRPC(cmd) {
		if client, err := rpc.Dial(ctx, serfRPC, o); err == nil {
			return client, nil
		}
	}
	if err != nil && addr == "" {
		return nil, fmt.Errorf("%w. Muster's agent is not running either, there is no %s: start it with `muster agent`, or say where it listens with --socket",
			err, rpcSocketPath(socketPath(a.socket)))
	}
	return client, err
}

// rpcKey is what the agent wants to hear: the flag, given though empty, goes
// before SERF_RPC_AUTH.
func (a *app) rpcKey(cmd *cobra.Command) string {
	if cmd.Flags().Changed("rpc-auth") {
		return a.rpcAuth
	}
	return os.Getenv("SERF_RPC_AUTH")
}

// rpcAddress finds the agent: the flags go before SERF_RPC_ADDR, that before
// the socket of muster's agent. If nobody chose a socket and there is none,
// the address is empty.
func (a *app) rpcAddress(cmd *cobra.Command) (string, error) {
	chosen := cmd.Flags().Changed("socket")
	switch {
	case chosen && a.rpcAddr != "":
		return "", usage(cmd, errors.New("--socket and --rpc-addr each say which agent to ask: leave one out"))
	case a.rpcAddr != "":
		return a.rpcAddr, nil
	case !chosen && os.Getenv("SERF_RPC_ADDR") != "":
		return os.Getenv("SERF_RPC_ADDR"), nil
	}
	chosen = chosen || os.Getenv("MUSTER_SOCKET") != ""
	socket := socketPath(a.socket)
	path := rpcSocketPath(socket)
	switch {
	case exists(path):
		return "unix:" + path, nil
	case exists(socket):
		return "", fmt.Errorf("the agent at %s serves no RPC of its own: it follows another one, which --rpc-addr or SERF_RPC_ADDR can name", socket)
	case chosen:
		return "", fmt.Errorf("cannot reach the agent at %s: is it running? start it with `muster agent`, or say where it listens with --socket or --rpc-addr", a.socket)
	}
	return "", nil
}

// defaultRPC is the address of the socket that is asked if nobody says which
// agent to ask; empty: somebody does.
func (a *app) defaultRPC(cmd *cobra.Command) string {
	if a.rpcAddr != "" || cmd.Flags().Changed("socket") || os.Getenv("SERF_RPC_ADDR") != "" || os.Getenv("MUSTER_SOCKET") != "" {
		return ""
	}
	return "unix:" + rpcSocketPath(socketPath(a.socket))
}

// exists reports whether there is anything at path, visible or not.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// rpcSocketPath is the path of the agent's socket for Serf's RPC, given that
// of its other one: /run/muster/rpc.sock beside /run/muster/api.sock, and
// NAME-rpc.sock beside any other NAME.sock.
func rpcSocketPath(socket string) string {
	dir, name := filepath.Split(socket)
	if name == socketName {
		return filepath.Join(dir, "rpc.sock")
	}
	return filepath.Join(dir, strings.TrimSuffix(name, ".sock")+"-rpc.sock")
}
