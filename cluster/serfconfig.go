package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// serfConfig maps c, whose defaults are spelled out, onto a fresh
// configuration: serf.Create consumes one. What an incarnation owns (tags,
// keyring, transport, delegates, event channel) is the caller's to add.
func (c Config) serfConfig() *serf.Config {
	conf := serf.DefaultConfig()
	conf.NodeName = c.Name
	conf.ProtocolVersion = uint8(c.Protocol)
	conf.BroadcastTimeout = c.BroadcastTimeout
	conf.LeavePropagateDelay = c.LeaveDelay
	conf.SnapshotPath = c.SnapshotPath
	conf.RejoinAfterLeave = c.RejoinAfterLeave
	conf.DisableCoordinates = c.DisableCoordinates
	conf.EnableNameConflictResolution = !c.DisableNameResolution
	// CoalescePeriod stays unset: Serf's coalescer loses and repeats edges.
	set(&conf.ReconnectInterval, c.ReconnectInterval)
	set(&conf.ReconnectTimeout, c.ReconnectTimeout)
	set(&conf.TombstoneTimeout, c.TombstoneTimeout)
	set(&conf.QuerySizeLimit, c.QuerySizeLimit)
	set(&conf.QueryResponseSizeLimit, c.QueryResponseSizeLimit)
	set(&conf.UserEventSizeLimit, c.UserEventSizeLimit)
	conf.LogOutput = nil

	m := memberlist.DefaultLANConfig()
	switch c.Profile {
	case "wan":
		m = memberlist.DefaultWANConfig()
	case "local":
		m = memberlist.DefaultLocalConfig()
		// It sends fewer copies of a message, so few that in a small cluster
		// one is lost now and then.
		m.RetransmitMult = memberlist.DefaultLANConfig().RetransmitMult
	}
	m.EnableCompression = !c.DisableCompression
	m.DeadNodeReclaimTime = c.Reclaim
	set(&m.ProbeInterval, c.ProbeInterval)
	set(&m.ProbeTimeout, c.ProbeTimeout)
	set(&m.GossipInterval, c.GossipInterval)
	set(&m.PushPullInterval, c.PushPullInterval)
	set(&m.TCPTimeout, c.StreamTimeout)
	// The transport is ours, so this is no address to bind to but the port
	// that memberlist puts in place of a 0: with 0 the door sees what came.
	m.BindPort = 0
	conf.MemberlistConfig = m
	return conf
}

// set overwrites *field unless value is zero.
func set[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// keyring reads the key or the keyring file; nil means no encryption.
func (c Config) keyring() (*memberlist.Keyring, error) {
	switch {
	case c.EncryptKey != "" && c.KeyringFile != "":
		return nil, errors.New("cannot use encrypt_key beside keyring_file: put the key into the keyring file")
	case c.EncryptKey != "":
		key, err := decodeKey(c.EncryptKey)
		if err != nil {
			return nil, fmt.Errorf("cannot use encrypt_key: %w", err)
		}
		return memberlist.NewKeyring(nil, key)
	case c.KeyringFile != "":
		return readKeyring(c.KeyringFile)
	}
	return nil, nil
}

// readKeyring reads Serf's keyring file: a JSON list of keys in base64, the
// primary first.
func readKeyring(path string) (*memberlist.Keyring, error) {
	data, err := os.ReadFile(latestKeyring(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read keyring_file %s: it does not exist; create it, mode 0600, as a JSON list of base64 keys", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read keyring_file: %w", err)
	}
	keys, err := parseKeyring(data, path)
	if err != nil {
		return nil, err
	}
	return memberlist.NewKeyring(keys, keys[0])
}

// parseKeyring returns the keys of the keyring file at path, at least one.
func parseKeyring(data []byte, path string) ([][]byte, error) {
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, fmt.Errorf("cannot read keyring_file %s: it is no JSON list of base64 keys", path)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("cannot read keyring_file %s: it holds no key", path)
	}
	keys := make([][]byte, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = decodeKey(text); err != nil {
			return nil, fmt.Errorf("cannot use key %d of keyring_file %s: %w", i+1, path, err)
		}
	}
	return keys, nil
}
