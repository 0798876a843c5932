package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func newExplain() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain TEXT...",
		Short: "Say what a finding, an alert or an error message means, and where to look",
		Long: `Takes the id of a finding, the name or number of a TLS alert, or an error message as a program printed it (OpenSSL, Go, Java,
Firefox, Chrome, curl, Schannel, GnuTLS, Python, Node.js, nginx, HAProxy, Envoy, or an HTTP status of a load balancer), and says
what it means, which side speaks, what may be the cause, and what to look at next.`,
		Example: `  tlstriage explain chain-missing-intermediate
  tlstriage explain handshake_failure
  tlstriage explain "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure"
  tlstriage explain SSL_ERROR_RX_RECORD_TOO_LONG
  tlstriage explain HTTP 526`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			explanations := diagnose.Explain(text)
			if len(explanations) == 0 {
				return failed(fmt.Errorf("explain: %q is not known", text))
			}
			return write(cmd, output, explanations, func() string { return explanationText(explanations) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
