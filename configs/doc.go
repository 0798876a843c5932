// Package configs is the configuration of `tlstriage proxy`: its types, a strict reader of its YAML form, defaults, and a
// validation that reports every error at once with the place that it came from.
//
// Each key is also a flag and an environment variable; Settings lists the three names of each. Flags beat the environment,
// the environment beats the file, the file beats the defaults, and Resolve puts them together:
//
//	overrides := &configs.Overrides{}
//	for _, s := range configs.Settings() {
//		f := flags.VarPF(overrides.Value(s), s.Flag, s.Short, s.Usage) // spf13/pflag; the standard flag package fits too
//		f.NoOptDefVal = s.NoValue
//	}
//	// parse the command line, read the file, then
//	config, err := configs.Resolve(data, "proxy.yaml", os.Environ(), overrides)
//
// The package reads no file, opens no socket and imports nothing of this project: whether a certificate can be read or a
// policy exists is for the caller to find out. Anything above the commands' flags may import it.
package configs

//go:generate go test . -run TestDocumentationListsEverySetting -update
