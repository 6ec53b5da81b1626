package templates

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"muster/cluster"
	"muster/services"
)

// An Offer is a service that a live member publishes.
type Offer struct {
	Member cluster.Member
	services.Service
}

// A Service is an offer as templates see it.
type Service struct {
	Type, Description, Host string
	IP                      any // an address, or a notText
	Port, Device, Text      string
	Member                  *cluster.Member
}

// Format keeps printf from looking inside, where a pointer is.
func (s Service) Format(f fmt.State, _ rune) { fmt.Fprint(f, kindOf(s)) }

var (
	typeService   = reflect.TypeFor[Service]()
	serviceFields = []string{"Type", "Description", "Host", "IP", "Port", "Device", "Text", "Member"}
)

// serviceOf is o with its own address, or the member's if it names none. What
// is no address is nobody's: to print it is refused.
func serviceOf(o *Offer) Service {
	s := Service{o.Type, o.Description, o.Host, o.Member.Addr, o.Port, o.Device, o.Text, &o.Member}
	if o.IP != "" {
		addr, err := netip.ParseAddr(o.IP)
		if s.IP = addr; err != nil {
			s.IP = notText{o.IP, "it is no IP address"}
		}
	}
	return s
}

// services is the function of this name: the services of a type, or of any if
// it is empty, by member, type and port.
func (r *run) services(typ string) ([]Service, error) {
	offers, known := r.offered[typ]
	if !known {
		if r.data.Services == nil {
			return nil, fmt.Errorf("nothing is known here of what members offer")
		}
		r.t.spend(1 + len(r.data.AllMembers)/4)
		offers = r.data.Services(typ)
		r.offered[typ] = offers
	}
	r.t.spend(1 + len(offers))
	list := make([]Service, 0, len(offers))
	for i := range offers {
		if name := offers[i].Member.Name; r.only != nil && r.only.Name != name || r.excluded[name] {
			continue
		}
		list = append(list, serviceOf(&offers[i]))
	}
	return list, nil
}

// ownerOf returns the member that v is or points to, or whose service it is.
func ownerOf(v reflect.Value) *cluster.Member {
	if m, ok := asMember(v); ok {
		return m
	}
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	if !v.IsValid() || v.Type() != typeService {
		return nil
	}
	s := v.Interface().(Service)
	return s.Member
}

// anyOffered reports whether f holds for a text of a service of m.
func (r *run) anyOffered(m *cluster.Member, f func(string) bool) bool {
	for _, offers := range r.offered {
		first, _ := slices.BinarySearchFunc(offers, m.Name, func(o Offer, name string) int { return strings.Compare(o.Member.Name, name) })
		for _, o := range offers[first:] {
			if o.Member.Name != m.Name {
				break
			}
			if slices.ContainsFunc([]string{o.Type, o.Description, o.Host, o.IP, o.Port, o.Device, o.Text}, f) {
				return true
			}
		}
	}
	return false
}

// dict is s as a dictionary, for JSON and TOML; its member by name.
func (s *Service) dict() map[string]any {
	return map[string]any{"type": s.Type, "description": s.Description, "host": s.Host, "ip": s.IP,
		"port": s.Port, "device": s.Device, "text": s.Text, "member": s.Member.Name}
}
