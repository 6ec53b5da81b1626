package rpc

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"muster/cluster"
)

// How much longer than others a request may take: what Serf's agent itself
// waits for, at most.
const (
	joinPatience  = 10 * time.Second // for each address that does not answer
	leavePatience = 15 * time.Second // for the others to take note
	keyPatience   = 30 * time.Second // for the answers of a large cluster
)

// A Filter says which members are meant. Its values are regular expressions,
// each for the whole of what it is compared with; empty means any.
type Filter struct {
	Tags         map[string]string
	Status, Name string
}

// check reports the first expression that is none: Serf's own agent would
// close the connection without a word.
func (f Filter) check() error {
	for tag, e := range f.Tags {
		if _, err := regexp.Compile(e); err != nil {
			return fmt.Errorf("tag %s: %w", tag, err)
		}
	}
	if _, err := regexp.Compile(f.Status); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if _, err := regexp.Compile(f.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	return nil
}

// A Member is one as an agent lists it, unchecked: its name and tags may be
// anything. Addr is the zero Addr if the agent's is none.
type Member struct {
	cluster.Member
	cluster.Versions
}

// Members lists the members that f means, sorted by name.
func (c *Client) Members(ctx context.Context, f Filter) ([]Member, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("cannot list members: %w", err)
	}
	var answer membersResponse
	r := request{command: cmdMembers, kind: withBody, answer: &answer}
	if len(f.Tags) > 0 || f.Status != "" || f.Name != "" {
		r.command, r.body = cmdMembersFiltered, membersFilteredRequest(f)
	}
	if _, err := c.ask(ctx, r); err != nil {
		return nil, fmt.Errorf("cannot list members: %w", err)
	}
	return sortedMembers(answer.Members), nil
}

// Event sends a user event. With coalesce, an agent that hears several of
// this name in a short time tells its handlers only the latest.
func (c *Client) Event(ctx context.Context, name string, payload []byte, coalesce bool) error {
	return c.tell(ctx, fmt.Sprintf("send the event %q", name), request{
		command: cmdEvent, body: eventRequest{Name: name, Payload: payload, Coalesce: coalesce},
	})
}

// ForceLeave makes a failed member one that left. With prune it is forgotten
// altogether.
func (c *Client) ForceLeave(ctx context.Context, node string, prune bool) error {
	return c.tell(ctx, fmt.Sprintf("make %q leave", node), request{
		command: cmdForceLeave, body: forceLeaveRequest{Node: node, Prune: prune}, patience: leavePatience,
	})
}

// Join makes the agent join through the first addrs that answer and returns
// how many did; with an error, too. With replay it hears the user events of
// before.
func (c *Client) Join(ctx context.Context, addrs []string, replay bool) (int, error) {
	var answer joinResponse
	_, err := c.ask(ctx, request{
		command: cmdJoin, body: joinRequest{Existing: addrs, Replay: replay}, kind: bodyAfterAll, answer: &answer,
		patience: joinPatience * time.Duration(len(addrs)),
	})
	if err != nil {
		return int(answer.Num), fmt.Errorf("cannot join: %w", err)
	}
	return int(answer.Num), nil
}

// Leave makes the agent leave its cluster and end.
func (c *Client) Leave(ctx context.Context) error {
	return c.tell(ctx, "leave", request{command: cmdLeave, patience: leavePatience})
}

// SetTags sets tags of the agent's own and removes others.
func (c *Client) SetTags(ctx context.Context, set map[string]string, remove []string) error {
	return c.tell(ctx, "set tags", request{
		command: cmdTags, body: tagsRequest{Tags: set, DeleteTags: remove}, patience: leavePatience,
	})
}

// Stats returns figures about the agent, by section: what `serf info` prints.
func (c *Client) Stats(ctx context.Context) (map[string]map[string]string, error) {
	var answer map[string]map[string]string
	if _, err := c.ask(ctx, request{command: cmdStats, kind: withBody, answer: &answer}); err != nil {
		return nil, fmt.Errorf("cannot ask for figures: %w", err)
	}
	return answer, nil
}

// ErrNoCoordinate is returned for a member whose network coordinate the agent
// does not know.
var ErrNoCoordinate = errors.New("the agent knows no coordinate")

// Coordinate returns the network coordinate of a member.
func (c *Client) Coordinate(ctx context.Context, node string) (*cluster.Coordinate, error) {
	var answer coordinateResponse
	_, err := c.ask(ctx, request{
		command: cmdGetCoordinate, body: coordinateRequest{Node: node}, kind: withBody, answer: &answer,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the coordinate of %q: %w", node, err)
	}
	if !answer.Ok {
		return nil, fmt.Errorf("cannot ask for the coordinate of %q: %w", node, ErrNoCoordinate)
	}
	return &cluster.Coordinate{
		Vec: answer.Coord.Vec, Error: answer.Coord.Error,
		Adjustment: answer.Coord.Adjustment, Height: answer.Coord.Height,
	}, nil
}

// InstallKey gives every member another key to decrypt with. Where members
// did not take it, the report comes with an error.
func (c *Client) InstallKey(ctx context.Context, key string) (cluster.KeyReport, error) {
	return c.key(ctx, "install a key", cmdInstallKey, keyRequest{key})
}

// UseKey makes every member encrypt with a key that all have.
func (c *Client) UseKey(ctx context.Context, key string) (cluster.KeyReport, error) {
	return c.key(ctx, "use a key", cmdUseKey, keyRequest{key})
}

// RemoveKey takes a key that nobody encrypts with from every member.
func (c *Client) RemoveKey(ctx context.Context, key string) (cluster.KeyReport, error) {
	return c.key(ctx, "remove a key", cmdRemoveKey, keyRequest{key})
}

// ListKeys says which keys are in use, and on how many members.
func (c *Client) ListKeys(ctx context.Context) (cluster.KeyReport, error) {
	return c.key(ctx, "list keys", cmdListKeys, nil)
}

func (c *Client) key(ctx context.Context, verb, command string, body any) (cluster.KeyReport, error) {
	var answer keyResponse
	_, err := c.ask(ctx, request{command: command, body: body, kind: bodyAfterAll, answer: &answer, patience: keyPatience})
	report := cluster.KeyReport{
		Nodes: answer.NumNodes, Answered: answer.NumResp, Failed: answer.NumErr,
		Messages: answer.Messages, Keys: answer.Keys,
	}
	if err != nil {
		return report, fmt.Errorf("cannot %s: %w", verb, err)
	}
	return report, nil
}

// tell asks for something that has no answer but an error.
func (c *Client) tell(ctx context.Context, verb string, r request) error {
	if _, err := c.ask(ctx, r); err != nil {
		return fmt.Errorf("cannot %s: %w", verb, err)
	}
	return nil
}
