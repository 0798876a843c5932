package capture

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Bounds of the file formats.
const (
	inputBuffer = 256 << 10
	maxPacket   = 1 << 20  // the longest packet that is believed in
	maxBlock    = 16 << 20 // the longest pcapng block that is read; packets, names and secrets are shorter
	zstdWindow  = 64 << 20 // the largest window that a zstd file may ask for
)

// input reads ahead into one buffer and hands out views into it.
type input struct {
	ctx    context.Context
	r      io.Reader
	buf    []byte
	at, n  int   // what is unread is buf[at:n]
	offset int64 // of buf[at] in the stream
	err    error // what the reader said last
}

func newInput(ctx context.Context, r io.Reader) *input {
	return &input{ctx: ctx, r: r, buf: make([]byte, inputBuffer)}
}

// peek gives the next n bytes without taking them; fewer when the stream ends before.
func (in *input) peek(n int) []byte {
	for in.n-in.at < n && in.err == nil {
		in.fill(n)
	}
	return in.buf[in.at:min(in.at+n, in.n)]
}

// take gives the next n bytes, valid until the next call; false when the stream ends before.
func (in *input) take(n int) ([]byte, bool) {
	if in.n-in.at < n {
		if len(in.peek(n)) < n {
			return nil, false
		}
	}
	b := in.buf[in.at : in.at+n : in.at+n]
	in.at += n
	in.offset += int64(n)
	return b, true
}

// fill makes room for n bytes and reads once.
func (in *input) fill(n int) {
	if in.at > 0 && len(in.buf)-in.at < max(n, inputBuffer/4) {
		copy(in.buf, in.buf[in.at:in.n])
		in.at, in.n = 0, in.n-in.at
	}
	if n > len(in.buf) {
		larger := make([]byte, min(max(n, 2*len(in.buf)), maxBlock))
		in.n = copy(larger, in.buf[in.at:in.n])
		in.buf, in.at = larger, 0
	}
	if err := in.ctx.Err(); err != nil {
		in.err = err
		return
	}
	got, err := in.r.Read(in.buf[in.n:])
	in.n += got
	if err != nil {
		in.err = err
	}
}

// skip takes n bytes that nobody wants.
func (in *input) skip(n int64) bool {
	for n > 0 {
		b := in.peek(int(min(n, inputBuffer/2)))
		if len(b) == 0 {
			return false
		}
		in.at += len(b)
		in.offset += int64(len(b))
		n -= int64(len(b))
	}
	return true
}

// end is why there is no more: nil at the end of the stream.
func (in *input) end() error {
	switch {
	case in.err == nil || errors.Is(in.err, io.EOF):
		return nil
	case errors.Is(in.err, io.ErrUnexpectedEOF): // of a decompressor
		return ErrTruncated
	}
	return in.err
}

// decompress looks at the first bytes and puts a decompressor in front where they ask for one. The closer ends it.
func decompress(in *input) (*input, func(), error) {
	none := func() {}
	head := in.peek(6)
	rest := io.MultiReader(unread{in}, in.r)
	switch {
	case len(head) >= 2 && head[0] == 0x1F && head[1] == 0x8B:
		z, err := gzip.NewReader(rest)
		if err != nil {
			return nil, none, fmt.Errorf("gzip: %w", err)
		}
		return newInput(in.ctx, z), func() { _ = z.Close() }, nil
	case len(head) >= 4 && head[0] == 0x28 && head[1] == 0xB5 && head[2] == 0x2F && head[3] == 0xFD:
		z, err := zstd.NewReader(rest, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, none, fmt.Errorf("zstd: %w", err)
		}
		return newInput(in.ctx, z), z.Close, nil
	}
	for _, magic := range otherCompressions {
		if bytes.HasPrefix(head, []byte(magic)) {
			return nil, none, ErrCompressed
		}
	}
	return in, none, nil
}

// otherCompressions are how files of xz, bzip2, lz4 and compress begin. No capture begins so.
var otherCompressions = [...]string{"\xFD7zXZ\x00", "BZh", "\x04\x22\x4D\x18", "\x1F\x9D"}

// unread reads what an input has read ahead.
type unread struct{ in *input }

func (u unread) Read(b []byte) (int, error) {
	if u.in.at == u.in.n {
		return 0, io.EOF
	}
	n := copy(b, u.in.buf[u.in.at:u.in.n])
	u.in.at += n
	return n, nil
}
