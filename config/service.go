package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"muster/services"
)

// maxServices bounds the service blocks: a tag holds a dozen.
const maxServices = 64

// A Service is one that this node publishes while its check passes.
type Service struct {
	Name        string // the block's label, unique
	Type        string // default Name
	Description string
	Port        int
	Text        string // attributes
	Device      string // network interface
	IP          string // empty: the node's address
	Check       []string
	User        string        // that the check runs as; empty: the agent's own
	Interval    time.Duration // default 10 s
	Timeout     time.Duration // of the check; default 5 s
	Failures    int           // in a row, that withdraw it; default 3
	Passes      int           // in a row, that publish it again; default 1
}

// Published is s as it is published, without a host.
func (s Service) Published() (services.Service, error) {
	return services.New(services.Service{Type: s.Type, Description: s.Description, IP: s.IP, Port: strconv.Itoa(s.Port), Device: s.Device, Text: s.Text})
}

// serviceKeys is what a service block holds.
var serviceKeys = []struct {
	name  string
	field func(*Service) any
}{
	{"type", func(s *Service) any { return &s.Type }},
	{"description", func(s *Service) any { return &s.Description }},
	{"port", func(s *Service) any { return &s.Port }},
	{"txt", func(s *Service) any { return &s.Text }},
	{"device", func(s *Service) any { return &s.Device }},
	{"ip", func(s *Service) any { return &s.IP }},
	{"check", func(s *Service) any { return &s.Check }},
	{"user", func(s *Service) any { return &s.User }},
	{"interval", func(s *Service) any { return &s.Interval }},
	{"timeout", func(s *Service) any { return &s.Timeout }},
	{"failures", func(s *Service) any { return &s.Failures }},
	{"passes", func(s *Service) any { return &s.Passes }},
}

// serviceNames lists the keys of a service block.
func serviceNames() (all []string) {
	for _, k := range serviceKeys {
		all = append(all, k.name)
	}
	return all
}

// service reads a block: service "NAME" { … }.
func (l *loader) service(b *hclsyntax.Block) {
	if len(b.Labels) != 1 || b.Labels[0] == "" {
		l.diagnose(mistake(b.TypeRange, "a service needs one name", `Write service "web" { … }.`))
		return
	}
	s := Service{Name: b.Labels[0], Type: b.Labels[0], Interval: 10 * time.Second, Timeout: 5 * time.Second, Failures: 3, Passes: 1}
	before := len(l.problems)
	for _, a := range inOrder(b.Body.Attributes) {
		i := slices.Index(serviceNames(), a.Name)
		if i < 0 {
			l.unknown(serviceBlock, a.Name, a.NameRange)
			continue
		}
		l.diagnose(decode(a.Name, a.Expr, serviceKeys[i].field(&s)))
	}
	for _, inner := range b.Body.Blocks {
		l.unknown(serviceBlock, inner.Type, inner.TypeRange)
	}
	if len(l.problems) == before {
		l.diagnose(s.mistakes(b))
	}
	l.settings = append(l.settings, setting{key: key{block: serviceBlock, name: s.Name}, at: b.LabelRanges[0], apply: func(c *Config) {
		c.Services = append(c.Services, s)
	}})
}

// mistakes returns what is wrong with s by itself, at the attribute that says
// so or else at the block's name.
func (s Service) mistakes(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	wrong := func(name, hint, format string, args ...any) {
		at := b.LabelRanges[0]
		if a := b.Body.Attributes[name]; a != nil {
			at = a.Expr.Range()
		}
		diags = append(diags, mistake(at, fmt.Sprintf(format, args...), hint)...)
	}
	published := s
	if _, err := netip.ParseAddr(s.IP); s.IP != "" && err != nil {
		wrong("ip", "Leave it out for the node's own address.", "ip must be an IP address")
		published.IP = "" // it is said
	}
	if _, has := b.Body.Attributes["port"]; !has {
		wrong("port", "Write port = 80.", "service %q has no port", s.Name)
	} else if s.Port < 1 || s.Port > 65535 {
		wrong("port", "", "port must be a number from 1 to 65535")
	} else if _, err := published.Published(); err != nil {
		wrong("", "", "cannot publish service %q: %v", s.Name, err)
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"interval", s.Interval}, {"timeout", s.Timeout}} {
		if d.is < time.Second || d.is > time.Hour {
			wrong(d.name, "", "%s must be from 1s to 1h", d.name)
		}
	}
	for _, n := range []struct {
		name string
		is   int
	}{{"failures", s.Failures}, {"passes", s.Passes}} {
		if n.is < 1 || n.is > 1000 {
			wrong(n.name, "", "%s must be a number from 1 to 1000", n.name)
		}
	}
	if len(s.Check) == 0 {
		for _, name := range []string{"check", "interval", "timeout", "failures", "passes", "user"} {
			if _, has := b.Body.Attributes[name]; has {
				wrong(name, `Write check = ["PROGRAM", "ARGUMENT"], or leave this out.`, "%s says how to check, and there is no check", name)
				break
			}
		}
	}
	return diags
}

// serviceMistakes returns what is wrong with the services as a whole.
func (c Config) serviceMistakes() (errs []error) {
	names, keys := map[string]bool{}, map[string]string{}
	for _, s := range c.Services {
		if names[s.Name] {
			errs = append(errs, fmt.Errorf("there are two services called %q", s.Name))
		}
		key := fmt.Sprintf("type %s and port %d", s.Type, s.Port)
		if first, taken := keys[key]; taken && !names[s.Name] {
			errs = append(errs, fmt.Errorf("services %q and %q both have %s", first, s.Name, key))
		}
		names[s.Name], keys[key] = true, cmp.Or(keys[key], s.Name)
	}
	if len(c.Services) > maxServices {
		errs = append(errs, fmt.Errorf("there are %d services: the limit is %d", len(c.Services), maxServices))
	}
	if _, tagged := c.Cluster.Tags[services.Tag]; tagged && len(c.Services) > 0 {
		errs = append(errs, fmt.Errorf("the tag %q is made from the service blocks: leave it out of tags", services.Tag))
	}
	if err := CheckCloud(c.CloudName()); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// DefaultCloud is the cloud of a node that is told of none and looks for none.
const DefaultCloud = "cloud"

// CloudName is CLOUD in the names HOST.CLOUD.local of services: what was set,
// or the name of the cluster that is looked for, where it can stand in one.
func (c Config) CloudName() string {
	if c.Cloud == "" && CheckCloud(c.Cluster.Discover) == nil {
		return c.Cluster.Discover
	}
	return cmp.Or(c.Cloud, DefaultCloud)
}

// CheckCloud says what is wrong with a cloud: it is a label of a host name
// (RFC 1123, 2.1).
func CheckCloud(cloud string) error {
	ok := cloud != "" && len(cloud) <= 63 && cloud[0] != '-' && cloud[len(cloud)-1] != '-'
	for _, r := range cloud {
		ok = ok && (r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if !ok {
		return fmt.Errorf("%q is no cloud: write letters, digits and hyphens, at most 63", cloud)
	}
	return nil
}
