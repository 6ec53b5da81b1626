package config

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// AutoName, as the name of a node, stands for one that this machine makes up:
// its host name and eight letters and digits, "raspberrypi-k3v7qa2m", which no
// clone of it shares and every start gives again.
const AutoName = "auto"

// errNoIdentity is why AutoName stayed what it is.
var errNoIdentity = errors.New("nothing tells this machine from its clones: /etc/machine-id is empty and the board has no serial number; " +
	"run systemd-machine-id-setup, or write a name into node_name")

// nameNode puts a name in the place of AutoName, out of what root, the file
// system, says of this machine. If that is nothing AutoName stays, which is a
// mistake.
func (c *Config) nameNode(root fs.FS) {
	id := identity(root)
	if c.Cluster.Name != AutoName || id == "" {
		return
	}
	host, _ := os.Hostname() // package cluster refuses a name without one
	host, _, _ = strings.Cut(host, ".")
	c.Cluster.Name = host + "-" + suffix(id)
}

// identity is what no other machine has: the machine-id (machine-id(5)), or
// the serial number that a board's firmware leaves in the device tree, as a
// Raspberry Pi's does. The machine-id comes first for it is there on every
// machine. It is empty on an image that was never started, and
// "uninitialized" while systemd starts it for the first time.
func identity(root fs.FS) string {
	for _, path := range []string{"etc/machine-id", "sys/firmware/devicetree/base/serial-number"} {
		text, _ := fs.ReadFile(root, path) // what cannot be read says nothing
		id := string(bytes.Trim(text, "\x00 \t\r\n"))
		if id != "" && id != "uninitialized" && strings.Trim(id, "0") != "" {
			return id
		}
	}
	return ""
}

// suffix is 40 bits of id, in base32 (RFC 4648, section 6) and lower case. Of a
// thousand machines two share one with a chance of one to two million. The
// machine-id itself is not for others to see: machine-id(5) asks for a keyed
// hash.
func suffix(id string) string {
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("muster node_name"))
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:5]))
}
