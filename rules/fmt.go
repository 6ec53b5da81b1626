package rules

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Fmt returns src in the canonical layout: HCL as `terraform fmt` has it, JSON
// (a name that ends in .json) indented by two spaces, its keys in the order in
// which they stand. It refuses what does not parse, and more than 64 KiB.
func Fmt(src []byte, filename string) ([]byte, Problems) {
	if len(src) > maxRuleFile {
		return nil, Problems{{Severity: Error, File: filename, Summary: "a rule file has 64 KiB at most"}}
	}
	_, problems := ParseHCL(src, filename)
	if problems.HasErrors() {
		return nil, problems
	}
	if !strings.HasSuffix(filename, ".json") {
		return hclwrite.Format(src), nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(src), "", "  "); err != nil {
		return nil, Diagnose(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "not JSON: " + err.Error(),
			Subject: &hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}}}, map[string][]byte{filename: src})
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
