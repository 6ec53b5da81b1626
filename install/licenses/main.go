// Command licenses writes the licences of all that is linked into muster: each
// module with its version, its licence and where its source form is, then the
// texts that these licences ask to be passed on, identical ones once.
//
//	go run ./install/licenses >cmd/muster/licenses.txt
//
// It reads the module cache and asks no network. It prints nothing and exits
// with 1 when a module has no licence that it knows.
package main

import (
	"bytes"
	"fmt"
	"os"
)

func main() {
	modules, err := linked("./cmd/muster")
	var out bytes.Buffer
	if err == nil {
		err = write(&out, modules)
	}
	if err == nil {
		_, err = out.WriteTo(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot gather the licences:", err)
		os.Exit(1)
	}
}
