package capture_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestCompressedAndCut reads a compressed capture whose end is missing.
func TestCompressedAndCut(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(conversationOf(pieces(ecdhe(t), 1000), 9)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := capture.Read(t.Context(), bytes.NewReader(b.Bytes()[:b.Len()-8]), "cut", capture.Options{}); !errors.Is(err, capture.ErrTruncated) {
		t.Errorf("%v", err)
	}
}

// TestOtherCompressions says of a file that it is compressed, not that it is no capture.
func TestOtherCompressions(t *testing.T) {
	for name, begins := range map[string]string{"xz": "\xFD7zXZ\x00", "bzip2": "BZh9", "lz4": "\x04\x22\x4D\x18", "compress": "\x1F\x9D\x90"} {
		if _, err := capture.Read(t.Context(), bytes.NewReader([]byte(begins+"rest of it")), name, capture.Options{}); !errors.Is(err, capture.ErrCompressed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
