//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// recordedTalk is what both sides of the only connection of a capture of the collection said.
func recordedTalk(b testing.TB, path ...string) []capture.Chunk {
	b.Helper()
	name := filepath.Join(append([]string{"..", "..", "..", "shared", "captures", "files"}, path...)...)
	file, err := os.ReadFile(name)
	if err != nil {
		b.Skipf("the captures are not here: %v", err)
	}
	var chunks []capture.Chunk
	_, err = capture.Read(context.Background(), bytes.NewReader(file), name, capture.Options{OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
		for _, p := range packets {
			ip := p.Data[14:] // Ethernet and IPv4
			tcp := ip[int(ip[0]&15)*4 : binary.BigEndian.Uint16(ip[2:])]
			from := inspect.FromServer
			if int(binary.BigEndian.Uint16(tcp)) == c.Client.Port {
				from = inspect.FromClient
			}
			if data := tcp[int(tcp[12]>>4)*4:]; len(data) > 0 {
				chunks = append(chunks, capture.Chunk{From: from, Data: bytes.Clone(data)})
			}
		}
	}})
	if err != nil || len(chunks) == 0 {
		b.Fatalf("%d chunks, %v", len(chunks), err)
	}
	return chunks
}

// captureOf writes a capture of n connections.
func captureOf(b *testing.B, n int, talk []capture.Chunk) (name string, size int64) {
	b.Helper()
	name = filepath.Join(b.TempDir(), "bench.pcapng")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, at := capture.NewWriter(f), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at = at.Add(100 * time.Microsecond)
		if err := w.AddExchange(&capture.Exchange{
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(20000+i%40000)),
			Server: netip.MustParseAddrPort("192.0.2.1:443"), Began: at, Chunks: talk, End: inspect.EndFINClient,
		}); err != nil {
			b.Fatal(err)
		}
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return name, info.Size()
}

// BenchmarkPcap reads the same captures with this program and with others, one after the other; what counts is processor time.
func BenchmarkPcap(b *testing.B) {
	tls12 := recordedTalk(b, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap")
	record := make([]byte, 1448)
	copy(record, []byte{23, 3, 3, byte((1448 - 5) >> 8), (1448 - 5) & 0xFF})
	bulk := tls12[:len(tls12):len(tls12)]
	for range 4000 {
		bulk = append(bulk, capture.Chunk{From: inspect.FromServer, Data: record})
	}
	for _, test := range []struct {
		name        string
		connections int
		talk        []capture.Chunk
	}{
		{"handshakes of TLS 1.2", 20_000, tls12},
		{"handshakes of TLS 1.3", 20_000, recordedTalk(b, "CESNET+FlowTest", "pcap", "tls13.pcap")},
		{"payload", 20, bulk},
	} {
		b.Run(test.name, func(b *testing.B) {
			name, size := captureOf(b, test.connections, test.talk)
			for _, peer := range []struct {
				name    string
				program string
				args    []string
			}{
				{"tlstriage", "", []string{"pcap", name, "--fail-on", "never"}},
				{"tlstriage -o json", "", []string{"pcap", name, "--fail-on", "never", "-o", "json"}},
				{"capinfos", "capinfos", []string{"-c", "-a", "-e", "-z", name}},
				{"tcpdump -w", "tcpdump", []string{"-r", name, "-w", "/dev/null"}},
				{"tshark", "tshark", []string{"-r", name, "-Y", "tls.handshake.type==1", "-T", "fields", "-e", "ip.src", "-e", "tls.handshake.extensions_server_name", "-e", "tls.handshake.ja3"}},
			} {
				b.Run(peer.name, func(b *testing.B) {
					var used time.Duration
					for b.Loop() {
						used += processorOf(b, peer.program, peer.args...)
					}
					seconds := used.Seconds() / float64(b.N)
					b.ReportMetric(float64(size)/1e6/seconds, "MB/cpu-s")
					b.ReportMetric(float64(test.connections)/seconds, "connections/cpu-s")
					b.ReportMetric(seconds*1000, "cpu-ms/op")
				})
			}
		})
	}
}

// processorOf runs a program, or this one if it has no name, and tells what it used of all processors.
func processorOf(b *testing.B, program string, args ...string) time.Duration {
	b.Helper()
	command := exec.Command(program, args...)
	if program == "" {
		command = exec.Command(os.Args[0], args...)
		command.Env = append(os.Environ(), benchRole+"=tlstriage")
	} else if _, err := exec.LookPath(program); err != nil {
		b.Skip(err)
	}
	if out, err := command.Output(); err != nil {
		b.Fatalf("%v: %.300s", err, fmt.Sprint(string(out), err))
	}
	usage := command.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
