//go:build !race

package actions

const raced = false
