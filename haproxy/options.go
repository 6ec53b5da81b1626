package haproxy

// A keyword is an option of a server line.
type keyword struct {
	args int
	// added says that "add server" takes it. Those it takes and that are not
	// here: enabled, for haproxy 2.6 then counts the servers of the backend
	// wrongly, down to answering 503; track and agent-check, with which a
	// server cannot simply be removed; id, source and usesrc.
	added bool
}

// keywords are the options whose arguments are known; see "Server and
// default-server options" in haproxy's configuration manual, and "add server"
// in its management guide. Each was tried.
var keywords = map[string]keyword{
	"allow-0rtt": {0, true}, "backup": {0, true}, "check": {0, true}, "check-send-proxy": {0, true}, "check-ssl": {0, true},
	"check-via-socks4": {0, true}, "no-ssl-reuse": {0, true}, "no-tls-tickets": {0, true}, "send-proxy": {0, true},
	"send-proxy-v2": {0, true}, "send-proxy-v2-ssl": {0, true}, "send-proxy-v2-ssl-cn": {0, true}, "ssl": {0, true}, "tfo": {0, true},

	"addr": {1, true}, "alpn": {1, true}, "ca-file": {1, true}, "check-alpn": {1, true}, "check-proto": {1, true}, "check-sni": {1, true},
	"ciphers": {1, true}, "ciphersuites": {1, true}, "crl-file": {1, true}, "crt": {1, true}, "downinter": {1, true},
	"error-limit": {1, true}, "fall": {1, true}, "fastinter": {1, true}, "inter": {1, true}, "maxconn": {1, true},
	"maxqueue": {1, true}, "minconn": {1, true}, "observe": {1, true}, "on-error": {1, true}, "on-marked-down": {1, true},
	"on-marked-up": {1, true}, "pool-low-conn": {1, true}, "pool-max-conn": {1, true}, "pool-purge-delay": {1, true},
	"port": {1, true}, "proto": {1, true}, "proxy-v2-options": {1, true}, "rise": {1, true}, "slowstart": {1, true},
	"sni": {1, true}, "ssl-max-ver": {1, true}, "ssl-min-ver": {1, true}, "verify": {1, true}, "verifyhost": {1, true}, "ws": {1, true},

	"agent-addr": {1, false}, "agent-check": {0, false}, "agent-inter": {1, false}, "agent-port": {1, false}, "agent-send": {1, false},
	"cookie": {1, false}, "id": {1, false}, "init-addr": {1, false}, "namespace": {1, false}, "no-check": {0, false},
	"non-stick": {0, false}, "redir": {1, false}, "resolve-net": {1, false}, "resolve-opts": {1, false}, "resolve-prefer": {1, false},
	"resolvers": {1, false}, "socks4": {1, false}, "stick": {0, false}, "tcp-ut": {1, false}, "track": {1, false},
}

// Algorithms of "balance" that go by a table which is made once: haproxy then
// takes no new servers, and no weights. With "hash-type consistent" those that
// hash do.
var static = map[string]bool{"static-rr": true}
var hashing = map[string]bool{"source": true, "uri": true, "url_param": true, "hdr": true, "rdp-cookie": true, "hash": true}

// unset are the defaults of the configuration manual that haproxy 2.6 does not
// give to servers that are added over the socket: without the first two, such
// a server uses a new connection for every request.
var unset = []struct{ keyword, value, with string }{
	{"pool-purge-delay", "5s", ""},
	{"pool-max-conn", "-1", ""},
	{"error-limit", "10", "observe"},
	{"on-error", "fail-check", "observe"},
}
