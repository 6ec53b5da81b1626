package rules

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// crossCheck reports mistakes that only show across rules.
func (l *loader) crossCheck(set *Set) {
	names := map[string]hcl.Range{}
	destinations := map[string]*Template{}
	owner := map[*Template]string{}
	for _, r := range set.Rules {
		if first, ok := names[r.Name]; ok {
			l.report(Problem{Severity: Error, Rule: r.Name, Summary: fmt.Sprintf("rule \"%s\" is defined twice", printable(r.Name)),
				Detail: fmt.Sprintf("The first is at %s.", placeOf(first))}, r.nameAt)
		} else {
			names[r.Name] = r.nameAt
		}
		for _, t := range r.Templates {
			path, ok := t.constantDestination()
			if !ok {
				continue
			}
			owner[t] = r.Name
			first := destinations[path]
			if first == nil {
				destinations[path] = t
				continue
			}
			l.report(Problem{Severity: Error, Rule: r.Name, Summary: fmt.Sprintf("two templates write \"%s\"", printable(path)),
				Detail: fmt.Sprintf("The first is in rule \"%s\" at %s.", printable(owner[first]), placeOf(first.destination.at))}, t.destination.at)
		}
	}
	l.checkTests(set)
}

func (t *Template) constantDestination() (string, bool) {
	if t.destination == nil || !t.destination.constant() || t.destination.value.IsNull() {
		return "", false
	}
	return t.destination.value.AsString(), true
}

// checkStaged reports a check that asks for a staged file that the rule does
// not write, as far as the destinations are known beforehand.
func (b *block) checkStaged(r Render) {
	if r.Check == nil || r.Check.argv == nil {
		return
	}
	var paths []string
	for _, t := range r.Templates {
		path, ok := t.constantDestination()
		if !ok {
			return
		}
		paths = append(paths, path)
	}
	var mentioned []hcl.Traversal
	for _, e := range []*expr{r.Check.argv, r.Check.wrapper} {
		if e != nil {
			mentioned = append(mentioned, e.code.Variables()...)
		}
	}
	for _, t := range mentioned {
		if t.RootName() != "staged" || len(t) < 2 {
			continue
		}
		if path := stepName(t[1]); path != "" && !slices.Contains(paths, path) {
			b.problem(t.SourceRange(), fmt.Sprintf("this rule writes no \"%s\"%s", printable(path), didYouMean(path, paths)),
				"`staged` holds the rule's own files: "+and(paths)+".")
		}
	}
}
