package rpc

import (
	"encoding/binary"
	"math"
)

// What is sent by the thousand, members and events, is put into MessagePack
// by hand: https://github.com/msgpack/msgpack/blob/master/spec.md. The rest
// goes through the codec, which says the same.

// appendMap begins a map of n entries, each a key and a value.
func appendMap(b []byte, n int) []byte {
	return appendHead(b, 0x80, 0xde, n)
}

// appendArray begins an array of n values.
func appendArray(b []byte, n int) []byte {
	return appendHead(b, 0x90, 0xdc, n)
}

func appendHead(b []byte, short, long byte, n int) []byte {
	switch {
	case n < 16:
		return append(b, short|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, long), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, long+1), uint32(n))
}

func appendString(b []byte, s string) []byte {
	if n := len(s); n < 32 {
		b = append(b, 0xa0|byte(n))
	} else {
		b = appendLength(b, 0xd9, n)
	}
	return append(b, s...)
}

// appendBytes puts down bytes; none at all are nil, as Serf's agent has it.
func appendBytes(b, data []byte) []byte {
	if data == nil {
		return append(b, 0xc0)
	}
	return append(appendLength(b, 0xc4, len(data)), data...)
}

func appendLength(b []byte, kind byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(b, kind, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, kind+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, kind+2), uint32(n))
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), n)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

// appendTags puts down tags; their order does not matter to anybody.
func appendTags(b []byte, tags map[string]string) []byte {
	b = appendMap(b, len(tags))
	for k, v := range tags {
		b = appendString(appendString(b, k), v)
	}
	return b
}

// appendHeader puts down a responseHeader.
func appendHeader(b []byte, seq uint64, problem string) []byte {
	b = appendString(appendMap(b, 2), "Seq")
	b = appendString(appendUint(b, seq), "Error")
	return appendString(b, problem)
}
