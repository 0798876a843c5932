package recording

// maxHelloBytes bounds a hello that comes as bytes; what surrounds it (record headers) comes on top.
const maxHelloBytes = 64 << 10

// maxFramed bounds a hello with its record headers, of which a fragment of one byte can have five bytes each.
const maxFramed = 256 << 10

// frame finds the hello at the beginning of b: the message, how many bytes it takes with its framing, and whether it has the SSLv2
// format. With need above len(b) more bytes are needed to tell. The message is copied into buf where records cut it.
//
// It may be framed in TLS records (RFC 8446, Section 5.1), in an SSLv2 record of two length bytes (RFC 5246, Appendix E.2), or
// not at all: then it begins with its handshake type, which in both formats is 1, and what follows tells them apart: a length
// of less than 64 KiB, or version 3.x.
func frame(b, buf []byte) (msg []byte, used, need int, sslv2 bool, err error) {
	if len(b) < 5 {
		return nil, 0, 5, false, nil
	}
	switch {
	case b[0] == 0x16 && b[1] == 3:
		msg, used, need, err = frameRecords(b, buf)
		return msg, used, need, false, err
	case b[0] == 1 && b[1] == 0:
		used = 4 + int(b[2])<<8 + int(b[3])
		if len(b) < used {
			return nil, 0, used, false, nil
		}
		return b[:used], used, 0, false, nil
	case b[0] == 1 && b[1] == 3:
		if len(b) < 9 {
			return nil, 0, 9, true, nil
		}
		used = 9 + int(b[3])<<8 + int(b[4]) + int(b[5])<<8 + int(b[6]) + int(b[7])<<8 + int(b[8])
		if used > maxHelloBytes {
			return nil, 0, 0, true, errHelloMax
		}
		if len(b) < used {
			return nil, 0, used, true, nil
		}
		return b[:used], used, 0, true, nil
	case b[0]&0x80 != 0 && b[2] == 1:
		used = 2 + int(b[0]&0x7F)<<8 + int(b[1])
		if len(b) < used {
			return nil, 0, used, true, nil
		}
		return b[2:used], used, 0, true, nil
	}
	return nil, 0, 0, false, errNoHello
}

// frameRecords takes a handshake message out of TLS records.
func frameRecords(b, buf []byte) (msg []byte, used, need int, err error) {
	msg = buf[:0]
	for at := 0; ; {
		if len(b)-at < 5 {
			return nil, 0, at + 5, nil
		}
		if b[at] != 0x16 || b[at+1] != 3 {
			return nil, 0, 0, errCut
		}
		n := int(b[at+3])<<8 | int(b[at+4])
		if n == 0 {
			return nil, 0, 0, errNoHello
		}
		if len(b)-at-5 < n {
			return nil, 0, at + 5 + n, nil
		}
		msg = append(msg, b[at+5:at+5+n]...)
		at += 5 + n
		if msg[0] != 1 || len(msg) > 1 && msg[1] != 0 {
			return nil, 0, 0, errNoHello
		}
		if len(msg) >= 4 {
			if whole := 4 + int(msg[2])<<8 + int(msg[3]); len(msg) >= whole {
				return msg[:whole], at, 0, nil
			}
		}
		if at > maxFramed {
			return nil, 0, 0, errHelloMax
		}
	}
}
