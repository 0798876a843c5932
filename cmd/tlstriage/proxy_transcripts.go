package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/proxy"
)

// transcripts are the handshakes of failed connections, a pcapng each. It is used on one goroutine.
type transcripts struct {
	dir     string
	most    int
	written []string // oldest first
	lost    uint64   // that could not be written since one could
	log     *zap.Logger
}

// newTranscripts makes the directory, for the owner alone: what is in a handshake names clients. Nil when none is wanted.
func newTranscripts(c configs.Record, log *zap.Logger) (*transcripts, error) {
	if c.PcapngDir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(c.PcapngDir, 0o700); err != nil {
		return nil, fmt.Errorf("record.pcapng_dir: %w", err)
	}
	return &transcripts{dir: c.PcapngDir, most: c.PcapngFiles, log: log}, nil
}

// write is a server's OnTranscript. What went well, and what was only noise, is left out.
func (t *transcripts) write(c *inspect.Connection, kept *proxy.Transcript) {
	if c.Verdict != inspect.Failed || c.Fault == inspect.FaultNoise {
		return
	}
	var legs []capture.Exchange
	if kept.Client != nil {
		legs = append(legs, exchangeOf(kept.Client, c.ClientLeg, c))
	}
	if kept.Backend != nil {
		legs = append(legs, exchangeOf(kept.Backend, c.BackendLeg, c))
	}
	data, err := capture.Compose(legs...)
	if err != nil {
		t.log.Error("handshake not written", zap.String("record", c.Event.ID), zap.Error(err))
		return
	}
	err = t.store(filepath.Join(t.dir, c.Event.ID+".pcapng"), data)
	switch {
	case err != nil:
		if t.lost++; t.lost == 1 {
			t.log.Error("handshake not written, nor are those that follow until this is over", zap.String("record", c.Event.ID), zap.Error(err))
		}
	case t.lost > 0:
		t.log.Info("handshakes are written again", zap.Uint64("lost", t.lost))
		t.lost = 0
	}
}

// store writes a file and removes the oldest ones beyond the bound. Of one that could not be written whole nothing stays.
func (t *transcripts) store(name string, data []byte) error {
	if err := os.WriteFile(name, data, 0o600); err != nil {
		os.Remove(name) // it may not have come to be
		return err
	}
	t.written = append(t.written, name)
	for len(t.written) > t.most {
		os.Remove(t.written[0]) // it may be gone already
		t.written = t.written[1:]
	}
	return nil
}

// exchangeOf is a leg as a capture has it.
func exchangeOf(kept *proxy.Exchange, leg *inspect.Leg, c *inspect.Connection) capture.Exchange {
	e := capture.Exchange{Client: kept.Client, Server: kept.Server, Transport: kept.Transport, Began: kept.Began, Comment: comment(c), KeyLog: kept.KeyLog, End: endOf(leg)}
	for _, chunk := range kept.Chunks {
		e.Chunks = append(e.Chunks, capture.Chunk{At: chunk.At, From: chunk.From, Data: chunk.Data, Size: chunk.Size})
	}
	if kept.Truncated {
		e.End = "" // it went on
	}
	return e
}

// endOf is how a leg ended, as far as its record tells.
func endOf(leg *inspect.Leg) inspect.CaptureEnd {
	if leg == nil || leg.Error == nil {
		return ""
	}
	peerIsServer := leg.ServerName != "" || leg.Address != ""
	switch {
	case leg.Error.Type == inspect.ErrorReset && peerIsServer:
		return inspect.EndResetServer
	case leg.Error.Type == inspect.ErrorReset:
		return inspect.EndResetClient
	case leg.Error.Type == inspect.ErrorClosed && peerIsServer:
		return inspect.EndFINServer
	case leg.Error.Type == inspect.ErrorClosed:
		return inspect.EndFINClient
	}
	return ""
}

// comment is what stands beside the first packet: the record, and what was found.
func comment(c *inspect.Connection) string {
	lines := []string{"record " + c.Event.ID, fmt.Sprintf("%s: %s, fault: %s", c.Verdict, c.Cause, c.Fault)}
	for _, f := range c.Findings {
		lines = append(lines, fmt.Sprintf("%s %s (%s leg): %s", f.Severity, f.ID, f.Leg, f.Detail))
	}
	return strings.Join(lines, "\n")
}

// openKeyLog opens the file of secrets for the owner alone; nil when there is none.
func openKeyLog(name string, log *zap.Logger) (io.WriteCloser, error) {
	if name == "" {
		return nil, nil
	}
	f, err := openPrivate(name)
	if err != nil {
		return nil, fmt.Errorf("key log: %w", err)
	}
	log.Warn("the secrets of every session are written to a file: whoever reads it can read the traffic of both legs", zap.String("key_log", name))
	return f, nil
}
