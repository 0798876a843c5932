package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

// The part of SARIF 2.1.0 (OASIS) that is used: one run, a rule an id of a finding, a result a finding of a target.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string       `json:"id"`
		Short sarifMessage `json:"shortDescription"`
		Help  sarifMessage `json:"help"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		Level        string            `json:"level"`
		Message      sarifMessage      `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

func writeSARIF(w io.Writer, results []*scanned) error {
	run := sarifRun{Tool: sarifTool{Driver: sarifDriver{Name: "tlstriage", Rules: []sarifRule{}}}, Results: []sarifResult{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		run.Tool.Driver.Version = info.Main.Version
	}
	for _, s := range results {
		for _, f := range s.Findings {
			if !slices.ContainsFunc(run.Tool.Driver.Rules, func(r sarifRule) bool { return r.ID == f.ID }) {
				help := f.Title
				if f.Citation != "" {
					help += " (" + f.Citation + ")"
				}
				for _, fix := range f.Fixes {
					help += "\n" + fix.Target + ": " + fix.Action
					if fix.Snippet != "" {
						help += ": " + fix.Snippet
					}
				}
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: f.ID, Short: sarifMessage{f.Title}, Help: sarifMessage{help}})
			}
			level := "note"
			switch f.Severity {
			case inspect.SeverityError:
				level = "error"
			case inspect.SeverityWarning:
				level = "warning"
			}
			text := f.Title
			if f.Detail != "" {
				text += ": " + f.Detail
			}
			run.Results = append(run.Results, sarifResult{
				Rule: f.ID, Level: level, Message: sarifMessage{fmt.Sprintf("%s: %s", s.Target, text)},
				Locations: []sarifLocation{{
					Physical: sarifPhysical{sarifArtifact{"tls://" + s.Target}}, Logical: []sarifLogical{{Name: s.Target, Kind: "resource"}},
				}},
				Fingerprints: map[string]string{"tlstriage/v1": s.Target + "/" + f.ID},
			})
		}
	}
	data, err := json.MarshalIndent(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(spellOut(data), '\n'))
	return err
}
