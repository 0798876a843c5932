package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
)

// fact is one policy as collected. Null lists are those that no source states.
type fact struct {
	Provider    string     `json:"provider"`
	Product     string     `json:"product"`
	Name        string     `json:"name"`
	Aliases     []string   `json:"aliases"`
	Versions    []string   `json:"versions"`
	Ciphers     []string   `json:"ciphers"`
	Preference  *string    `json:"cipher_preference"`
	Equal       [][]string `json:"equal_preference"`
	Groups      []string   `json:"groups"`
	Schemes     []string   `json:"sigalgs"`
	Verified    bool       `json:"verified"`
	Source      []string   `json:"source"`
	AsOf        string     `json:"as_of"`
	Notes       string     `json:"notes"`
	Effective   bool       `json:"effective"` // measured: the suites are those that are really chosen
	Certificate *struct {
		Types  []string `json:"types"`
		Curves []string `json:"curves"`
	} `json:"certificate"`
}

// codePoints maps the names that the facts use to the registries' numbers.
type codePoints struct {
	versions, suites, groups, schemes map[string]uint16
}

func readFacts(dir fs.FS) ([]fact, codePoints, error) {
	var policies []fact
	var suites struct {
		Suites []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"cipher_suites"`
	}
	var groups struct {
		Groups []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"groups"`
	}
	var schemes struct {
		Schemes []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"signature_schemes"`
	}
	codes := codePoints{
		versions: map[string]uint16{"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304},
		suites:   map[string]uint16{}, groups: map[string]uint16{}, schemes: map[string]uint16{},
	}
	for name, into := range map[string]any{
		"policies.json": &policies, "registry/cipher-suites.json": &suites,
		"registry/groups.json": &groups, "registry/signature-schemes.json": &schemes,
	} {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, codes, err
		}
		if err := json.Unmarshal(data, into); err != nil {
			return nil, codes, fmt.Errorf("%s: %w", name, err)
		}
	}
	add := func(m map[string]uint16, id, name string) error {
		n, err := strconv.ParseUint(id, 0, 16)
		if err != nil {
			return fmt.Errorf("registry: %s: %w", name, err)
		}
		m[name] = uint16(n)
		return nil
	}
	for _, s := range suites.Suites {
		if err := add(codes.suites, s.ID, s.Name); err != nil {
			return nil, codes, err
		}
	}
	for _, g := range groups.Groups {
		if err := add(codes.groups, g.ID, g.Name); err != nil {
			return nil, codes, err
		}
	}
	for _, s := range schemes.Schemes {
		if err := add(codes.schemes, s.ID, s.Name); err != nil {
			return nil, codes, err
		}
	}
	return policies, codes, nil
}
