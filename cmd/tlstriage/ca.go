package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/configs"
)

func newCA() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Create, show and export the local authority that mints the proxy's certificates",
		Long: `The proxy serves a certificate minted on the spot for each server name, signed by a local authority. Clients must trust
that authority: import the certificate that 'ca export' prints, on test machines only. Its key stays in its directory, readable by
you alone.`,
		Example: `  tlstriage ca init
  tlstriage ca export > tlstriage-ca.pem
  curl --cacert tlstriage-ca.pem https://localhost:8443/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCAInit(), newCAShow(), newCAExport(), newCATrust())
	return cmd
}

// caDirFlag is --ca-dir of the ca commands.
func caDirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "ca-dir", "", "`DIR` of the local authority (default: "+defaultCADirHint+")")
}

const defaultCADirHint = "tlstriage/ca in the user's configuration directory"

// caDir is the directory that was asked for, else the user's.
func caDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(configs.EnvPrefix + "CA_DIR")
	}
	if dir != "" {
		return dir, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("ca: no directory for the local authority: %w; give one with --ca-dir", err)
	}
	return filepath.Join(base, "tlstriage", "ca"), nil
}

func newCAInit() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "init",
		Example: "  tlstriage ca init\n  tlstriage ca init --ca-dir ./ca",
		Short:   "Create the local authority, unless it exists",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := caDir(dir)
			if err != nil {
				return usage(err)
			}
			authority, _, err := certs.OpenAuthority(path, certs.AuthorityOptions{})
			if err != nil {
				return failed(err)
			}
			return showAuthority(cmd, authority, path, output)
		},
	}
	caDirFlag(cmd, &dir)
	outputFlag(cmd, &output)
	return cmd
}

func newCAShow() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "show",
		Example: "  tlstriage ca show\n  tlstriage ca show -o json",
		Short:   "Show the local authority's certificate",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			authority, path, err := existingAuthority(dir)
			if err != nil {
				return err
			}
			return showAuthority(cmd, authority, path, output)
		},
	}
	caDirFlag(cmd, &dir)
	outputFlag(cmd, &output)
	return cmd
}

func newCAExport() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "export",
		Example: "  tlstriage ca export > tlstriage-ca.pem",
		Short:   "Print the local authority's certificate as PEM",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			authority, _, err := existingAuthority(dir)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(authority.CertificatePEM())
			return err
		},
	}
	caDirFlag(cmd, &dir)
	return cmd
}

func newCATrust() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "trust",
		Example: "  tlstriage ca trust",
		Short:   "Print how each kind of client is made to trust the local authority",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, path, err := existingAuthority(dir)
			if err != nil {
				return err
			}
			pem := filepath.Join(path, certs.AuthorityCertificateFile)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), trustText, pem)
			return err
		},
	}
	caDirFlag(cmd, &dir)
	return cmd
}

const trustText = `curl      curl --cacert %[1]s …
openssl   openssl s_client -CAfile %[1]s …
Go        SSL_CERT_FILE=%[1]s …
Python    SSL_CERT_FILE=%[1]s … (requests: REQUESTS_CA_BUNDLE)
Node.js   NODE_EXTRA_CA_CERTS=%[1]s …
Java      keytool -importcert -noprompt -alias tlstriage -file %[1]s -keystore truststore.jks -storepass changeit
          java -Djavax.net.ssl.trustStore=truststore.jks …
Debian    install -m 0644 %[1]s /usr/local/share/ca-certificates/tlstriage.crt && update-ca-certificates
Fedora    install -m 0644 %[1]s /etc/pki/ca-trust/source/anchors/tlstriage.pem && update-ca-trust
macOS     security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db %[1]s
Windows   certutil -user -addstore Root %[1]s
Firefox   Settings, Certificates, Authorities, Import
On test machines only: whoever has the authority's key can stand in for every server there.
`

// existingAuthority opens an authority and never makes one.
func existingAuthority(dir string) (*certs.Authority, string, error) {
	path, err := caDir(dir)
	if err != nil {
		return nil, "", usage(err)
	}
	authority, err := certs.LoadAuthority(path, certs.AuthorityOptions{})
	if err != nil {
		return nil, "", failed(fmt.Errorf("%w; 'tlstriage ca init' makes one", err))
	}
	return authority, path, nil
}

// authorityView is an authority as `ca show` prints it.
type authorityView struct {
	Directory string    `json:"directory"`
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

func showAuthority(cmd *cobra.Command, authority *certs.Authority, path, output string) error {
	c := authority.Certificate()
	v := authorityView{path, c.Subject.String(), c.NotBefore.UTC(), c.NotAfter.UTC(), authority.Fingerprint()}
	return write(cmd, output, v, func() string {
		return fmt.Sprintf("directory  %s\nsubject    %s\nvalid      %s to %s\nsha256     %s\n",
			v.Directory, v.Subject, v.NotBefore.Format(time.DateOnly), v.NotAfter.Format(time.DateOnly), v.SHA256)
	})
}
