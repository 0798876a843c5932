package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// demoHellos are ClientHellos that real programs sent, each with its source.
//
//go:embed demo_hellos.json
var demoHellos []byte

// recordedHello is one entry of demoHellos.
type recordedHello struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	Source string `json:"source"`
	Record string `json:"record_hex"` // what went over the wire, record header included
}

func recordedHellos() ([]recordedHello, error) {
	var hellos []recordedHello
	if err := json.Unmarshal(demoHellos, &hellos); err != nil {
		return nil, fmt.Errorf("demo: recorded hellos: %w", err)
	}
	return hellos, nil
}

// A step of the demo must not take longer. None does, but where the machine has no time for it.
const demoStep = 30 * time.Second

// get makes a request through the proxy for name and says what came back.
func get(ctx context.Context, proxyAddr, name string, roots *x509.CertPool) string {
	ctx, cancel := context.WithTimeout(ctx, demoStep)
	defer cancel()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, proxyAddr)
		},
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
	if err != nil {
		return err.Error()
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return response.Proto + " " + response.Status
}

// send writes bytes to the proxy as they are, reads what comes back, and closes.
func send(ctx context.Context, proxyAddr string, data []byte) string {
	ctx, cancel := context.WithTimeout(ctx, demoStep)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", proxyAddr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(demoStep))
	if len(data) == 0 {
		return "nothing sent"
	}
	if _, err := conn.Write(data); err != nil {
		return err.Error()
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if n == 0 {
		return err.Error()
	}
	switch answer[0] {
	case 21:
		if n >= 7 {
			return fmt.Sprintf("alert %d", answer[6])
		}
		return "an alert"
	case 22:
		return "a ServerHello"
	}
	return fmt.Sprintf("%q…", answer[:min(n, 24)])
}

func (h recordedHello) send(ctx context.Context, proxyAddr string) string {
	data, err := hex.DecodeString(h.Record)
	if err != nil {
		return err.Error()
	}
	return send(ctx, proxyAddr, data)
}
