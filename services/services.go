// Package services is the tag `services`, in which a node says what it offers:
// a list of services as JSON, compressed by bzip2, in base64. It reads what
// others say within bounds, and changes what this node says.
//
// The format is that of the shell scripts that came before it, so that they
// and this package read each other. Who gossips the tag, and when, is left to
// the callers, as is the escaping of what comes out of it: every text is as
// hostile as any tag's.
package services

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tag is the name of the tag.
const Tag = "services"

// A Service is one thing that a node offers. The scripts write a description's
// spaces as _, and those of Text, which holds attributes, as &.
type Service struct {
	Type        string `json:"s"` // what it is: "web", "tincvpn"
	Description string `json:"d"`
	Host        string `json:"m"` // HOST.CLOUD.local
	IP          string `json:"i"` // empty: the member's address
	Port        string `json:"p"` // mostly a number
	Device      string `json:"e"` // network interface; empty: any
	Text        string `json:"t"` // attributes: "path=/&tls=1"
}

// Key is what tells the services of a node apart: type and port.
func (s Service) Key() string { return s.Type + ":" + s.Port }

// Compare orders services by type and port, and what is the same in both by
// the rest, so that any two lists of the same services look the same.
func Compare(a, b Service) int {
	return cmp.Or(strings.Compare(a.Type, b.Type), comparePorts(a.Port, b.Port), strings.Compare(a.Description, b.Description),
		strings.Compare(a.Host, b.Host), strings.Compare(a.IP, b.IP), strings.Compare(a.Device, b.Device), strings.Compare(a.Text, b.Text))
}

// comparePorts puts 80 before 443: numbers without leading zeros compare by
// their length first.
func comparePorts(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// New returns a service as the scripts write it: with _ for the description's
// spaces and & for the text's. The error says what a service cannot be like.
func New(s Service) (Service, error) {
	s.Description = strings.ReplaceAll(s.Description, " ", "_")
	s.Text = strings.ReplaceAll(s.Text, " ", "&")
	for _, part := range []struct{ name, text string }{
		{"type", s.Type}, {"description", s.Description}, {"host", s.Host}, {"address", s.IP}, {"port", s.Port}, {"device", s.Device}, {"text", s.Text},
	} {
		if bad := unfit(part.text); bad != "" {
			return s, fmt.Errorf("the %s %q has %s", part.name, part.text, bad)
		}
	}
	switch {
	case s.Type == "":
		return s, errors.New("a service needs a type")
	case s.IP != "" && !validIP(s.IP): // whoever renders it would leave the whole node out
		return s, fmt.Errorf("%q is no IP address: leave it empty for the node's own", s.IP)
	case s.Port == "":
		return s, errors.New("a service needs a port")
	case !validPort(s.Port):
		return s, fmt.Errorf("%q is no port: write a number from 1 to 65535, or a name that begins with a letter", s.Port)
	}
	return s, nil
}

// unfit says what in a text a service cannot have.
func unfit(text string) string {
	if !utf8.ValidString(text) {
		return "bytes that are not UTF-8"
	}
	for _, r := range text {
		if unicode.IsSpace(r) {
			return "a space in it"
		}
		if !unicode.IsPrint(r) {
			return "a character in it that cannot be printed"
		}
	}
	return ""
}

func validIP(ip string) bool {
	_, err := netip.ParseAddr(ip)
	return err == nil
}

func validPort(port string) bool {
	if port[0] < '0' || port[0] > '9' {
		return unicode.IsLetter(rune(port[0]))
	}
	n := 0
	for _, r := range port {
		if n = 10*n + int(r-'0'); r < '0' || r > '9' || n > 65535 {
			return false
		}
	}
	return n > 0 && port[0] != '0'
}

// Put returns list with s, in place of those of the same type and port.
func Put(list []Service, s Service) []Service {
	rest, _ := Remove(list, s.Type, s.Port)
	return append(rest, s)
}

// Remove returns list without those of a type and a port, and how many these
// were. An empty type or port is any.
func Remove(list []Service, typ, port string) (rest []Service, n int) {
	for _, s := range list {
		if (typ == "" || s.Type == typ) && (port == "" || s.Port == port) {
			n++
		} else {
			rest = append(rest, s)
		}
	}
	return rest, n
}

// Set makes list the services in tags, or takes the tag out with the last one.
func Set(tags map[string]string, list []Service) error {
	if len(list) == 0 {
		delete(tags, Tag)
		return nil
	}
	list = slices.Clone(list)
	slices.SortFunc(list, Compare)
	text, err := Encode(list)
	if err == nil {
		tags[Tag] = text
	}
	return err
}
