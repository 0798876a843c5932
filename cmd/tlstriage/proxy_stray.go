package main

import (
	"bytes"
	"log"

	"go.uber.org/zap"
)

// strayLog takes what net/http says to the log that all of a program share: that a backend sent more than its answer, and the bytes of that. These are
// nobody's business.
type strayLog struct{ log *zap.Logger }

func (s strayLog) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("Unsolicited response")) {
		s.log.Warn("a backend sent bytes behind the end of an answer; the connection to it was closed")
	} else {
		s.log.Warn(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

// quietTransport sends the log of net/http's transport where everything else is said; what it returns undoes that.
func quietTransport(to *zap.Logger) (undo func()) {
	flags, before := log.Flags(), log.Writer()
	log.SetFlags(0)
	log.SetOutput(strayLog{to})
	return func() {
		log.SetFlags(flags)
		log.SetOutput(before)
	}
}
