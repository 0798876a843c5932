package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the build (-ldflags -X main.version=…); else the module's version is used.
var version string

// buildInfo is what is known of this build.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() buildInfo {
	b := buildInfo{Version: version, Revision: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	if ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  tlstriage version\n  tlstriage version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			return write(cmd, output, b, func() string {
				return fmt.Sprintf("tlstriage %s (revision %s, %s, %s)\n", b.Version, b.Revision, b.Go, b.Platform)
			})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// outputFlag is -o for the commands that print one answer.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "print `text` or json")
}

// write prints an answer in the form that was asked for.
func write(cmd *cobra.Command, output string, value any, text func() string) error {
	switch output {
	case "text":
		_, err := fmt.Fprint(cmd.OutOrStdout(), text())
		return err
	case "json":
		return writeLine(cmd.OutOrStdout(), value)
	}
	return usage(fmt.Errorf("--output: %q is neither text nor json", output))
}

// writeLine writes a value as one line of JSON.
func writeLine(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
