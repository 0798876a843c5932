package capture_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// small are limits that hostile input reaches soon.
var small = capture.Limits{Flows: 16, Records: 16, FlowBytes: 4 << 10, TotalBytes: 64 << 10, PacketBytes: 8 << 10, Handshakes: 8}

// FuzzRead reads any bytes as a file.
func FuzzRead(f *testing.F) {
	dir := shared(f, "captures", "files")
	seeds := 0
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil && info.Size() < 8<<10 {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f.Add(b)
			seeds++
		}
		return nil
	})
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := capture.Options{
			Limits: small, OnConnection: func(c *inspect.Connection) {
				if c.Client.Address == "" {
					t.Error("a record without an address")
				}
			},
			OnPackets: func(*inspect.Connection, []capture.Packet) {},
		}
		stats, _ := capture.Read(context.Background(), bytes.NewReader(b), "fuzz", o)
		if stats.Bytes > uint64(len(b))*1100 { // gzip: at most some 1032 to 1
			t.Errorf("%d bytes of packets out of %d", stats.Bytes, len(b))
		}
	})
}
