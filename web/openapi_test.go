package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/agent"
	"muster/cluster"
	"muster/drain"
	"muster/fleet"
	"muster/nodes"
	"muster/publisher"
	"muster/reconcile"
	"muster/rules"
	"muster/timeline"
)

// A document is what the tests need of an OpenAPI document.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]schema
		Responses map[string]response
	}
}

type operation struct {
	OperationID string
	Security    []map[string][]string
	Parameters  []struct{ Name, In string }
	RequestBody *struct{ Content content }
	Responses   map[string]response
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     content
}

type content map[string]struct{ Schema schema }

// A schema is the part of JSON Schema that the document uses.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Description          string
	Format               string
	Minimum              *float64
	Enum                 []string
	Items                *schema
	Properties           map[string]schema
	Required             []string
	AdditionalProperties *schema
}

func openDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openAPIDocument, &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || len(d.Paths) < 10 {
		t.Fatalf("version %q with %d paths", d.OpenAPI, len(d.Paths))
	}
	return d
}

// schema finds what s refers to.
func (d document) schema(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// invalid says what of v is not as s says; path is where v stands. It is strict:
// what the schema does not name may not be there.
func (d document) invalid(s schema, v any, path string) (bad []string) {
	s = d.schema(s)
	wrong := func(format string, args ...any) { bad = append(bad, path+": "+fmt.Sprintf(format, args...)) }
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			wrong("an object, not %s", s.Type)
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				wrong("no %q", name)
			}
		}
		for name, value := range v {
			if p, ok := s.Properties[name]; ok {
				bad = append(bad, d.invalid(p, value, path+"."+name)...)
			} else if s.AdditionalProperties != nil {
				bad = append(bad, d.invalid(*s.AdditionalProperties, value, path+"."+name)...)
			} else {
				wrong("%q is not in the document", name)
			}
		}
	case []any:
		if s.Type != "array" || s.Items == nil {
			wrong("a list, not %s", s.Type)
			return bad
		}
		for i, item := range v {
			bad = append(bad, d.invalid(*s.Items, item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case string:
		if s.Type != "string" {
			wrong("a string, not %s", s.Type)
		}
		if s.Enum != nil && !slices.Contains(s.Enum, v) {
			wrong("%q is none of %q", v, s.Enum)
		}
		if _, err := time.Parse(time.RFC3339, v); s.Format == "date-time" && err != nil {
			wrong("%q is no time", v)
		}
	case bool:
		if s.Type != "boolean" {
			wrong("a boolean, not %s", s.Type)
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || v != float64(int64(v))) {
			wrong("%v, not %s", v, s.Type)
		}
		if s.Minimum != nil && v < *s.Minimum {
			wrong("%v is less than %v", v, *s.Minimum)
		}
	default:
		wrong("%v, not %s", v, s.Type)
	}
	return bad
}

// Every route is in the document with the access it needs, and what is in the
// document is served.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	d := openDocument(t)
	got, want := map[string]string{}, map[string]string{}
	names := map[access]string{open: "", read: "readToken token", change: "token"}
	for _, r := range New(Config{}).routes(true) {
		want[r.method+" "+r.path] = names[r.access]
	}
	ids := map[string]bool{}
	for path, operations := range d.Paths {
		for method, op := range operations {
			var schemes []string
			for _, s := range op.Security {
				schemes = slices.AppendSeq(schemes, maps.Keys(s))
			}
			slices.Sort(schemes)
			got[strings.ToUpper(method)+" "+path] = strings.Join(schemes, " ")
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s has no id of its own", method, path)
			}
			ids[op.OperationID] = true
			var named []string
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				named = append(named, m[1])
			}
			for _, p := range op.Parameters {
				if p.In == "path" && !slices.Contains(named, p.Name) {
					t.Errorf("%s has no %s", path, p.Name)
				}
				named = slices.DeleteFunc(named, func(n string) bool { return n == p.Name })
			}
			if len(named) > 0 {
				t.Errorf("%s does not describe %v", path, named)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes and the tokens they need (-served +documented):\n%s", diff)
	}
}

// Every route is told of in the tables of docs/api-http.md, with the access that
// it needs.
func TestRoutesAreInTheManual(t *testing.T) {
	text, err := os.ReadFile("../docs/api-http.md")
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	words := map[access]string{open: "nothing", read: "reading", change: "the token"}
	for _, r := range New(Config{}).routes(true) {
		want[r.method+" "+r.path] = words[r.access]
	}
	// As in: | `PUT`, `DELETE /v1/drain?a=b` | the token |
	call := regexp.MustCompile("`((?:GET|POST|PUT|DELETE)[^`]*)`")
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (nothing|reading|the token) \|`).FindAllStringSubmatch(string(text), -1) {
		var methods []string // of which the path follows
		for _, m := range call.FindAllStringSubmatch(row[1], -1) {
			method, path, named := strings.Cut(m[1], " ")
			if methods = append(methods, method); !named {
				continue
			}
			path, _, _ = strings.Cut(path, "?")
			for _, method := range methods {
				got[method+" "+path] = row[2]
			}
			methods = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes and who may use them (-served +documented):\n%s", diff)
	}
}

// The schemas are those of the values that are served: no field more or less.
func TestOpenAPIHasTheFields(t *testing.T) {
	d := openDocument(t)
	seen := map[string]bool{}
	var compare func(t reflect.Type, s schema, path string) []string
	compare = func(typ reflect.Type, s schema, path string) (bad []string) {
		name, unresolved := s.Ref, s
		s = d.schema(s)
		want := "object"
		switch typ.Kind() {
		case reflect.Pointer:
			return compare(typ.Elem(), unresolved, path)
		case reflect.Slice:
			if s.Items == nil {
				return []string{path + ": no items"}
			}
			bad, want = compare(typ.Elem(), *s.Items, path+"[]"), "array"
		case reflect.Map:
			if s.AdditionalProperties == nil {
				return []string{path + ": no additionalProperties"}
			}
			bad = compare(typ.Elem(), *s.AdditionalProperties, path+".*")
		case reflect.String:
			want = "string"
		case reflect.Bool:
			want = "boolean"
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() || typ == reflect.TypeFor[netip.Addr]() {
				want = "string"
				break
			}
			if seen[name] && name != "" {
				return nil
			}
			seen[name] = true
			fields, required := map[string]reflect.Type{}, []string{}
			collect(typ, fields, &required)
			for field, ft := range fields {
				if p, ok := s.Properties[field]; ok {
					bad = append(bad, compare(ft, p, path+"."+field)...)
				} else {
					bad = append(bad, path+"."+field+" is not documented")
				}
			}
			for field := range s.Properties {
				if fields[field] == nil {
					bad = append(bad, path+"."+field+" is documented, and not there")
				}
			}
			slices.Sort(required)
			if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
				bad = append(bad, fmt.Sprintf("%s: always there are %q, documented %q", path, required, got))
			}
		case reflect.Float64:
			want = "number"
		default:
			want = "integer"
		}
		if s.Type != want {
			bad = append(bad, fmt.Sprintf("%s is documented as %s, not %s", path, s.Type, want))
		}
		return bad
	}
	for name, v := range map[string]any{
		"Status": agent.Status{}, "Member": cluster.Member{}, "MemberExplanation": agent.MemberExplanation{}, "RuleStatus": agent.RuleStatus{},
		"RuleExplanation": agent.RuleExplanation{}, "File": File{}, "RulePlan": agent.RulePlan{}, "Problem": rules.Problem{},
		"ApplyRequest": ApplyRequest{}, "EventRequest": EventRequest{}, "Failure": Failure{}, "Health": Health{},
		"NodesReport": nodes.Report{}, "FoundService": publisher.Found{}, "MetaData": MetaData{},
		"AlivePeers": AlivePeers{}, "Monitoring": Monitoring{}, "WorkingNodes": WorkingNodes{}, "ServiceList": ServiceList{},
		"FleetReport": fleet.Report{}, "DrainState": drain.State{}, "Entry": timeline.Entry{}, "Change": reconcile.Change{},
	} {
		for _, bad := range compare(reflect.TypeOf(v), schema{Ref: "#/components/schemas/" + name}, name) {
			t.Error(bad)
		}
	}
	for name, s := range d.Components.Schemas {
		if !seen["#/components/schemas/"+name] {
			t.Errorf("nothing is a %s", name)
		}
		if s.Description == "" {
			t.Errorf("%s is not described", name)
		}
	}
}

// collect lists the fields of a struct as JSON has them, and those that are
// always there.
func collect(typ reflect.Type, fields map[string]reflect.Type, required *[]string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			collect(f.Type, fields, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
		if options == "" {
			*required = append(*required, name)
		}
	}
}

// What a real agent answers is what the document says, good or bad.
func TestAnswersAreAsDocumented(t *testing.T) {
	d := openDocument(t)
	url := serveAPI(t, newConfig(t))
	asked := map[string]bool{}
	request := func(method, template, path, body string, want int) string {
		t.Helper()
		status, header, text := ask(t, method, url+path, body, bear(token))
		if status != want {
			t.Errorf("%s %s: %d %s", method, path, status, text)
		}
		op, ok := d.Paths[template][strings.ToLower(method)]
		if !ok {
			t.Fatalf("%s %s is not documented", method, template)
		}
		asked[method+" "+template] = true
		r, ok := op.Responses[fmt.Sprint(status)]
		if !ok {
			t.Fatalf("%s %s: %d is not documented", method, path, status)
		}
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			r = d.Components.Responses[name]
		}
		kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
		c, ok := r.Content[kind]
		if !ok {
			t.Fatalf("%s %s: content type %q is not documented", method, path, kind)
		}
		if kind != "application/json" || template == "/v1/openapi.json" {
			return text
		}
		for _, bad := range d.invalid(c.Schema, decoded(t, text), path) {
			t.Errorf("%s: %s", path, bad)
		}
		return text
	}
	get := func(template, path string, want int) string {
		t.Helper()
		return request(http.MethodGet, template, path, "", want)
	}
	get("/healthz", "/healthz", 200)
	get("/readyz", "/readyz", 503) // rules have failed
	get("/metrics", "/metrics", 200)
	if text := get("/v1/openapi.json", "/v1/openapi.json", 200); text != string(openAPIDocument) {
		t.Error("the document is another one")
	}
	get("/v1/status", "/v1/status", 200)
	get("/v1/members", "/v1/members", 200)
	get("/v1/members/{member}/explain", "/v1/members/web1/explain", 200)
	get("/v1/members/{member}/explain", "/v1/members/nobody/explain", 404)
	if list := decoded(t, get("/v1/rules", "/v1/rules", 200)).([]any); len(list) != 6 {
		t.Errorf("%d rules", len(list))
	}
	for _, rule := range []string{"web", "secret", "held", "broken", "elsewhere", "deploy"} {
		get("/v1/rules/{rule}", "/v1/rules/"+rule, 200)
		get("/v1/rules/{rule}/explain", "/v1/rules/"+rule+"/explain", 200)
		get("/v1/rules/{rule}/change", "/v1/rules/"+rule+"/change", 200)
	}
	get("/v1/rules/{rule}", "/v1/rules/none", 404)
	get("/v1/rules/{rule}/explain", "/v1/rules/none/explain", 404)
	get("/v1/rules/{rule}/change", "/v1/rules/none/change", 404)
	if list := decoded(t, get("/v1/timeline", "/v1/timeline", 200)).([]any); len(list) < 4 {
		t.Errorf("%d entries", len(list))
	}
	if list := decoded(t, get("/v1/timeline", "/v1/timeline?after=2", 200)).([]any); list[0].(map[string]any)["id"] != 3.0 {
		t.Errorf("after 2 comes %v", list[0])
	}
	get("/v1/timeline", "/v1/timeline?after=-1", 400)
	if list := decoded(t, get("/v1/files", "/v1/files", 200)).([]any); len(list) < 3 {
		t.Errorf("%d files", len(list))
	}
	if list := decoded(t, get("/v1/plan", "/v1/plan", 200)).([]any); len(list) != 5 {
		t.Errorf("%d plans", len(list))
	}
	get("/v1/plan", "/v1/plan?rule=web&rule=broken", 200)
	get("/v1/plan", "/v1/plan?rule=none", 404)
	request("POST", "/v1/reload", "/v1/reload", "", 200)
	request("POST", "/v1/apply", "/v1/apply", `{"rules":["web","broken"]}`, 200)
	request("POST", "/v1/apply", "/v1/apply", `{"rules":["none"]}`, 404)
	request("POST", "/v1/apply", "/v1/apply", `{"rule":"web"}`, 400)
	request("POST", "/v1/events", "/v1/events", `{"name":"deploy","payload":"v2","keep_each":true}`, 200)
	request("POST", "/v1/events", "/v1/events", `{"name":"deploy"}{}`, 400)
	get("/v1/nodes", "/v1/nodes?wait=5s", 200)
	get("/v1/nodes", "/v1/nodes?wait=soon", 400)
	for query, want := range map[string]int{"": 2, "?type=web": 1, "?host=web1": 2, "?type=web&host=lb": 0} {
		if list := decoded(t, get("/v1/services", "/v1/services"+query, 200)).([]any); len(list) != want {
			t.Errorf("%s: %d services", query, len(list))
		}
	}
	get("/v1/fleet", "/v1/fleet?wait=1s&member=web1", 200)
	get("/v1/fleet", "/v1/fleet?wait=soon", 400)
	get("/v1/drain", "/v1/drain", 200)
	request("PUT", "/v1/drain", "/v1/drain", "", 200)
	request("DELETE", "/v1/drain", "/v1/drain", "", 200)
	get("/v1/meta-data", "/v1/meta-data", 200)
	get("/nodes/alive", "/nodes/alive", 200)
	get("/nodes/monitoring", "/nodes/monitoring", 200)
	get("/nodes/workingService/{service}", "/nodes/workingService/nginx", 200)
	get("/nodes/workingService/{service}", "/nodes/workingService/a%20b", 400)
	for method, template := range map[string]string{"DELETE": "/v1/meta-data/services/{service}", "PUT": "/v1/meta-data/services/{service}"} {
		request(method, template, strings.Replace(template, "{service}", "api", 1), "", 200)
		request(method, template, strings.Replace(template, "{service}", "a%20b", 1), "", 400)
	}
	for _, template := range []string{"/meta-data/add-service/{service}", "/meta-data/remove-service/{service}"} {
		request("PUT", template, strings.Replace(template, "{service}", "nginx", 1), "", 200)
		request("PUT", template, strings.Replace(template, "{service}", "a%20b", 1), "", 400)
	}
	for path, operations := range d.Paths {
		for method := range operations {
			if !asked[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s was not asked", method, path)
			}
		}
	}
}

// The validator finds what it is there for.
func TestInvalidAnswersAreFound(t *testing.T) {
	d := openDocument(t)
	health := schema{Ref: "#/components/schemas/Health"}
	for text, want := range map[string]string{
		`{"ok":true,"why":["a"]}`: "",
		`{"why":[]}`:              `no "ok"`,
		`{"ok":1}`:                "1, not boolean",
		`{"ok":true,"why":null}`:  "not array",
		`{"ok":true,"why":[1]}`:   "why[0]: 1, not string",
		`{"ok":true,"other":1}`:   `"other" is not in the document`,
		`[]`:                      "a list, not object",
	} {
		if got := strings.Join(d.invalid(health, decoded(t, text), "x"), "; "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q", text, got)
		}
	}
}
