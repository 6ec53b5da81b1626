package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/config"
	"muster/publisher"
	"muster/rpc"
	catalog "muster/services"
	"muster/web"
)

// An offering is an agent's node as it publishes.
type offering struct {
	client     *rpc.Client
	self       cluster.Member
	list       []catalog.Service
	cloud      string
	configured map[string]string // names of services in muster.hcl, by key
}

// offering asks the agent about its node. The caller closes its client.
func (a *app) offering(cmd *cobra.Command, cloud string) (*offering, error) {
	if cloud != "" {
		if err := config.CheckCloud(cloud); err != nil {
			return nil, usage(cmd, err)
		}
	}
	client, err := a.dial(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	o := &offering{client: client, configured: map[string]string{}}
	if err := o.look(cmd.Context()); err != nil {
		client.Close()
		return nil, err
	}
	if o.list, err = catalog.Decode(o.self.Tags[catalog.Tag]); err != nil {
		fmt.Fprintf(a.err, "this node's services: %s\n", printable(err.Error()))
	}
	o.cloud = cloud
	if report := a.publishing(cmd); report != nil {
		o.cloud = cmp.Or(o.cloud, report.Cloud)
		for _, s := range report.Each {
			o.configured[s.Type+":"+s.Port] = s.Name
		}
	}
	if o.cloud == "" { // an agent that cannot tell: as this host is configured
		cfg, _ := config.Load(config.Flags{})
		o.cloud = cfg.CloudName()
	}
	return o, nil
}

// look reads what the agent knows of its own node.
func (o *offering) look(ctx context.Context) error {
	name, err := selfName(ctx, o.client)
	if err != nil {
		return err
	}
	members, err := o.client.Members(ctx, rpc.Filter{Name: regexp.QuoteMeta(name)})
	if err != nil {
		return err
	}
	if len(members) != 1 {
		return fmt.Errorf("cannot tell what %s publishes: the agent does not list its own node", plain(name))
	}
	o.self = members[0].Member
	return nil
}

// publishing is what muster's own agent publishes by itself; nil if it is not
// that which is asked.
func (a *app) publishing(cmd *cobra.Command) *publisher.Report {
	if a.rpcAddr != "" || !cmd.Flags().Changed("socket") && os.Getenv("SERF_RPC_ADDR") != "" {
		return nil
	}
	socket := socketPath(a.socket)
	if !exists(socket) {
		return nil
	}
	status, err := web.NewClient(socket).Status(cmd.Context())
	if err != nil {
		return nil
	}
	return status.Services
}

// tries is how often a tag is written that somebody else writes, too.
const tries = 3

// publish adds a service to the node's, or puts it in place of another.
func (a *app) publish(ctx context.Context, o *offering, s catalog.Service, explicitIP bool, host string) error {
	if name, ours := o.configured[s.Key()]; ours {
		return fmt.Errorf("cannot publish %s: service %q in muster.hcl is of this type and port; change it there and send the agent SIGHUP", s.Key(), name)
	}
	s.Host = cmp.Or(host, publisher.Host(o.self.Name, o.cloud))
	if !explicitIP {
		s.IP = publisher.AddrOf(o.self.Addr)
	}
	s, err := catalog.New(s)
	if err != nil {
		return fmt.Errorf("cannot publish %s: %w", s.Key(), err)
	}
	size := 0
	tags, err := o.change(ctx, func(tags map[string]string, list []catalog.Service) error {
		rest, _ := catalog.Remove(list, s.Type, s.Port)
		before := maps.Clone(tags)
		if err := catalog.Set(before, rest); err != nil {
			return err
		}
		if err := catalog.Set(tags, catalog.Put(list, s)); err != nil {
			return err
		}
		used := cluster.TagSize(before)
		if size = cluster.TagSize(tags) - used; used+size > tagBudget {
			return fmt.Errorf("it takes %d bytes, and %d of %d are left; shorten its description or text, or take out another service or tag", size, max(0, tagBudget-used), tagBudget)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot publish %s: %w", s.Key(), err)
	}
	used := cluster.TagSize(tags)
	err = a.print(map[string]any{"published": s, "bytes": size, "used": used, "max": tagBudget}, "Published "+plain(s.Key())+" as "+plain(s.Host))
	if !a.wantsJSON() {
		fmt.Fprintf(a.err, "it takes %d bytes; %d of %d bytes used\n", size, used, tagBudget)
	}
	return err
}

// unpublish takes services out, but for those of the configuration.
func (a *app) unpublish(ctx context.Context, o *offering, typ, port string) error {
	what := cmp.Or(strings.Trim(typ+":"+port, ":"), "anything")
	gone := []catalog.Service{}
	kept := ""
	tags, err := o.change(ctx, func(tags map[string]string, list []catalog.Service) error {
		var rest []catalog.Service
		gone, kept = nil, ""
		for _, s := range list {
			name, ours := o.configured[s.Key()]
			switch match := (typ == "" || s.Type == typ) && (port == "" || s.Port == port); {
			case match && ours:
				kept = fmt.Sprintf("%s stays: it is service %q in muster.hcl; take it out there and send the agent SIGHUP", s.Key(), name)
				rest = append(rest, s)
			case match:
				gone = append(gone, s)
			default:
				rest = append(rest, s)
			}
		}
		switch {
		case len(gone) > 0:
			return catalog.Set(tags, rest)
		case kept != "":
			return errors.New(kept)
		}
		return errors.New("this node publishes no such service")
	})
	if err != nil {
		return fmt.Errorf("cannot unpublish %s: %w", what, err)
	}
	if kept != "" {
		fmt.Fprintln(a.err, plain(kept))
	}
	var lines []string
	for _, s := range gone {
		lines = append(lines, "Withdrew "+plain(s.Key()))
	}
	return a.print(map[string]any{"withdrawn": gone, "used": cluster.TagSize(tags), "max": tagBudget}, strings.Join(lines, "\n"))
}

// change has the agent gossip the tags that edit makes of a copy, and sees
// that they are there: Serf's RPC has no way to change what has not changed
// meanwhile, so that of two who do at once, one has to do it again.
func (o *offering) change(ctx context.Context, edit func(tags map[string]string, list []catalog.Service) error) (map[string]string, error) {
	for try := range tries {
		tags := maps.Clone(o.self.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		list, _ := catalog.Decode(tags[catalog.Tag]) // one that cannot be read gives way
		if err := edit(tags, list); err != nil {
			return nil, err
		}
		set, remove := map[string]string{}, []string(nil)
		if text, ok := tags[catalog.Tag]; ok {
			set[catalog.Tag] = text
		} else {
			remove = []string{catalog.Tag}
		}
		if err := o.client.SetTags(ctx, set, remove); err != nil {
			return nil, err
		}
		seen, err := o.await(ctx, tags[catalog.Tag])
		if seen || err != nil || try == tries-1 {
			return tags, err
		}
	}
	return nil, nil // not reached
}

// await waits until the agent's own list shows the tag, which takes it a
// moment. It reports whether it does.
func (o *offering) await(ctx context.Context, text string) (bool, error) {
	for range 20 {
		if err := o.look(ctx); err != nil {
			return false, err
		}
		if o.self.Tags[catalog.Tag] == text {
			return true, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}
