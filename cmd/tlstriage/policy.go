package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "What load balancers and servers accept, and whom of your clients they would lose",
		Long: `A policy is what a TLS endpoint accepts. A REF names one: provider/name (aws/ELBSecurityPolicy-2016-08), a bare name
where that is unique, a YAML file of your own, or an endpoint of a system's own configuration
(nginx.conf#server_name=api.example.com; see ` + "`tlstriage policy import --help`" + `); "-" is a configuration on standard input.
#certificates=rsa (or rsa,ecdsa-p256, …) states what the endpoint serves where no configuration says it.`,
		Example: `  tlstriage policy list aws
  tlstriage policy show aws/ELBSecurityPolicy-TLS13-1-2-2021-06
  tlstriage policy import /etc/nginx/nginx.conf
  tlstriage policy check --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --from hellos.ndjson
  tlstriage policy recommend --provider aws/alb --from hellos.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyList(), newPolicyShow(), newPolicyImport(), newPolicyExport(), newPolicyCheck(), newPolicyDiff(), newPolicyRecommend(), newPolicyCiphers())
	return cmd
}

// policyRow is a policy as `policy list` shows it.
type policyRow struct {
	Name     string   `json:"name"`
	Product  string   `json:"product"`
	Versions []string `json:"versions"`
	Ciphers  int      `json:"ciphers"`
	Verified bool     `json:"verified"`
	AsOf     string   `json:"as_of"`
}

func newPolicyList() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list [PROVIDER]",
		Short:   "List the built-in policies",
		Example: "  tlstriage policy list\n  tlstriage policy list mozilla -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows := []policyRow{}
			for p := range policy.All() {
				if len(args) == 1 && !strings.EqualFold(p.Provider, args[0]) {
					continue
				}
				rows = append(rows, policyRow{p.Name, p.Product, policy.Accepts(p, policy.DimensionVersion), len(p.CipherSuites), p.Verified, p.AsOf})
			}
			if len(rows) == 0 {
				return usage(fmt.Errorf("policy: no provider %q; there are: %s", args[0], strings.Join(providers(), ", ")))
			}
			return writeForms(cmd, output, rows, func() string { return policyTable(rows) }, func() string { return policyTableMarkdown(rows) })
		},
	}
	documentFlag(cmd, &output)
	return cmd
}

func providers() []string {
	var names []string
	seen := map[string]bool{}
	for p := range policy.All() {
		if !seen[p.Provider] {
			seen[p.Provider] = true
			names = append(names, p.Provider)
		}
	}
	return names
}

func policyTable(rows []policyRow) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSIONS\tSUITES\tFACTS\tPRODUCT")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.Name, versionRange(r.Versions), r.Ciphers, standing(r.Verified), r.Product)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func versionRange(versions []string) string {
	if len(versions) < 2 {
		return strings.Join(versions, "")
	}
	return versions[0] + "…" + versions[len(versions)-1]
}

func standing(verified bool) string {
	if verified {
		return "verified"
	}
	return "unverified"
}

// policyView is a policy as `policy show` prints it.
type policyView struct {
	Name                string   `json:"name"`
	Provider            string   `json:"provider,omitempty"`
	Product             string   `json:"product,omitempty"`
	Aliases             []string `json:"aliases,omitempty"`
	Verified            bool     `json:"verified"`
	AsOf                string   `json:"as_of,omitempty"`
	Source              []string `json:"source,omitempty"`
	Notes               string   `json:"notes,omitempty"`
	Versions            []string `json:"versions"`
	Ciphers             []string `json:"ciphers"`
	CipherPreference    string   `json:"cipher_preference,omitempty"`
	Groups              []string `json:"groups"`               // null: no source states them
	SignatureAlgorithms []string `json:"signature_algorithms"` // null: no source states them
	Certificates        []string `json:"certificates,omitempty"`
	ALPN                []string `json:"alpn,omitempty"`
	ServerNames         []string `json:"server_names,omitempty"`
	SNIRequired         bool     `json:"sni_required"`
	ClientAuth          string   `json:"client_auth,omitempty"`
}

func viewPolicy(p *policy.Policy) policyView {
	v := policyView{
		Name: p.Name, Provider: p.Provider, Product: p.Product, Aliases: p.Aliases, Verified: p.Verified, AsOf: p.AsOf, Source: p.Source,
		Notes:               p.Notes,
		Versions:            policy.Accepts(p, policy.DimensionVersion),
		Ciphers:             policy.Accepts(p, policy.DimensionCipher),
		CipherPreference:    p.Preference.String(),
		Groups:              policy.Accepts(p, policy.DimensionGroup),
		SignatureAlgorithms: policy.Accepts(p, policy.DimensionSignature),
		ALPN:                p.ALPN, ServerNames: p.Names, SNIRequired: p.SNIRequired, ClientAuth: string(p.ClientAuth),
	}
	for _, t := range p.Certificates {
		v.Certificates = append(v.Certificates, string(t))
	}
	return v
}

func (v policyView) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, shown(value))
		}
	}
	list := func(name string, values []string, absent string) {
		if len(values) == 0 {
			row(name, absent)
			return
		}
		for i, value := range values {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "%s\t%s\n", name, shown(value))
		}
	}
	row("name", v.Name)
	row("product", v.Product)
	row("also", strings.Join(v.Aliases, ", "))
	if v.Provider != "" && v.AsOf != "" {
		row("facts", standing(v.Verified)+" "+v.AsOf)
	}
	row("versions", strings.Join(v.Versions, " "))
	row("suite order", v.CipherPreference)
	list("ciphers", v.Ciphers, "")
	list("groups", v.Groups, "not stated by any source")
	list("signatures", v.SignatureAlgorithms, "not stated by any source")
	row("certificates", strings.Join(v.Certificates, ", "))
	row("alpn", strings.Join(v.ALPN, ", "))
	row("server names", strings.Join(v.ServerNames, ", "))
	row("client auth", v.ClientAuth)
	row("notes", v.Notes)
	list("source", v.Source, "")
	_ = w.Flush() // into memory
	return b.String()
}

func newPolicyShow() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "show REF",
		Short:   "Show what a policy accepts, and where the facts are from",
		Example: "  tlstriage policy show ELBSecurityPolicy-TLS13-1-2-2021-06\n  tlstriage policy show ./my-policy.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := loadPolicy(cmd, args[0])
			if err != nil {
				return usage(err)
			}
			v := viewPolicy(p)
			return writeForms(cmd, output, v, v.text, v.markdown)
		},
	}
	documentFlag(cmd, &output)
	return cmd
}
