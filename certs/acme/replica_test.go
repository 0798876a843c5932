package acme_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/acme"
)

const replicaEnv = "TLSTRIAGE_TEST_ACME_REPLICA"

// replicaConfig is what a replica is told: another process, as certmagic keeps some state for the whole process.
type replicaConfig struct {
	Directory, Dir, Listen string
	Root                   []byte
	Names                  []string
}

// replica runs in the other process: it serves, says the serial number of its certificate, and ends when its input does.
func replica(config string) int {
	var c replicaConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Println("error", err)
		return 1
	}
	root, err := x509.ParseCertificate(c.Root)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	loaded := make(chan struct{}, 100)
	m, err := acme.New(acme.Settings{Directory: c.Directory, Roots: roots, Dir: c.Dir, Names: c.Names, Email: "ops@example.com", OnEvent: func(e acme.Event) {
		if e.Kind == acme.Failed {
			fmt.Println("error", e.Err)
		}
		if e.Kind == acme.Loaded {
			loaded <- struct{}{}
		}
	}}, nil)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	stop := serve(m, l)
	m.Start()
	for range c.Names {
		<-loaded
	}
	fmt.Println("ready", l.Addr())
	io.Copy(io.Discard, os.Stdin)
	m.Close()
	stop()
	return 0
}

// startReplica returns a channel that gives the replica's address once it has its certificates.
func startReplica(t *testing.T, c replicaConfig) <-chan string {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), replicaEnv+"="+string(config))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- at
			} else {
				t.Log(lines.Text())
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer timer.Stop()
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("replica: %v", err)
		}
	})
	return ready
}
