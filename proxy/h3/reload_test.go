package h3

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// reload puts listeners in force as the program does.
func (r *rig) reload(listeners ...*proxy.Listener) error {
	change, err := r.udp.Prepare(listeners)
	if err != nil {
		return err
	}
	if err := r.tcp.Reload(listeners); err != nil {
		change.Abort()
		return err
	}
	change.Commit()
	r.listener = listeners[0]
	return nil
}

// streaming is a backend that goes on when it is told to.
func streaming(t *testing.T, pki *certstest.PKI) (*proxy.Backend, chan string) {
	say := make(chan string)
	return httpBackend(t, pki, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			w.Write([]byte("well"))
			return
		}
		for text := range say {
			io.WriteString(w, text+"\n")
			w.(http.Flusher).Flush()
		}
	}), say
}

// stream begins an answer that takes a while.
func stream(t *testing.T, c *http.Client) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return bufio.NewReader(answer.Body)
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	text, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func TestReloadLeavesConnectionsAlone(t *testing.T) {
	pki := certstest.New(t)
	backend, say := streaming(t, pki)
	r := inHTTPMode(t, pki, backend)
	address := r.address()
	c := r.client()
	go func() { say <- "one" }()
	body := stream(t, c)
	if got := line(t, body); got != "one" {
		t.Errorf("%q", got)
	}
	next := *r.listener
	next.Routes = []*proxy.Route{{Name: "renewed", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}
	if err := r.reload(&next); err != nil {
		t.Fatal(err)
	}
	if r.address().String() != address.String() {
		t.Errorf("the socket moved from %s to %s", address, r.address())
	}
	r.works()
	if record := r.record(); record.Route != "renewed" {
		t.Errorf("a new connection took route %s", record.Route)
	}
	// A listener that ends takes no more connections, and lets the open one end by itself.
	gone := next
	gone.QUIC = ""
	if err := r.reload(&gone); err != nil {
		t.Fatal(err)
	}
	if r.udp.Addr(&next) != nil {
		t.Error("the listener is still in force")
	}
	go func() { say <- "two"; close(say) }()
	if got := line(t, body); got != "two" {
		t.Errorf("%q", got)
	}
	closeClient(c)
	if record := r.record(); record.Route != "default" || record.Event.Outcome != inspect.Success || record.HTTP.Statuses[0].Code != 200 {
		t.Errorf("record %+v", record)
	}
	await(t, "the end of the socket", func() bool {
		r.udp.mu.Lock()
		defer r.udp.mu.Unlock()
		return len(r.udp.retired) == 0
	})
	// And what is in the way of a new one leaves everything as it was.
	taken := udpSocket(t)
	bad := next
	bad.QUIC = taken.LocalAddr().String()
	if err := r.reload(&bad); err == nil {
		t.Error("a port that is taken was no error")
	}
	back := next
	if err := r.reload(&back); err != nil {
		t.Fatal(err)
	}
	r.works()
	r.record()
	r.none()
}

// A reload may change what becomes of clients; those that are there stay what they are, on the same socket.
func TestReloadChangesTheMode(t *testing.T) {
	pki := certstest.New(t)
	backend := saying(t, pki, testName)
	r := inHTTPMode(t, pki, backend)
	ask := func(c *http.Client) {
		t.Helper()
		if _, text := fetch(t, c, http.MethodGet, "https://"+testName+"/", nil); text != testName+" 0" {
			t.Errorf("%q", text)
		}
	}
	address := r.address().String()
	terminated := r.client()
	ask(terminated)
	passing := *r.listener
	passing.Mode = proxy.Passthrough
	if err := r.reload(&passing); err != nil {
		t.Fatal(err)
	}
	passed := r.client()
	for range 2 {
		ask(passed)
		ask(terminated)
	}
	if s := r.udp.Stats(); s.Passed != 1 || s.Flows != 1 || r.address().String() != address {
		t.Errorf("%+v", s)
	}
	again := passing
	again.Mode = proxy.HTTP
	if err := r.reload(&again); err != nil {
		t.Fatal(err)
	}
	last := r.client()
	for range 2 {
		ask(last)
		ask(passed)
		ask(terminated)
	}
	closeClient(last)
	closeClient(terminated)
	for range 2 {
		if record := r.record(); record.ClientLeg.Passthrough || record.Event.Outcome != inspect.Success {
			t.Errorf("record %+v", record)
		}
	}
	closeClient(passed)
	r.udp.sockets[keyOf(r.listener)].relays.close()
	if record := r.record(); !record.ClientLeg.Passthrough || record.Event.Outcome != inspect.Success {
		t.Errorf("record %+v", record)
	}
	r.none()
}

func TestShutdownLetsRequestsEnd(t *testing.T) {
	pki := certstest.New(t)
	backend, say := streaming(t, pki)
	r := inHTTPMode(t, pki, backend)
	busy, idle := r.client(), r.client()
	fetch(t, idle, http.MethodGet, "https://"+testName+"/", nil)
	go func() { say <- "one" }()
	body := stream(t, busy)
	line(t, body)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.shutdown(ctx)
	}()
	first := r.record() // of the one that has nothing to wait for
	if first.HTTP.Requests != 1 || first.ClientLeg.Error != nil {
		t.Errorf("record %+v", first)
	}
	select {
	case <-ended:
		t.Fatal("the shutdown did not wait for a request")
	default:
	}
	go func() { say <- "two"; close(say) }()
	if got := line(t, body); got != "two" {
		t.Errorf("%q", got)
	}
	if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	<-ended
	second := r.record()
	if second.ClientLeg.Error != nil || second.HTTP.Statuses[0].Code != 200 {
		t.Errorf("record %+v, error %+v", second, second.ClientLeg.Error)
	}
	r.none()
}

// A client whose handshake is done when the end has begun is told that its requests were not looked at, and is no success.
func TestShutdownRejectsWhoComesLate(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.udp.http.Shutdown(ctx); err != nil { // as far as it is when a handshake is overtaken by it
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: udpSocket(t)}
	defer transport.Close()
	conn, err := transport.Dial(ctx, r.address(), r.clientConfig(), &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var rejected *http3.Error
	if _, err := (&http3.Transport{}).NewClientConn(conn).RoundTrip(request); !errors.As(err, &rejected) || rejected.ErrorCode != http3.ErrCodeRequestRejected || !rejected.Remote {
		t.Errorf("%v", err)
	}
	if e := r.record().ClientLeg.Error; e == nil || e.Type != inspect.ErrorShutdown {
		t.Errorf("error %+v", e)
	}
	r.none()
}

func TestShutdownEndsHandshakes(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	c := newRawClient(t, r.address())
	c.send(c.initial(0, hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), c.header.SourceID...), 1200))
	await(t, "a handshake", func() bool { return r.tcp.Active() == 1 && r.udp.Stats().Handshakes == 1 })
	if c.answer(patience) == nil {
		t.Fatal("no answer")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.shutdown(ctx)
	if leg := r.record().ClientLeg; leg.Error == nil || leg.Error.Type != inspect.ErrorShutdown || leg.QUIC.Close != nil {
		t.Errorf("error %+v, quic %+v", leg.Error, leg.QUIC)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	for name, shutdown := range map[string]func(*rig, context.Context){
		"with the end of package proxy": (*rig).shutdown,
		"before it":                     func(r *rig, ctx context.Context) { r.udp.Shutdown(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			pki := certstest.New(t)
			backend, say := streaming(t, pki)
			defer close(say)
			r := inHTTPMode(t, pki, backend)
			c := r.client()
			go func() { say <- "one" }()
			line(t, stream(t, c))
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			shutdown(r, ctx)
			if record := r.record(); record.ClientLeg.Error == nil || record.ClientLeg.Error.Type != inspect.ErrorShutdown {
				t.Errorf("error %+v", record.ClientLeg.Error)
			}
		})
	}
}

// The end is not held up by clients that go on to begin connections, nor are they by it.
func TestShutdownWhileClientsBegin(t *testing.T) {
	pki := certstest.New(t)
	backend := answering(t, pki)
	for range 3 {
		r := inHTTPMode(t, pki, backend)
		to := r.address()
		c := newRawClient(t, to)
		config := r.clientConfig(func(c *tls.Config) { c.NextProtos, c.CurvePreferences = []string{"h4"}, []tls.CurveID{tls.X25519} })
		var initials [][]byte
		for range 100 {
			n := c.again()
			initials = append(initials, n.initial(0, hello(t, config, n.header.SourceID...), 1200))
		}
		socket := udpSocket(t)
		stop := make(chan struct{})
		var clients sync.WaitGroup
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					socket.WriteTo(initials[i%len(initials)], to)
				}
			}
		})
		await(t, "hellos", func() bool { return r.udp.Stats().Hellos > 20 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ended := make(chan struct{})
		go func() { r.shutdown(ctx); close(ended) }()
		await(t, "the end", func() bool {
			for len(r.records) > 0 {
				<-r.records
			}
			select {
			case <-ended:
				return true
			default:
				return false
			}
		})
		cancel()
		close(stop)
		clients.Wait()
	}
}
