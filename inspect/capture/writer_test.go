package capture_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestWriterCutsConnectionsOut writes some connections of a capture and reads them again.
func TestWriterCutsConnectionsOut(t *testing.T) {
	file := payload(t, 3, 400)
	var cut bytes.Buffer
	w := capture.NewWriter(&cut)
	n := 0
	stats, err := capture.Read(t.Context(), bytes.NewReader(file), "whole", capture.Options{
		Limits: capture.Limits{PacketBytes: 16 << 10},
		OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
			if n++; n == 2 {
				return
			}
			if packets[0].Number != c.Capture.FirstPacket {
				t.Errorf("first packet %d, want %d", packets[0].Number, c.Capture.FirstPacket)
			}
			if err := w.Add(packets, "cause: chain-missing-intermediate\n"+c.ClientLeg.TLS.Client.JA4); err != nil {
				t.Error(err)
			}
		},
	})
	if err != nil || n != 3 {
		t.Fatalf("%d connections, %v", n, err)
	}
	if cut.Len() > 2*20<<10 || cut.Len() > len(file)/10 {
		t.Errorf("%d bytes were cut out of %d", cut.Len(), len(file))
	}
	if !bytes.Contains(cut.Bytes(), []byte("chain-missing-intermediate")) {
		t.Error("no comment")
	}
	records, again := recordsOf(t, cut.Bytes(), capture.Options{})
	if len(records) != 2 || again.Packets != w.Packets() || again.Packets >= stats.Packets {
		t.Fatalf("%d records of %d packets, %d were written", len(records), again.Packets, w.Packets())
	}
	for _, r := range records {
		if !r.ClientLeg.TLS.Established || len(r.ClientLeg.TLS.Server.CertificateChain) == 0 {
			t.Errorf("%+v", r.ClientLeg.TLS)
		}
	}
}

func TestWriterKeepsSecretsAndBounds(t *testing.T) {
	var b bytes.Buffer
	w := capture.NewWriter(&b)
	secrets := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"
	if err := w.AddSecrets([]byte(secrets)); err != nil {
		t.Fatal(err)
	}
	if err := w.Add([]capture.Packet{{LinkType: 1, Data: make([]byte, 60)}}, strings.Repeat("long ", 5000)); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 6<<10 {
		t.Errorf("%d bytes", b.Len())
	}
	_, stats := recordsOf(t, b.Bytes(), capture.Options{})
	if stats.Secrets != 1 || stats.Packets != 1 {
		t.Errorf("%+v", stats)
	}
	if err := w.Add([]capture.Packet{{LinkType: 1, Data: make([]byte, 2<<20)}}, ""); err == nil {
		t.Error("a packet of 2 MiB was written")
	}
	broken := capture.NewWriter(failing{})
	if err := broken.Add([]capture.Packet{{LinkType: 1, Data: make([]byte, 60)}}, ""); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
}

var errDisk = errors.New("the disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDisk }
