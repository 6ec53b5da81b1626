package rpc

import (
	"github.com/hashicorp/go-msgpack/v2/codec"
)

// version is the protocol's only one so far.
const version = 1

// The commands of the protocol.
const (
	cmdHandshake       = "handshake"
	cmdAuth            = "auth"
	cmdEvent           = "event"
	cmdForceLeave      = "force-leave"
	cmdJoin            = "join"
	cmdMembers         = "members"
	cmdMembersFiltered = "members-filtered"
	cmdTags            = "tags"
	cmdStream          = "stream"
	cmdMonitor         = "monitor"
	cmdStop            = "stop"
	cmdLeave           = "leave"
	cmdQuery           = "query"
	cmdRespond         = "respond"
	cmdInstallKey      = "install-key"
	cmdUseKey          = "use-key"
	cmdRemoveKey       = "remove-key"
	cmdListKeys        = "list-keys"
	cmdStats           = "stats"
	cmdGetCoordinate   = "get-coordinate"
)

// Errors as Serf's agent words them: clients compare some of them.
const (
	errUnsupportedCommand = "Unsupported command"
	errUnsupportedVersion = "Unsupported IPC version"
	errDuplicateHandshake = "Handshake already performed"
	errHandshakeRequired  = "Handshake required"
	errMonitorExists      = "Monitor already exists"
	errInvalidFilter      = "Invalid event filter"
	errStreamExists       = "Stream with given sequence exists"
	errInvalidQueryID     = "No pending queries matching ID"
	errAuthRequired       = "Authentication required"
	errInvalidAuthToken   = "Invalid authentication token"
	errUnknownLevel       = "Unknown log level: "
)

// The types of a queryRecord.
const (
	recordAck      = "ack"
	recordResponse = "response"
	recordDone     = "done"
)

// Limits of what the server takes from a client. A frame is one MessagePack
// value: a header or a body.
const (
	maxFrame      = 64 << 10 // bytes of a frame
	maxEarlyFrame = 1 << 10  // bytes of a frame before the client is known
	maxDepth      = 8        // maps and arrays within each other
	maxElements   = 16 << 10 // values in a frame
)

// A requestHeader stands before every request's body, if that has one.
type requestHeader struct {
	Command string
	Seq     uint64
}

// A responseHeader stands before every answer and every record of a stream.
// After an errAuthRequired no body follows, whatever was asked.
type responseHeader struct {
	Seq   uint64
	Error string
}

type handshakeRequest struct {
	Version int32
}

type authRequest struct {
	AuthKey string
}

type eventRequest struct {
	Name     string
	Payload  []byte
	Coalesce bool
}

type forceLeaveRequest struct {
	Node  string
	Prune bool
}

type joinRequest struct {
	Existing []string
	Replay   bool
}

type joinResponse struct {
	Num int32
}

type membersFilteredRequest struct {
	Tags   map[string]string
	Status string
	Name   string
}

type membersResponse struct {
	Members []wireMember
}

// A wireMember is a member; Addr has 4 or 16 bytes.
type wireMember struct {
	Name        string
	Addr        []byte
	Port        uint16
	Tags        map[string]string
	Status      string
	ProtocolMin uint8
	ProtocolMax uint8
	ProtocolCur uint8
	DelegateMin uint8
	DelegateMax uint8
	DelegateCur uint8
}

type tagsRequest struct {
	Tags       map[string]string
	DeleteTags []string
}

type streamRequest struct {
	Type string
}

type monitorRequest struct {
	LogLevel string
}

type stopRequest struct {
	Stop uint64
}

type queryRequest struct {
	FilterNodes []string
	FilterTags  map[string]string
	RequestAck  bool
	RelayFactor uint8
	Timeout     int64 // nanoseconds; 0: Serf's default
	Name        string
	Payload     []byte
}

type respondRequest struct {
	ID      uint64
	Payload []byte
}

type keyRequest struct {
	Key string
}

// A keyResponse answers the four commands about keys; Keys is of list-keys.
// It follows its header even after an error.
type keyResponse struct {
	Messages map[string]string
	Keys     map[string]int
	NumNodes int
	NumErr   int
	NumResp  int
}

type coordinateRequest struct {
	Node string
}

type coordinateResponse struct {
	Coord wireCoordinate
	Ok    bool
}

type wireCoordinate struct {
	Vec        []float64
	Error      float64
	Adjustment float64
	Height     float64
}

// The records of a stream. Which of them it is, Event says: a client reads an
// eventRecord, which has the fields of all.
type memberEventRecord struct {
	Event   string
	Members []wireMember
}

type userEventRecord struct {
	Event    string
	LTime    uint64
	Name     string
	Payload  []byte
	Coalesce bool
}

type eventRecord struct {
	Event    string
	ID       uint64 // of a query, on this connection
	LTime    uint64
	Name     string
	Payload  []byte
	Coalesce bool
	Members  []wireMember
}

// A queryRecord is one ack or response to a query, or says that it is done.
type queryRecord struct {
	Type    string
	From    string
	Payload []byte
}

type logRecord struct {
	Log string
}

// newHandle returns how Serf's agent and client write MessagePack: structs as
// maps, texts and bytes told apart.
func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.TimeNotBuiltin = true
	return h
}
