//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// Where the disk is full, connections go on; it is said once, and not for every one of them.
func TestFullDiskEndsNoConnection(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no /dev/full here: ", err)
	}
	s := newSite(t)
	const name = "app.example"
	p := startProxy(t, nil, s.flags(s.web(certstest.Healthy, name, "hello"), name, "--record", "/dev/full", "--fail-on", "never")...)
	for range 20 {
		s.answers(p.address("default"), name, "hello")
	}
	p.records(20)
	if got := strings.Count(p.stderr.String(), "record not written"); got != 1 {
		t.Errorf("said %d times", got)
	}
	p.terminate()
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A record that was written in part, because the program was killed or the disk was full, spoils no other one.
func TestTornRecordsSpoilNoOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.ndjson")
	torn := `{"schema":1,"event":{"id":"to`
	if err := os.WriteFile(file, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	const name = "app.example"
	backend := s.web(certstest.Healthy, name, "hello")
	for range 2 { // the second time nothing is torn
		p := startProxy(t, nil, s.flags(backend, name, "--record", file)...)
		s.answers(p.address("default"), name, "hello")
		p.records(1)
		p.terminate()
		p.exitCode()
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 3 || lines[0] != torn || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("%d lines: %.200q", len(lines), lines)
	}
}

// kill -9 at any moment leaves what the next run starts from: the address is free again, the authority is the one that clients trust, and
// every whole line of the recording is a record.
func TestKilledAndStartedAgain(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	backend := s.web(certstest.Healthy, name, "hello")
	dir := t.TempDir()
	file, address := filepath.Join(dir, "records.ndjson"), freePort(t)
	var root []byte
	for run := range 3 {
		args := []string{"--listen", address, "--backend", "tls://" + backend, "--backend-ca", s.root, "-o", "json", "--ca-dir", filepath.Join(dir, "ca"), "--record", file}
		p := startProxy(t, nil, args...)
		code, pem, _ := runProgram(t, nil, "ca", "export", "--ca-dir", filepath.Join(dir, "ca"))
		if code != 0 || run > 0 && pem != string(root) {
			t.Fatalf("run %d has another authority (exit %d)", run, code)
		}
		root = []byte(pem)
		if !s.roots.AppendCertsFromPEM(root) {
			t.Fatal("no certificate was exported")
		}
		for range 5 {
			s.answers(address, name, "hello")
		}
		p.records(5)
		eventually(t, "all records in the file", func() error { // the file is written beside the output
			if n := recordsIn(t, file); n != 5*(run+1) {
				return fmt.Errorf("%d records", n)
			}
			return nil
		})
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	if n := recordsIn(t, file); n != 15 {
		t.Errorf("%d of 15 records are left", n)
	}
}

// recordsIn counts the whole lines of a file of records.
func recordsIn(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for line := range bytes.Lines(data) {
		if json.Valid(line) {
			records++
		}
	}
	return records
}

// Reloads, one after the other, lose no request: not those that come, nor those that are under way.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	first, second := s.web(certstest.Healthy, name, "hello"), s.web(certstest.Healthy, name, "hello")
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	cert, key := s.pki.Make(certstest.Healthy, name).WriteFiles(t)
	write := func(backend string) {
		replaceFile(t, file, fmt.Appendf(nil, "listeners:\n  - address: 127.0.0.1:0\n    certificates: [{cert: %q, key: %q}]\n    routes: [{backend: {url: \"tls://%s\", ca: %q, server_name: %s}}]\noutput: json\nlimits: {queue: 100000}\n",
			cert, key, backend, s.root, name))
	}
	write(first)
	p := startProxy(t, nil, "--config", file)
	address := p.address("default")
	var asked atomic.Int64
	done := make(chan struct{})
	failures := make(chan error, 4)
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got, err := s.ask(address, name); err != nil || got != "hello" {
					failures <- errors.Join(fmt.Errorf("request %d: %q", asked.Load(), got), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	const reloads = 100
	for i := range reloads {
		write([]string{first, second}[i%2])
		p.hangUp(reloadedLine)
	}
	close(done)
	load.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	if asked.Load() < 10 {
		t.Errorf("only %d requests over %d reloads", asked.Load(), reloads)
	}
	p.records(int(asked.Load()))
	t.Logf("%d requests over %d reloads", asked.Load(), reloads)
}
