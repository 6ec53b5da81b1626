//go:build race

package muster_test

const raceEnabled = true
