package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// maxHelloFile is the most that is read of a file with one hello.
const maxHelloFile = 1 << 20

// whyHello is the hello in question: from a file, from a recording, or from the gallery.
type whyHello struct {
	file, from, id, client, as string
}

func (w *whyHello) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.file, "hello", "", "the hello: `FILE` with its bytes, or in hexadecimal or base64, as records or as a handshake message; - is standard input")
	f.StringVar(&w.from, "from", "", "recorded clients: `FILE` of records (NDJSON) or hellos; - is standard input")
	f.StringVar(&w.id, "id", "", "which of them: the `ID` of a record, a shape, a JA4 or a number from 1; needed where there are several")
	f.StringVar(&w.client, "client", "", "a client of the gallery, by `NAME`")
	f.StringVar(&w.as, "as", "", "a load balancer of the gallery as the client of this endpoint, by `NAME`: nginx, haproxy, …")
}

// read gives the hello that the flags name.
func (w *whyHello) read(cmd *cobra.Command, site string) (*probe.Hello, error) {
	given := 0
	for _, s := range []string{w.file, w.from, w.client, w.as} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, errors.New("why needs one of --hello FILE, --from FILE, --client NAME and --as NAME")
	case w.id != "" && w.from == "":
		return nil, errors.New("--id belongs to --from")
	case w.file != "":
		return w.readFile(cmd)
	case w.from != "":
		return w.readRecording(cmd)
	case w.client != "":
		return fromGallery("--client", w.client, site)
	}
	return fromGallery("--as", w.as, site)
}

// fromGallery is a hello of the gallery, asking for the site that it is sent to: its own name was that of where it was captured.
func fromGallery(flag, name, site string) (*probe.Hello, error) {
	sample, err := clients.One(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	hello, err := probe.Parse(sample.Record)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if hello.ServerName() != "" {
		hello.SetServerName(site)
	}
	return hello, nil
}

// readFile reads a file with one hello, whose layout in records is kept where it has one.
func (w *whyHello) readFile(cmd *cobra.Command) (*probe.Hello, error) {
	content, name, err := openInput(cmd, w.file)
	if err != nil {
		return nil, fmt.Errorf("--hello: %w", err)
	}
	defer content.Close()
	data, err := io.ReadAll(io.LimitReader(content, maxHelloFile+1))
	if err != nil {
		return nil, fmt.Errorf("--hello: %w", err)
	}
	if len(data) > maxHelloFile {
		return nil, fmt.Errorf("--hello: %s: larger than the bound of %d bytes", name, maxHelloFile)
	}
	if hello, err := probe.Parse(data); err == nil {
		return hello, nil
	}
	text := bytes.Join(bytes.Fields(data), nil)
	if b, err := hex.DecodeString(string(text)); err == nil {
		if hello, err := probe.Parse(b); err == nil {
			return hello, nil
		}
	}
	return firstClient(bytes.NewReader(data), name, func(*recording.Client, int) bool { return true })
}

// readRecording reads the recording up to the client that --id names.
func (w *whyHello) readRecording(cmd *cobra.Command) (*probe.Hello, error) {
	content, name, err := openInput(cmd, w.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	defer content.Close()
	if w.id == "" {
		return onlyClient(content, name)
	}
	number, _ := strconv.Atoi(w.id)
	hello, err := firstClient(content, name, func(c *recording.Client, n int) bool {
		return n == number || string(c.EventID) == w.id || string(c.Shape) == w.id || c.JA4() == w.id
	})
	if err != nil {
		return nil, fmt.Errorf("--id %s: %w", w.id, err)
	}
	return hello, err
}

// onlyClient is the client of a recording that has one. Of several the user has to say which one is meant.
func onlyClient(in io.Reader, name string) (*probe.Hello, error) {
	var only *probe.Hello
	hello, err := firstClient(in, name, func(c *recording.Client, n int) bool {
		if n == 1 {
			only = probe.FromClientHello(c.Hello)
		}
		return n > 1
	})
	switch {
	case err == nil && hello != nil:
		return nil, fmt.Errorf("--from: %s has several clients: --id says which one (its id, shape or JA4, or its number from 1)", name)
	case only == nil:
		return nil, fmt.Errorf("--from: %w", err)
	}
	return only, nil
}

// firstClient is the first client of a recording that is wanted.
func firstClient(in io.Reader, name string, wanted func(*recording.Client, int) bool) (*probe.Hello, error) {
	n := 0
	for client, err := range recording.Each(in, name) {
		var refused *recording.Error
		switch {
		case errors.As(err, &refused):
			continue
		case err != nil:
			return nil, err
		}
		if n++; wanted(client, n) {
			return probe.FromClientHello(client.Hello), nil
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: there is no ClientHello in it", name)
	}
	return nil, fmt.Errorf("%s: no such client among %d", name, n)
}

// openInput opens a file, or standard input for a hyphen.
func openInput(cmd *cobra.Command, name string) (io.ReadCloser, string, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), "standard input", nil
	}
	f, err := os.Open(name)
	return f, name, err
}
