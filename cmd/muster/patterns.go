package main

import (
	"fmt"
	"regexp"
	"strings"
)

// pattern is a regular expression that a flag was given, made safe to be
// anchored: Serf's agent puts ^ before it and $ behind it, which of `a|b`
// would make "begins with a, or ends in b".
func pattern(flag, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if _, err := regexp.Compile(text); err != nil {
		return "", fmt.Errorf("cannot use %s %q: it is no regular expression: %s", flag, text, regexpReason(err))
	}
	if strings.Contains(text, "|") {
		return "(?:" + text + ")", nil
	}
	return text, nil
}

// tagPatterns reads KEY=REGEXP pairs.
func tagPatterns(pairs []string) (map[string]string, error) {
	tags, err := tagPairs("--tag", pairs)
	if err != nil {
		return nil, err
	}
	for key, text := range tags {
		if tags[key], err = pattern("--tag "+key+"=", text); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// tagPairs reads KEY=VALUE pairs. The last one of a key counts.
func tagPairs(flag string, pairs []string) (map[string]string, error) {
	tags := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("cannot use %s %q: write KEY=VALUE", flag, pair)
		}
		tags[key] = value
	}
	return tags, nil
}

// regexpReason is why a text is no regular expression.
func regexpReason(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}
