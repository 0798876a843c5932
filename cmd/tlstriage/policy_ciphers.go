package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// cipherList is what a cipher string means, as `policy ciphers` prints it.
type cipherList struct {
	Ciphers       []string `json:"ciphers"` // OpenSSL's names, in order
	TLS13         []string `json:"tls13"`
	SecurityLevel int      `json:"security_level"`
	Error         string   `json:"error,omitempty"`
}

func newPolicyCiphers() *cobra.Command {
	var output, version, suites, level string
	cmd := &cobra.Command{
		Use:   "ciphers STRING",
		Short: "Expand an OpenSSL cipher string as OpenSSL would",
		Long: `Prints the suites that a cipher string enables, in order: what ssl_ciphers of nginx, ssl-default-bind-ciphers of HAProxy and
SSLCipherSuite of Apache take. The result is that of ` + "`openssl ciphers`" + ` of the version asked for.`,
		Example: `  tlstriage policy ciphers 'HIGH:!aNULL:!MD5'
  tlstriage policy ciphers 'ECDHE+AESGCM:@SECLEVEL=2' -o json
  tlstriage policy ciphers DEFAULT --openssl 1.1.1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := openssl.Options{Version: version, TLS13Suites: suites}
			if cmd.Flags().Changed("security-level") {
				n := strings.Index("012345", level)
				if len(level) != 1 || n < 0 {
					return usage(fmt.Errorf("--security-level: %q is none of OpenSSL's levels, 0 to 5", level))
				}
				o.SecurityLevel = &n
			}
			e, err := openssl.Ciphers(args[0], o)
			list := cipherList{Ciphers: []string{}, TLS13: []string{}}
			if err == nil {
				list.SecurityLevel = e.SecurityLevel
				for _, c := range e.Ciphers {
					list.Ciphers = append(list.Ciphers, openssl.Name(c))
				}
				if cmd.Flags().Changed("ciphersuites") && suites == "" {
					e.TLS13 = nil // stated, and none
				}
				for _, c := range e.TLS13 {
					list.TLS13 = append(list.TLS13, openssl.Name(c))
				}
			} else {
				list.Error = err.Error()
				if output == "text" {
					return usage(err)
				}
			}
			if err := write(cmd, output, list, list.text); err != nil {
				return err
			}
			if list.Error != "" {
				return &exitError{code: exitUsage}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&version, "openssl", "", "`VERSION` of OpenSSL whose rules and defaults hold: 3.0 (default), 1.1.1, …")
	cmd.Flags().StringVar(&suites, "ciphersuites", "", "TLS 1.3 suites (`LIST`) instead of the default three")
	cmd.Flags().StringVar(&level, "security-level", "", "security `LEVEL` (0 to 5) before the string is read; default: 2, which Debian and Ubuntu build in (other builds of releases before 3.2 have 1)")
	outputFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

func (l cipherList) text() string {
	var b strings.Builder
	for _, c := range l.TLS13 {
		fmt.Fprintf(&b, "%s\tTLSv1.3\n", c)
	}
	for _, c := range l.Ciphers {
		b.WriteString(c + "\n")
	}
	return b.String()
}
