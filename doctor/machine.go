package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// http looks whether the API's port answers.
func (e *examination) http(ctx context.Context) Findings {
	r, address := report{check: "http"}, e.Config.Config.HTTP.Address
	if address == "" {
		r.skip("it is served on the socket alone")
		return r.found
	}
	if e.status == nil {
		l, err := net.Listen("tcp", address)
		if err != nil {
			r.add(Problem, "Choose another address, or end what listens there.", "the API could not be served at %s: %v", address, netError(err))
			return r.found
		}
		l.Close()
		return r.orOK("%s is free", address)
	}
	d := net.Dialer{Timeout: 3 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		r.add(Problem, "Start the agent again, if it was told of the address since it started.", "nobody answers at %s: %v", address, netError(err))
		return r.found
	}
	conn.Close()
	return r.orOK("somebody answers at %s", address)
}

// netError is an error of the network without what was tried.
func netError(err error) error {
	if e, ok := err.(*net.OpError); ok {
		return e.Err
	}
	return err
}

// multicast looks whether others can be found by multicast DNS.
func (e *examination) multicast(ctx context.Context) Findings {
	r, c := report{check: "multicast"}, e.Config.Config.Cluster
	name := c.Discover
	if e.status != nil {
		name = cmp.Or(e.status.Node.Discover, name)
	}
	switch {
	case e.attached() || name == "":
		r.skip("nobody is looked for by multicast DNS")
		return r.found
	case e.status != nil && e.status.Node.DiscoverError != "":
		r.add(Problem, "Multicast needs an interface that is up, and a route: `ip route add 224.0.0.0/4 dev INTERFACE`.", "looking for %q does not work: %s", name, e.status.Node.DiscoverError)
		return r.found
	}
	on, err := c.CheckMulticast(ctx)
	if err != nil {
		r.add(Problem, "Name an interface with mdns { interface } that is up and can do multicast, and see that it has a route: `ip route add 224.0.0.0/4 dev INTERFACE`.", "%v", err)
	}
	return r.orOK("%s can do it; switches and access points must let it pass, too", on)
}

// unit looks how the service manager's unit of the agent is.
func (e *examination) unit(ctx context.Context) Findings {
	r := report{check: "systemd"}
	if e.Unit == nil {
		r.skip("no service manager runs here")
		return r.found
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u, err := e.Unit(ctx)
	if err != nil {
		r.skip("it cannot be asked: %v", err)
		return r.found
	}
	id := cmp.Or(u["Id"], "muster.service")
	name, state := strings.TrimSuffix(id, ".service"), fmt.Sprintf("%s is %s (%s)", id, u["ActiveState"], u["SubState"])
	switch {
	case u["LoadState"] == "not-found":
		r.skip("there is no unit of muster's")
		return r.found
	case u["ActiveState"] == "failed":
		r.add(Problem, "`journalctl -u "+name+"` says why; then `systemctl reset-failed "+name+"` and start it.", "%s: %s", state, u["Result"])
	case u["ActiveState"] == "active" && e.status == nil:
		r.add(Problem, "Say where with --socket; run doctor as root; or the agent is stuck: `systemctl restart "+name+"`.", "%s, and no agent answers at %s", state, e.Config.Config.HTTP.Socket)
	case u["ActiveState"] != "active":
		r.add(Warning, "`systemctl enable --now "+name+"`", "%s", state)
	case u["UnitFileState"] == "disabled":
		r.add(Warning, "`systemctl enable "+name+"`", "%s, and will not be started at boot", state)
	case u["NRestarts"] != "0" && u["NRestarts"] != "":
		r.add(Warning, "`journalctl -u "+name+"` says why it ended.", "%s, and was started again %s times", state, u["NRestarts"])
	case u["WatchdogUSec"] == "0" || u["WatchdogUSec"] == "infinity":
		r.add(Warning, "WatchdogSec=30 in the unit has an agent that is stuck started again.", "%s, without a watchdog", state)
	}
	return r.orOK("%s, watchdog %s", state, u["WatchdogUSec"])
}
