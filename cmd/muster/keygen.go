package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"muster/signing"
)

func (a *app) keygenCommand() *cobra.Command {
	var file, name string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key, to encrypt the gossip or to sign events",
		Long: `Make a key for the gossip: 32 random bytes in base64, for --encrypt or
encrypt_key of every node.

With --signing, make a key that signs events: the private one is written to a
new file for 'muster event --sign', and the line printed is the public one, for
the trusted_keys of the nodes that are to believe it.`,
		Example: `  muster keygen
  muster keygen --signing deploy.key --name ops >>trusted.pub`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				if name != "" {
					return usage(cmd, errors.New("--name is for --signing FILE: a key of the gossip has no name"))
				}
				return a.gossipKey()
			}
			return a.signingKey(file, name)
		},
	}
	cmd.Flags().StringVar(&file, "signing", "", "make a key that signs events, and write it to the new `FILE`")
	cmd.Flags().StringVar(&name, "name", "", "with --signing, `NAME` of who signs (default FILE's, less its extension)")
	a.printsFormats(cmd)
	return cmd
}

// gossipKey prints a new key.
func (a *app) gossipKey() error {
	var key [32]byte
	rand.Read(key[:]) // never fails
	text := base64.StdEncoding.EncodeToString(key[:])
	return a.print(map[string]string{"key": text}, text)
}

// signingKey writes a new private key and prints the public one.
func (a *app) signingKey(file, name string) error {
	if name == "" {
		base := filepath.Base(file)
		name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	key, err := signing.Generate(name)
	if err != nil {
		return err
	}
	if err := key.Write(file); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "wrote the private key to %s\n", file)
	return a.print(map[string]string{"file": file, "name": name, "id": key.ID(), "public": key.Public()}, key.Public())
}
