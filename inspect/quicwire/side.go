package quicwire

import "strconv"

// Side is one end of a connection.
type Side uint8

// Sides.
const (
	FromClient Side = iota
	FromServer
)

// String is "client" or "server".
func (s Side) String() string {
	if s == FromClient {
		return "client"
	}
	return "server"
}

func (s Side) other() Side { return s ^ 1 }

// Level is the encryption level that something was sent at (RFC 9001, Section 4).
type Level uint8

// Levels that carry TLS handshake messages.
const (
	LevelInitial Level = iota
	LevelHandshake
	LevelOneRTT
	levels = 3
)

// String names the level.
func (l Level) String() string {
	switch l {
	case LevelInitial:
		return "Initial"
	case LevelHandshake:
		return "Handshake"
	case LevelOneRTT:
		return "1-RTT"
	}
	return "level " + strconv.Itoa(int(l))
}
