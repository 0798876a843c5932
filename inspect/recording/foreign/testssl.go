package foreign

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// maxLine bounds a line: a hello of 64 KiB in hexadecimal digits.
const maxLine = 256 << 10

// testSSL reads etc/client-simulation.txt: assignments of the shell that append to arrays, `names+=("Android 4.4.2")`, one block
// for a client, begun by its name. Of them only `handshakebytes` matters, in which the whole hello stands; clients that
// testssl.sh tries with OpenSSL and without bytes cannot be sent by anybody else. What is commented out is not read: those clients
// are held to be out of use.
func testSSL(data []byte, yield func(client) bool) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var current *client
	number, seen := 0, 0
	end := func() bool {
		c := current
		current = nil
		if c == nil {
			return true
		}
		if c.bytes == nil && c.err == nil {
			c.err = errors.New("handshakebytes is missing or empty: the file does not say what this client sends")
		}
		return yield(*c)
	}
	for lines.Scan() {
		number++
		key, value, ok := assignment(lines.Text())
		if !ok {
			continue
		}
		switch key {
		case "names":
			if !end() {
				return nil
			}
			seen++
			current = &client{name: strings.TrimSpace(value), line: number}
		case "handshakebytes":
			if current == nil {
				return &Error{Line: number, Err: errors.New("handshakebytes before the first client's name")}
			}
			if value == "" {
				continue
			}
			sent, err := digits(value)
			if err != nil {
				current.err = fmt.Errorf("handshakebytes: %w", err)
				continue
			}
			current.bytes, current.line = sent, number
		}
	}
	if err := lines.Err(); err != nil {
		return &Error{Line: number + 1, Err: err}
	}
	if seen == 0 {
		return errors.New("no client is in it: no line like names+=(\"…\")")
	}
	end()
	return nil
}

// assignment takes `key+=("value")` or `key+=(value)` apart.
func assignment(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(strings.TrimSpace(line), "+=(")
	if !ok || strings.HasPrefix(key, "#") {
		return "", "", false
	}
	value, ok = strings.CutSuffix(strings.TrimRight(value, " \t\r;"), ")")
	if !ok {
		return "", "", false
	}
	if unquoted, quoted := strings.CutPrefix(value, `"`); quoted {
		if value, ok = strings.CutSuffix(unquoted, `"`); !ok {
			return "", "", false
		}
	}
	return key, value, true
}
