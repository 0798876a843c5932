package starttls

import (
	"io"
	"strconv"
)

// postgres sends an SSLRequest, to which the server says S or N.
func (d *dialogue) postgres() error {
	if err := d.say("\x00\x00\x00\x08\x04\xd2\x16\x2f"); err != nil {
		return err
	}
	c, err := d.in.ReadByte()
	if err != nil {
		return err
	}
	if c != 'S' {
		return d.unexpected(c == 'N', string(c))
	}
	return nil
}

// Capabilities of the MySQL protocol.
const (
	mysqlProtocol41   = 0x0200
	mysqlSSL          = 0x0800
	mysqlSecure       = 0x8000
	mysqlPacketHeader = 4
)

// mysql reads the greeting and answers with an SSLRequest, a handshake response that ends before the user's name.
func (d *dialogue) mysql() error {
	greeting, err := d.sized(mysqlPacketHeader, func(head []byte) int { return int(head[0]) | int(head[1])<<8 | int(head[2])<<16 })
	if err != nil {
		return err
	}
	body := greeting[mysqlPacketHeader:]
	version := 1
	for version < len(body) && body[version] != 0 {
		version++
	}
	at := version + 1 + 4 + 8 + 1 // thread id, the first part of the challenge, a filler
	if len(body) < at+2 || body[0] != 10 {
		return d.unexpected(len(body) > 0 && body[0] == 0xff, string(body))
	}
	if (int(body[at])|int(body[at+1])<<8)&mysqlSSL == 0 {
		return d.unexpected(true, "the server's capabilities are without SSL")
	}
	capabilities := mysqlProtocol41 | mysqlSSL | mysqlSecure
	request := append([]byte{32, 0, 0, 1, byte(capabilities), byte(capabilities >> 8), 0, 0, 0, 0, 0, 1, 45}, make([]byte, 23)...)
	return d.say(string(request))
}

// sized reads a packet whose length stands in its header.
func (d *dialogue) sized(header int, length func(head []byte) int) ([]byte, error) {
	packet := make([]byte, header, 256)
	if _, err := io.ReadFull(d.in, packet); err != nil {
		return nil, err
	}
	n := length(packet)
	if n < 0 || n > maxDialogueLine {
		return nil, d.unexpected(false, string(packet))
	}
	packet = append(packet, make([]byte, n)...)
	if _, err := io.ReadFull(d.in, packet[header:]); err != nil {
		return nil, err
	}
	return packet, nil
}

// ldap sends the extended request StartTLS with message id 1 and reads its result code.
func (d *dialogue) ldap() error {
	const oid = ldapStartTLS
	request := append([]byte{0x30, byte(7 + len(oid)), 0x02, 0x01, 0x01, 0x77, byte(2 + len(oid)), 0x80, byte(len(oid))}, oid...)
	if err := d.say(string(request)); err != nil {
		return err
	}
	answer, err := d.element()
	if err != nil {
		return err
	}
	return d.ldapConsent(answer)
}

// ldapConsent reads the result of the operation.
func (d *dialogue) ldapConsent(answer []byte) error {
	// LDAPMessage ::= SEQUENCE { messageID, ExtendedResponse [APPLICATION 24] { resultCode ENUMERATED, … } }
	_, rest, ok := berElement(answer, 0x02)
	var response, code []byte
	if ok {
		response, _, ok = berElement(rest, 0x78)
	}
	if ok {
		code, _, ok = berElement(response, 0x0a)
	}
	switch {
	case !ok || len(code) != 1:
		return d.unexpected(false, string(answer))
	case code[0] != 0:
		text := "result code " + strconv.Itoa(int(code[0]))
		if _, rest, ok := berElement(response, 0x0a); ok {
			_, rest, _ = berElement(rest, 0x04) // matchedDN
			if why, _, _ := berElement(rest, 0x04); len(why) > 0 {
				text += ": " + string(why)
			}
		}
		return d.unexpected(true, text)
	}
	return nil
}

// element reads a SEQUENCE and gives its contents.
func (d *dialogue) element() ([]byte, error) {
	head := make([]byte, 2, 6)
	if _, err := io.ReadFull(d.in, head); err != nil {
		return nil, err
	}
	n := int(head[1])
	if more := n - 0x80; more > 0 && more <= 4 {
		head = head[:2+more]
		if _, err := io.ReadFull(d.in, head[2:]); err != nil {
			return nil, err
		}
		n = 0
		for _, c := range head[2:] {
			n = n<<8 | int(c)
		}
	} else if more >= 0 {
		n = -1
	}
	if head[0] != 0x30 || n < 0 || n > maxDialogueLine {
		return nil, d.unexpected(false, string(head))
	}
	body := make([]byte, n)
	_, err := io.ReadFull(d.in, body)
	return body, err
}

// berElement takes the first element off b, which must have the tag and a length of at most four bytes.
func berElement(b []byte, tag byte) (body, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	n, at := int(b[1]), 2
	if more := n - 0x80; more > 0 && more <= 4 && len(b) >= 2+more {
		n, at = 0, 2+more
		for _, c := range b[2:at] {
			n = n<<8 | int(c)
		}
	} else if more >= 0 {
		return nil, nil, false
	}
	if n < 0 || n > len(b)-at {
		return nil, nil, false
	}
	return b[at : at+n], b[at+n:], true
}

// rdp sends an X.224 Connection Request that asks for TLS or CredSSP, and reads the Connection Confirm.
func (d *dialogue) rdp() error {
	if err := d.say("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"); err != nil {
		return err
	}
	answer, err := d.sized(4, func(head []byte) int {
		if head[0] != 3 {
			return -1
		}
		return int(head[2])<<8 + int(head[3]) - 4
	})
	if err != nil {
		return err
	}
	// RDP_NEG_RSP has type 2 and the protocol that was chosen; RDP_NEG_FAILURE has type 3. Without either there is plain RDP only.
	if len(answer) < 19 || answer[11] != 2 || answer[15] == 0 {
		return d.unexpected(true, string(answer))
	}
	return nil
}
