package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Load finds the policy that ref means: a YAML file where ref ends in .yaml or .yml, else a built-in policy (see
// Lookup), else a file of that name. Files are read through fsys, by the name as it stands in ref.
func Load(fsys fs.FS, ref string) (*Policy, error) {
	if lower := strings.ToLower(ref); strings.HasSuffix(lower, ".yaml") || strings.HasSuffix(lower, ".yml") {
		return loadFile(fsys, ref)
	}
	p, err := Lookup(ref)
	if err == nil {
		return p, nil
	}
	if info, statErr := fs.Stat(fsys, ref); statErr == nil && info.Mode().IsRegular() {
		return loadFile(fsys, ref)
	}
	return nil, err
}

func loadFile(fsys fs.FS, name string) (*Policy, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("policy: %s: %w", name, err)
	}
	return ParseYAML(data, name)
}
