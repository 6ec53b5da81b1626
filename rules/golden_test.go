package rules

import "testing"

// A golden file is known where `equals` is nothing but a file's text, and the
// text is that of the file byte for byte.
func TestGoldenFiles(t *testing.T) {
	const decomposed = "e\u0301\xff\n" // cty would compose the one and replace the other
	for _, c := range []struct{ equals, golden, text string }{
		{`file("golden/x.conf")`, "/rules/golden/x.conf", decomposed},
		{`"${file("golden/../golden/x.conf")}"`, "/rules/golden/x.conf", decomposed},
		{`(file("plain"))`, "", "plain"},
		{`trimspace(file("plain"))`, "", "plain"},
		{`"${file("plain")}, and more"`, "", "plain, and more"},
		{`"plain"`, "", "plain"},
	} {
		set, _, problems := loadFiles(map[string]string{
			"golden/x.conf": decomposed, "plain": "plain",
			"r.hcl":      "rule \"r\" {\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n}\n",
			"x.test.hcl": "test \"t\" {\n members = [{ name = \"n\" }]\n self = \"n\"\n expect \"r\" {\n file \"/x\" {\n equals = " + c.equals + "\n }\n }\n}\n",
		})
		if set == nil {
			t.Fatal(problems)
		}
		got := set.Tests[0].Expects[0].Files[0]
		if got.Golden != c.golden || got.Equals == nil || *got.Equals != c.text {
			t.Errorf("equals = %s: the golden file is %q, the text %q", c.equals, got.Golden, *got.Equals)
		}
	}
	set, _, problems := loadFiles(map[string]string{
		"golden":          "x",
		"r.hcl":           "rule \"r\" {\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n}\n",
		"x.test.hcl.json": `{"test": {"t": {"members": [{"name": "n"}], "self": "n", "expect": {"r": {"file": {"/x": {"equals": "${file(\"golden\")}"}}}}}}}`,
	})
	if set == nil {
		t.Fatal(problems)
	}
	if got := set.Tests[0].Expects[0].Files[0].Golden; got != "/rules/golden" {
		t.Errorf("in JSON the golden file is %q", got)
	}
}
