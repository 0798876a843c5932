package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/recording/foreign"
)

// The kinds that recording import reads beside the foreign ones.
const (
	kindHex  = "hex"
	kindRaw  = "raw"
	kindPcap = "pcap"
)

func importKinds() []string {
	var kinds []string
	for _, k := range foreign.Kinds() {
		kinds = append(kinds, string(k))
	}
	return append(kinds, kindHex, kindRaw, kindPcap)
}

func newRecordingImport() *cobra.Command {
	var kind, into string
	cmd := &cobra.Command{
		Use:   "import --kind KIND FILE...",
		Short: "Make a recording of hellos that other programs keep",
		Long: `Reads ClientHellos from elsewhere, which you have the right to use, and writes them as a recording:

  testssl           the client simulations of testssl.sh (etc/client-simulation.txt)
  ssllabs           the clients of the SSL Labs API (getClients), JSON
  curl-impersonate  signatures of browsers (YAML)
  hex               hellos in hexadecimal or base64, one after another
  raw               hellos as bytes, as they went over the wire
  pcap              a capture (pcap, pcapng, also compressed)

Where a source has the bytes of a hello they are taken as they are; where it only lists what a client offers the hello is built from
the lists, and the record says what was made up ("origin").`,
		Example: `  tlstriage recording import --kind testssl client-simulation.txt > clients.ndjson
  tlstriage recording import --kind pcap edge.pcapng > edge.ndjson
  curl -s https://api.example.com/clients.json | tlstriage recording import --kind ssllabs - > clients.ndjson`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(importKinds(), kind) {
				return usage(fmt.Errorf("--kind: %q is none of %s", kind, strings.Join(importKinds(), ", ")))
			}
			from := recordings{files: args, maxDamaged: "10%"}
			if err := from.parse(); err != nil {
				return err
			}
			var kept, damaged int64
			err := writeRecords(cmd, into, func(w *recording.Writer) error {
				take := func(r *recording.Record) error {
					kept++
					return w.Write(r)
				}
				return from.open(cmd, func(in io.Reader, name string) error {
					switch kind {
					case kindHex, kindRaw:
						return eachRecord(cmd, in, name, &damaged, take)
					case kindPcap:
						return importCapture(cmd, in, name, take)
					}
					return importForeign(cmd, foreign.Kind(kind), in, name, &damaged, take)
				})
			})
			if err != nil {
				return err
			}
			tell(cmd, fmt.Sprintf("%d hellos imported, %d entries were none", kept, damaged))
			if kept == 0 {
				return failed(errors.New("no ClientHello to import"))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "what the files are: `KIND` "+strings.Join(importKinds(), ", "))
	intoFlag(cmd, &into)
	cmd.Flags().SortFlags = false
	return cmd
}

func importForeign(cmd *cobra.Command, kind foreign.Kind, in io.Reader, name string, damaged *int64, take func(*recording.Record) error) error {
	for r, err := range foreign.Import(kind, in, name) {
		var entry *foreign.Error
		switch {
		case errors.As(err, &entry) && entry.Entry != "":
			*damaged++
			tell(cmd, err.Error())
			continue
		case err != nil:
			return usage(err)
		}
		if err := take(r); err != nil {
			return err
		}
	}
	return nil
}

// importCapture takes the connections of a capture that began with a hello.
func importCapture(cmd *cobra.Command, in io.Reader, name string, take func(*recording.Record) error) error {
	return eachConnection(cmd, in, name, func(r *recording.Record) error {
		if leg := r.ClientLeg; leg == nil || leg.TLS == nil || leg.TLS.Client == nil {
			return nil
		}
		return take(r)
	})
}

// eachConnection takes all connections of a capture.
func eachConnection(cmd *cobra.Command, in io.Reader, name string, take func(*recording.Record) error) error {
	var taking error
	tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) {
		if taking == nil {
			taking = take(&recording.Record{Connection: *c})
		}
	}})
	err := tracker.Read(cmd.Context(), in, name)
	tracker.Close()
	if err != nil {
		return failed(err)
	}
	return taking
}
