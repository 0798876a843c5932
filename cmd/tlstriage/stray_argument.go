package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/configs"
)

// noArguments refuses arguments of a command that has none. Most often one is the value of a flag that may go without a value, and
// therefore has it behind a sign: the message says how that is written.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var without []string
	for _, s := range configs.Settings() {
		if s.NoValue != "" && cmd.Flags().Changed(s.Flag) {
			without = append(without, "--"+s.Flag)
		}
	}
	if len(without) == 0 {
		return fmt.Errorf("unexpected argument %q for %q", args[0], cmd.CommandPath())
	}
	return fmt.Errorf("unexpected argument %q for %q: the value of a flag that may go without one stands behind \"=\": %s=VALUE", args[0], cmd.CommandPath(), strings.Join(without, "=VALUE, "))
}
