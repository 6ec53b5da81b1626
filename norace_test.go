//go:build !race

package muster_test

const raceEnabled = false
