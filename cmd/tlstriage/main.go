// Command tlstriage says why TLS connections fail: it stands as a proxy in front of a failing service and names, for each
// connection, what the client offered, what the real load balancer's policy would have made of it, which leg failed, who
// must act, and what to change.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitClean    = 0
	exitFindings = 1 // findings at or above --fail-on
	exitUsage    = 2 // usage or configuration
	exitFailed   = 3 // the work could not be done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; after it the default action is back, so that a second one ends at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The longest line of an error that is printed, in bytes.
const maxErrorLine = 4096

// run is the whole program: tests call it as main does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitClean
	}
	var failure *exitError
	code := exitUsage // cobra's own errors are about the command line
	if errors.As(err, &failure) {
		code = failure.code
		err = failure.err
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				// Names of files and flags are in it, as they were typed or stand in a file: none may act on the terminal.
				fmt.Fprintln(stderr, "tlstriage: "+shown(line))
			}
		}
		if failure == nil {
			fmt.Fprintln(stderr, "Try 'tlstriage --help', or 'tlstriage COMMAND --help'.")
		}
	}
	return code
}

// exitError ends the program with a code. A nil err says nothing: the command has spoken already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage is an error in what the user asked for: flags, configuration, files of the configuration.
func usage(err error) error { return &exitError{code: exitUsage, err: err} }

// failed is an error of the work itself.
func failed(err error) error { return &exitError{code: exitFailed, err: err} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tlstriage",
		Short: "Say why TLS handshakes fail: which leg, whose fault, what to change",
		Long: `tlstriage stands in front of a failing TLS service and says, for every connection, what the client offered,
what the policy of the real load balancer would have made of it, what happened on the client leg and on the
separately validated backend leg, which of the two is at fault, and what to change.`,
		Example: `  tlstriage demo
  tlstriage proxy --listen 127.0.0.1:8443 --backend https://10.0.0.5:443 --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06
  tlstriage explain "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure"
  tlstriage policy show aws/ELBSecurityPolicy-2016-08`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newProxy(), newExplain(), newPolicy(), newCerts(), newPcap(), newReplay(), newRecording(), newCA(), newDemo(), newScan(), newWhy(), newVersion())
	return root
}
