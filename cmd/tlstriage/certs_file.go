package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// checkedFile is a file as a server would serve it, and what of it no server takes.
type checkedFile struct {
	name   string
	record *inspect.Connection

	damaged  []string // blocks that cannot be read: what was in them is not in the record
	repaired []string // what could be read here, and by no server
}

// file makes a record of a chain as a server that serves the file would present it. What else the file holds is said on standard
// error.
func (c *certsCheck) file(cmd *cobra.Command, name string) (*checkedFile, error) {
	data, err := readInput(cmd, name)
	if err != nil {
		return nil, err
	}
	if name == "-" {
		name = "standard input"
	}
	f := &checkedFile{name: name}
	input := chain.ReadInput(data)
	raw, problems := input.Certificates, input.Problems
	var said []error
	if len(raw) == 0 { // perhaps one of the forms that hold a key as well, or text that nobody but a person can read
		pile := bundle.Read([]bundle.Input{{Name: name, Data: data}}, c.passwords...)
		raw = served(pile)
		for _, n := range pile.Notes {
			switch n.Kind {
			case bundle.Repaired:
				f.repaired = append(f.repaired, n.Source.String()+": "+n.Detail)
			case bundle.Locked:
				said = append(said, fmt.Errorf("%s: %s; --password-file FILE gives it to this program", n.Source, n.Detail))
				problems = nil
			}
		}
		if len(raw) > 0 {
			problems = nil
		}
	}
	for _, p := range problems {
		place := name
		if p.Line > 0 {
			place += ":" + strconv.Itoa(p.Line)
		}
		switch {
		case p.Kind == chain.InputPrivateKey && len(raw) > 0: // as HAProxy wants it
		case p.Line > 0 && (p.Kind == chain.InputGarbled || p.Kind == chain.InputTruncated):
			f.damaged = append(f.damaged, place+": "+p.Detail)
		default:
			said = append(said, fmt.Errorf("%s: %s", place, p.Detail))
		}
	}
	if len(raw)+len(f.damaged) == 0 {
		return nil, usage(errors.Join(append(said, fmt.Errorf("%s: no certificate in it that can be read", name))...))
	}
	for _, err := range said {
		fmt.Fprint(cmd.ErrOrStderr(), printable("tlstriage: "+shown(err.Error())+"\n"))
	}
	f.record = &inspect.Connection{
		Schema: inspect.SchemaVersion, Timestamp: c.now().UTC(), Transport: inspect.TransportTCP,
		Event: inspect.Event{Source: inspect.SourceProxy, Outcome: inspect.Success},
		BackendLeg: &inspect.Leg{
			Address: name, ServerName: c.name,
			TLS: &inspect.TLS{Established: true, Server: &inspect.Server{Validation: &inspect.Validation{Status: inspect.ValidationNotChecked}}},
		},
	}
	server := f.record.BackendLeg.TLS.Server
	if server.Present(&inspect.Describer{}, raw); input.Beyond > 0 {
		server.CertificatesSent = len(raw) + input.Beyond
	}
	return f, nil
}

// served are the certificates of a key store in the order in which a server presents them: that of the key first.
func served(pile *bundle.Pile) [][]byte {
	list := slices.Clone(pile.Certificates)
	owned := func(c bundle.Certificate) bool {
		return slices.ContainsFunc(pile.Keys, func(k bundle.Key) bool {
			public, ok := k.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
			return ok && public.Equal(c.PublicKey)
		})
	}
	slices.SortStableFunc(list, func(a, b bundle.Certificate) int {
		switch first, second := owned(a), owned(b); {
		case first == second:
			return 0
		case first:
			return -1
		}
		return 1
	})
	var raw [][]byte
	for _, c := range list {
		raw = append(raw, c.Raw)
	}
	return raw
}

// judge puts the finding of a file that no server takes before all others: what is wrong with the chain comes after that.
func (f *checkedFile) judge() {
	if len(f.damaged)+len(f.repaired) == 0 {
		return
	}
	again := inspect.Finding{
		ID: string(chain.Malformed), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Title: "The file is not in a form that servers read", Citation: "RFC 7468, Section 3",
		Detail: strings.Join(f.repaired, "; ") + "; nginx, HAProxy, Apache and everything else that reads with OpenSSL does not start with it (PEM_read_bio: no start line)",
		Fixes:  []inspect.Fix{{Target: "tlstriage", Action: "write it anew, in the right form and order", Snippet: "tlstriage certs fix FILE KEY-FILE --for nginx --out DIR"}},
	}
	if len(f.damaged) > 0 {
		again.Title = "A certificate in the file is damaged"
		again.Detail = strings.Join(f.damaged[:min(len(f.damaged), 5)], "; ") + "; nginx, HAProxy, Apache and everything else that reads with OpenSSL does not start with it, and programs that pass over it serve what is left"
		again.Fixes = []inspect.Fix{
			{Target: "file", Action: "get the certificate anew: from the authority, from a backup, or from a server that still serves it", Snippet: "openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null"},
			{Target: "file", Action: "see that each block decodes: 64 characters of base64 a line, nothing else between BEGIN and END", Snippet: "openssl storeutl -noout -certs FILE"},
		}
	}
	r := f.record
	for i := range r.Findings {
		// Of what is left another certificate comes first, and without it none is served: the rest follows from that.
		if len(f.damaged) > 0 {
			r.Findings[i].CausedBy = append(r.Findings[i].CausedBy, again.ID)
		}
	}
	r.Findings = slices.Insert(r.Findings, 0, again)
	r.Verdict, r.Cause, r.Fault = inspect.Failed, again.ID, inspect.FaultBackend
}

// pipePatience is after how long of silence it is said that a pipe is waited for.
const pipePatience = 2 * time.Second

// readInput reads a file, or standard input where it is called "-". A pipe that nobody writes to is waited for, which a signal ends.
func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	type answer struct {
		data []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() { // ends with the program, where nobody writes
		if name == "-" {
			data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), certs.MaxFileBytes+1))
			if err == nil && len(data) > certs.MaxFileBytes {
				err = fmt.Errorf("standard input: larger than the bound of %d bytes", certs.MaxFileBytes)
			}
			done <- answer{data, err}
			return
		}
		data, err := readBounded(name, certs.MaxFileBytes)
		done <- answer{data, err}
	}()
	silence := time.NewTimer(pipePatience)
	defer silence.Stop()
	for {
		select {
		case a := <-done:
			if a.err != nil {
				return nil, usage(a.err)
			}
			return a.data, nil
		case <-silence.C:
			if info, err := os.Stat(name); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeCharDevice) != 0 {
				fmt.Fprint(cmd.ErrOrStderr(), printable("tlstriage: "+shown(name)+" is a pipe: waiting for somebody to write to it\n"))
			}
		case <-cmd.Context().Done():
			return nil, failed(fmt.Errorf("%s: not read: %w", name, context.Cause(cmd.Context())))
		}
	}
}
