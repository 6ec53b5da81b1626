package cluster

import "context"

// A KeyReport is what the members said to a change or a listing of keys.
type KeyReport struct {
	Nodes    int               // members asked
	Answered int               // of them
	Failed   int               // of those that answered
	Messages map[string]string // by member: what went wrong, or what to know
	Keys     map[string]int    // base64 key: how many members hold it
	Primary  map[string]int    // base64 key: how many members encrypt with it
}

// InstallKey makes all members accept key, 16, 24 or 32 bytes in base64.
func (n *Node) InstallKey(ctx context.Context, key string) (KeyReport, error) {
	return KeyReport{}, nil
}

// UseKey makes all members encrypt with key.
func (n *Node) UseKey(ctx context.Context, key string) (KeyReport, error) { return KeyReport{}, nil }

// RemoveKey makes all members forget key.
func (n *Node) RemoveKey(ctx context.Context, key string) (KeyReport, error) { return KeyReport{}, nil }

// ListKeys asks all members for their keys.
func (n *Node) ListKeys(ctx context.Context) (KeyReport, error) { return KeyReport{}, nil }
