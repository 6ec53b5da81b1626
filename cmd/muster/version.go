package main

import (
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of a released binary, set when it is linked.
var release string

//go:embed licenses.txt
var licenses string

// version is the release, or what the Go toolchain knows of the source.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// versionLine is what `muster version` and --version print.
func versionLine() string {
	return fmt.Sprintf("muster %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (a *app) versionCommand() *cobra.Command {
	var showLicenses bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, or the licences of everything inside",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showLicenses {
				_, err := fmt.Fprint(a.out, licenses)
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{
					"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprint(a.out, versionLine())
			return err
		},
	}
	cmd.Flags().BoolVar(&showLicenses, "licenses", false, "print the licences of the libraries inside, and where their source is")
	a.printsJSON(cmd)
	return cmd
}
