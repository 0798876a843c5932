package main

import "github.com/spf13/cobra"

func newCerts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Take a certificate chain apart, and put a right one together",
		Long: `check examines the chain that an endpoint presents, or that stands in a file, and says everything that is wrong with it at
once. fix takes whatever certificates and keys there are and writes the files that a server wants.`,
		Example: `  tlstriage certs check www.example.com:443
  tlstriage certs check fullchain.pem --name www.example.com
  tlstriage certs watch www.example.com:443 --interval 10m
  tlstriage certs fix leaf.crt bundle.p7b site.key --for nginx --out ./tls`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertsCheck(), newCertsFix(), newCertsWatch())
	return cmd
}
