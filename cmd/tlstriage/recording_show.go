package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/replay"
)

func newRecordingShow() *cobra.Command {
	var gallery, output string
	var top int
	var from recordings
	cmd := &cobra.Command{
		Use:   "show FILE...",
		Short: "List the kinds of clients in recordings, or in the gallery",
		Long: `Lists the distinct kinds of clients with their connections, the most frequent first: what the hello offers, for which names it came,
whose it likely is. With --clients it lists clients of the built-in gallery with their source and licence.`,
		Example: `  tlstriage recording show hellos.ndjson
  tlstriage recording show week.compact.ndjson --top 20
  tlstriage recording show --clients legacy
  tlstriage recording show --clients all -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := knownForm(output, "text", "json"); err != nil {
				return err
			}
			if (len(args) == 0) == (gallery == "") {
				return usage(errors.New("recording show needs FILE... or --clients LIST"))
			}
			if gallery != "" {
				samples, err := clients.Select(gallery)
				if err != nil {
					return usage(fmt.Errorf("--clients: %w", err))
				}
				return showGallery(cmd, samples, output)
			}
			from.files = args
			if err := from.parse(); err != nil {
				return err
			}
			c, err := collect(cmd, &from)
			if c == nil {
				return err
			}
			if showing := showKinds(cmd, c, output, top); showing != nil {
				return showing
			}
			return err
		},
	}
	cmd.Flags().StringVar(&gallery, "clients", "", "show clients of the built-in gallery: `LIST` of names and groups ("+strings.Join(clients.Groups(), ", ")+")")
	cmd.Flags().IntVar(&top, "top", 0, "show the `N` most frequent kinds; 0: all")
	cmd.Flags().StringVar(&from.maxDamaged, "max-damaged", "10%", "exit with 3 when more entries are damaged than this: `N`, or N% of all; 100% accepts any")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "print `text` or json: one object a line")
	cmd.Flags().SortFlags = false
	return cmd
}

// shownKind is a line of JSON of recording show.
type shownKind struct {
	Shape       string           `json:"shape"`
	JA4         string           `json:"ja4"`
	Client      string           `json:"client,omitempty"`
	Connections int64            `json:"connections"`
	Transport   string           `json:"transport"`
	First       time.Time        `json:"first,omitzero"`
	Last        time.Time        `json:"last,omitzero"`
	Names       []recording.Name `json:"server_names"`
}

func showKinds(cmd *cobra.Command, c *recording.Collection, output string, top int) error {
	kinds := c.Kinds()
	left := 0
	if top > 0 && len(kinds) > top {
		left = len(kinds) - top
		kinds = kinds[:top]
	}
	if output == "json" {
		w := recording.NewWriter(cmd.OutOrStdout())
		for i := range kinds {
			k := &kinds[i]
			err := w.Encode(shownKind{k.Name, k.JA4, replay.LikelyClient(k), k.Connections, k.Transport, k.First, k.Last, k.Names})
			if err != nil {
				return failed(err)
			}
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections of %d kinds of clients", c.Tally.Connections, c.Tally.Len())
	if !c.Tally.First.IsZero() {
		fmt.Fprintf(&b, ", %s to %s", c.Tally.First.UTC().Format(time.DateTime), c.Tally.Last.UTC().Format(time.DateTime))
	}
	b.WriteString("\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "connections\tshape\tJA4\toffers\tfor\tlikely client")
	for i := range kinds {
		k := &kinds[i]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", k.Connections, k.Name, k.JA4, replay.HighestVersion(k.Hello), shown(namesShown(k)), shown(replay.LikelyClient(k)))
	}
	if err := w.Flush(); err != nil {
		return failed(err)
	}
	if left > 0 {
		fmt.Fprintf(&b, "%d more kinds\n", left)
	}
	_, err := io.WriteString(cmd.OutOrStdout(), b.String())
	return err
}

// namesShown are the most frequent names of a kind.
func namesShown(k *recording.Collected) string {
	const most = 2
	var names []string
	for _, n := range k.Names[:min(most, len(k.Names))] {
		if n.Name == "" {
			n.Name = "(no name)"
		}
		names = append(names, n.Name)
	}
	if more := len(k.Names) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// shownSample is a line of JSON of recording show --clients.
type shownSample struct {
	Name        string   `json:"name"`
	Client      string   `json:"client"`
	Mode        string   `json:"mode,omitempty"`
	Versions    []string `json:"versions,omitempty"`
	MaxVersion  string   `json:"max_version"`
	ServerName  string   `json:"server_name,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Source      string   `json:"source"`
	Licence     string   `json:"licence"`
	Attribution string   `json:"attribution"`
	Date        string   `json:"date"`
	Bytes       int      `json:"bytes"`
}

func showGallery(cmd *cobra.Command, samples []clients.Sample, output string) error {
	if output == "json" {
		w := recording.NewWriter(cmd.OutOrStdout())
		for _, s := range samples {
			err := w.Encode(shownSample{s.Name, s.Client, s.Mode, s.Versions, s.MaxVersion, s.ServerName, s.Groups, s.Source.Name, s.Source.Licence, s.Source.Attribution, s.Date, len(s.Record)})
			if err != nil {
				return failed(err)
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\tclient\thow\tup to\tbytes\tgroups\tsource")
	sources := make(map[clients.Source]bool)
	for _, s := range samples {
		sources[s.Source] = true
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s, %s\n", s.Name, s.Client, s.Mode, s.MaxVersion, len(s.Record), strings.Join(s.Groups, ", "), s.Source.Name, s.Date)
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return failed(err)
	}
	for source := range sources {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s. %s.\n", source.Name, source.Licence, source.Attribution)
	}
	return nil
}
