// Package rpc is Serf's RPC, both sides of it: a Server that lets Serf's
// command line and clients drive a node of ours, a Client of whatever speaks
// the protocol, and Attach, which follows a Serf agent that already runs.
//
// The protocol is described on Serf's page "RPC Protocol"
// (docs/agent/rpc.html.markdown of its sources): MessagePack values over a TCP
// connection or a Unix socket, a header and mostly a body each way, paired by
// a sequence number. What an answer means is for others to decide.
package rpc
