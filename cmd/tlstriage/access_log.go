package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
)

// accessLog is the file that requests are appended to. What is written is held back for a moment, so that many requests cost one call.
type accessLog struct {
	config configs.AccessLog
	log    *zap.Logger

	mu      sync.Mutex
	file    *os.File
	out     *bufio.Writer
	flush   *time.Timer
	waiting bool // the timer runs
	broken  bool // the last write failed, and that was said
	closed  bool
	lost    uint64 // lines since then
	missing uint64 // lines, ever
	held    uint64 // lines that are held back
}

// How long a line may be held back.
const accessDelay = 100 * time.Millisecond

// openAccessLog opens the access log; nil: there is none.
func openAccessLog(c configs.AccessLog, log *zap.Logger) (*accessLog, error) {
	if c.File == "" {
		return nil, nil
	}
	file, err := openPrivate(c.File)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	a := &accessLog{config: c, log: log, file: file, out: bufio.NewWriterSize(file, 64<<10)}
	a.flush = time.AfterFunc(time.Hour, a.flushNow)
	a.flush.Stop()
	return a, nil
}

// Write appends a request.
func (a *accessLog) Write(r *inspect.HTTPRequest) {
	if a.config.Query != configs.On {
		r.Query = ""
	}
	var line []byte
	if a.config.Format == configs.AccessCombined {
		line = combinedLine(r)
	} else {
		line = requestLine(r)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	_, err := a.out.Write(line)
	if a.held++; err == nil && a.out.Buffered() <= len(line) {
		a.held = 1 // what was held back before it is written
	}
	a.wrote(err)
	if !a.waiting {
		a.waiting = true
		a.flush.Reset(accessDelay)
	}
}

// Missing is how many lines could not be written since the start.
func (a *accessLog) Missing() uint64 {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.missing
}

// wrote says aloud, once, that writing fails, and goes on: a full disk must not stop requests. a.mu is held.
func (a *accessLog) wrote(err error) {
	if err == nil {
		if a.out.Buffered() == 0 {
			a.held = 0
		}
		if a.broken && a.out.Buffered() == 0 {
			a.broken = false
			a.log.Info("access log: written again", zap.Uint64("lost", a.lost))
		}
		return
	}
	if !a.broken {
		a.lost = 0
	}
	a.lost += a.held
	a.missing += a.held
	a.held = 0
	a.out.Reset(a.file) // a bufio.Writer keeps its first error
	if !a.broken {
		a.broken = true
		a.log.Error("access log: not written; requests go on without it", zap.Error(err))
	}
}

func (a *accessLog) flushNow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = false
	if !a.closed {
		a.wrote(a.out.Flush())
	}
}

// Reopen opens the file by its name again, which somebody may have moved away.
func (a *accessLog) Reopen() error {
	if a == nil {
		return nil
	}
	file, err := openPrivate(a.config.File)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return file.Close()
	}
	a.wrote(a.out.Flush())
	a.file.Close()
	a.file = file
	a.out.Reset(file)
	return nil
}

// Close writes what was held back.
func (a *accessLog) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	a.flush.Stop()
	err := a.out.Flush()
	a.wrote(err)
	if a.broken {
		a.log.Warn("access log: lines are missing at its end", zap.Uint64("lost", a.lost))
	}
	if closing := a.file.Close(); err == nil {
		err = closing
	}
	return err
}

// requestLine is a request as one line of JSON, in which nothing acts on a terminal or hides from an eye.
func requestLine(r *inspect.HTTPRequest) []byte {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil // of a struct of strings and numbers there is none
	}
	if plain(line.Bytes()) {
		return line.Bytes()
	}
	out := make([]byte, 0, line.Len()+64)
	for _, c := range line.String() {
		switch {
		case c == '\n' || unicode.IsPrint(c):
			out = append(out, string(c)...)
		case c > 0xffff:
			c -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(c>>10), 0xdc00+(c&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return out
}

func plain(line []byte) bool {
	for _, c := range line {
		if c >= 0x7f || c < ' ' && c != '\n' {
			return false
		}
	}
	return true
}

// combinedLine is a request as web servers log it (without the referrer, which holds other sites' query strings), and the id of the
// record and of the request behind that.
func combinedLine(r *inspect.HTTPRequest) []byte {
	var b strings.Builder
	client := r.Client.Address
	if client == "" {
		client = "-"
	}
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	fmt.Fprintf(&b, "%s - - [%s] ", client, r.Timestamp.Format("02/Jan/2006:15:04:05 -0700"))
	quote(&b, r.Method+" "+target+" "+r.Protocol)
	fmt.Fprintf(&b, " %d %d \"-\" ", r.Status, r.BytesSent)
	quote(&b, orDash(r.UserAgent))
	b.WriteByte(' ')
	quote(&b, r.EventID)
	b.WriteByte(' ')
	quote(&b, orDash(r.RequestID))
	b.WriteByte('\n')
	return []byte(b.String())
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// quote writes a string in quotes, its quotes, backslashes and whatever is not plain ASCII as \xHH.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
