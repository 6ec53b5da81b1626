//go:build race

package actions

const raced = true
