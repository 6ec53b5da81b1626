package launch

import (
	"errors"
	"regexp"
	"strings"
)

// A Secret is a password for ansible-playbook, which reads it from a file.
type Secret struct {
	Flag   string // that names the file
	Prompt string // to ask a person for it
	Text   []byte
}

// Ansible runs without a terminal here, so that what would wait for an answer
// fails instead. The passwords it can ask for are asked for before, and given
// to it in files.
var (
	connection = Secret{Flag: "--connection-password-file", Prompt: "SSH password: "}
	become     = Secret{Flag: "--become-password-file", Prompt: "BECOME password: "}
	vault      = Secret{Flag: "--vault-password-file", Prompt: "Vault password: "}
)

var asks = map[string]Secret{
	"--ask-pass": connection, "-k": connection,
	"--ask-become-pass": become, "-K": become,
	"--ask-vault-pass": vault, "--ask-vault-password": vault, "-J": vault,
}

var (
	shorts = regexp.MustCompile(`^-[kKJ]{2,}$`)
	limits = regexp.MustCompile(`^(-l|--limi?t?(=|$))`) // Python takes beginnings, too
)

// ParseArgs takes out of the arguments for ansible-playbook those with which
// it would ask for passwords. The nodes are not theirs to choose.
func ParseArgs(args []string) (rest []string, secrets []Secret, err error) {
	seen := map[string]bool{}
	ask := func(s Secret) {
		if !seen[s.Flag] {
			seen[s.Flag] = true
			secrets = append(secrets, s)
		}
	}
	for _, arg := range args {
		secret, asked := asks[arg]
		switch {
		case limits.MatchString(arg):
			return nil, nil, errors.New("the nodes are for muster to pick: leave out --limit")
		case asked:
			ask(secret)
		case shorts.MatchString(arg):
			for letter := range strings.SplitSeq(arg[1:], "") {
				ask(asks["-"+letter])
			}
		default:
			rest = append(rest, arg)
		}
	}
	return rest, secrets, nil
}
