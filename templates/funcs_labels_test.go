package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

// asTemplate is what promLabels does, as a template would write it.
const asTemplate = `{{range $m := .Members}}{{$labels := dict}}
{{- range $key, $value := .Tags}}
{{- if or (not (hasKey $.Vars "tags")) (has $key $.Vars.tags)}}
{{- $_ := set $labels (printf "serf_tag_%s" (regexReplaceAll "[^A-Za-z0-9_]" $key "_")) $value}}
{{- end}}
{{- end}}
{{- $_ := set $labels "serf_name" .Name}}
{{- range $key, $value := $.Vars.labels}}
{{- $_ := set $labels $key (toString $value)}}
{{- end}}{{$labels}}
{{end}}`

// The function gives the same bytes as the template, whatever tags and labels
// are called.
func TestPromLabels(t *testing.T) {
	slow, err := Parse(asTemplate, Options{Name: "slow", Format: JSON})
	if err != nil {
		t.Fatal(err)
	}
	quick, err := Parse("{{range $m := .Members}}{{promLabels $m $.Vars}}\n{{end}}", Options{Name: "quick", Format: JSON})
	if err != nil {
		t.Fatal(err)
	}
	key := rapid.OneOf(rapid.SampledFrom([]string{"role", "a-b", "a_b", "a.b", "ä", "\xff", "name", ""}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		m := someMembers(1)[0]
		m.Tags = rapid.MapOf(key, rapid.String()).Draw(t, "tags")
		vars := map[string]any{}
		if rapid.Bool().Draw(t, "some") {
			tags := []any{}
			for _, k := range rapid.SliceOf(key).Draw(t, "names") {
				tags = append(tags, k)
			}
			vars["tags"] = tags
		}
		if rapid.Bool().Draw(t, "labels") {
			vars["labels"] = map[string]any{
				key.Draw(t, "label"): rapid.OneOf(rapid.Just[any](7), rapid.Just[any](1.5), rapid.Just[any](true), rapid.Just[any]("x")).Draw(t, "value"),
				"serf_name":          "mine",
			}
		}
		data := Data{Members: []cluster.Member{m}, AllMembers: []cluster.Member{m}, Self: m, Vars: vars}
		want, wantErr := slow.Execute(data)
		got, gotErr := quick.Execute(data)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%v, but %v", wantErr, gotErr)
		}
		if diff := cmp.Diff(string(want.Bytes), string(got.Bytes)); diff != "" {
			t.Fatalf("promLabels (-want +got):\n%s", diff)
		}
		if len(want.Refused) != len(got.Refused) {
			t.Fatalf("refused %v, but %v", want.Refused, got.Refused)
		}
	})
}

// What is no list and no dictionary is said, not passed over.
func TestPromLabelsMistakes(t *testing.T) {
	tm, err := Parse("{{range $m := .Members}}{{promLabels $m $.Vars}}{{end}}", Options{Name: "x", Format: JSON})
	if err != nil {
		t.Fatal(err)
	}
	for _, vars := range []map[string]any{{"tags": "role"}, {"labels": []any{"x"}}} {
		r, err := tm.Execute(Data{Members: someMembers(1), Self: someMembers(1)[0], Vars: vars})
		if err == nil && len(r.Refused) == 0 {
			t.Errorf("%v: %q", vars, r.Bytes)
		}
	}
}
