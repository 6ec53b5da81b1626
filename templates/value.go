package templates

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"

	"muster/cluster"
)

// A kind is what a value is to the formats.
type kind uint8

const (
	isText kind = iota
	isNumber
	isBool
	isNull
	isAddr
	isRaw
	isJSON
	isQuoted
	isBad   // not printed anywhere: a notText
	isOther // lists, dictionaries, members
)

// A value is something to print.
type value struct {
	kind  kind
	text  string     // except for isAddr and isOther
	addr  netip.Addr // of isAddr
	quote byte       // of isQuoted
	why   string     // of isBad
	other any        // of isOther
}

var (
	typeRaw    = reflect.TypeFor[rawText]()
	typeJSON   = reflect.TypeFor[jsonText]()
	typeQuoted = reflect.TypeFor[quotedText]()
	typeBad    = reflect.TypeFor[notText]()
	typeAddr   = reflect.TypeFor[netip.Addr]()
)

// valueOf says what v is to the formats.
func valueOf(v reflect.Value) value {
	whole := v
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return value{kind: isNull}
	}
	switch v.Kind() {
	case reflect.String:
		switch v.Type() {
		case typeRaw:
			return value{kind: isRaw, text: v.String()}
		case typeJSON:
			return value{kind: isJSON, text: v.String()}
		}
		return value{kind: isText, text: v.String()}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return value{kind: isNumber, text: strconv.FormatInt(v.Int(), 10)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return value{kind: isNumber, text: strconv.FormatUint(v.Uint(), 10)}
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return value{kind: isText, text: number(f)}
		}
		return value{kind: isNumber, text: number(v.Float())}
	case reflect.Bool:
		return value{kind: isBool, text: strconv.FormatBool(v.Bool())}
	case reflect.Struct:
		switch v.Type() {
		case typeAddr:
			return value{kind: isAddr, addr: addrOf(v)}
		case typeQuoted:
			q := v.Interface().(quotedText)
			return value{kind: isQuoted, text: q.text, quote: q.quote}
		case typeBad:
			bad := v.Interface().(notText)
			return value{kind: isBad, text: bad.text, why: bad.reason}
		}
	}
	if s, ok := whole.Interface().(fmt.Stringer); ok { // a prefix, a version
		return value{kind: isText, text: s.String()}
	}
	return value{kind: isOther, other: v.Interface()}
}

// valueOfAny is valueOf, for what is mostly text or a number.
func valueOfAny(v any) value {
	switch v := v.(type) {
	case string:
		return value{text: v}
	case int:
		return value{kind: isNumber, text: strconv.Itoa(v)}
	case netip.Addr:
		return value{kind: isAddr, addr: v}
	}
	return valueOf(reflect.ValueOf(v))
}

// addrOf returns the address that v is; without allocating, where it can.
func addrOf(v reflect.Value) netip.Addr {
	if v.CanAddr() {
		return *v.Addr().Interface().(*netip.Addr)
	}
	return v.Interface().(netip.Addr)
}

// number prints f the way people write numbers: 8080, 0.5, 1e+21.
func number(f float64) string {
	if math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// plainText returns the text of a value that is one; not of lists and the like.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case cluster.Status:
		return string(v), true
	case rawText:
		return string(v), true
	case jsonText:
		return string(v), true
	case nil:
		return "", true
	case *cluster.Member, cluster.Member:
		return "", false
	case fmt.Stringer:
		return v.String(), true
	case error:
		return v.Error(), true
	}
	switch val := valueOf(reflect.ValueOf(v)); val.kind {
	case isAddr:
		return val.addr.String(), true
	case isOther:
		return "", false
	default: // what a notText is made of comes back: between again
		return val.text, true
	}
}

// kindOf names what v is, for messages.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nil value"
	case cluster.Member, *cluster.Member:
		return "member"
	case []cluster.Member:
		return "list of members"
	case Service, *Service:
		return "service"
	case []Service:
		return "list of services"
	case root, *root:
		return "template's data"
	}
	switch reflect.TypeOf(v).Kind() {
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Map:
		return "dictionary"
	}
	return fmt.Sprintf("%T", v)
}
