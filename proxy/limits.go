package proxy

import "time"

// Limits bound what strangers can make the proxy hold. A zero field means its default.
type Limits struct {
	Connections int // open at once, all listeners together; default 10,000
	HelloBytes  int // of a client's first flight until its hello is whole; default 64 KiB
	Queue       int // records that wait to be diagnosed; further ones are dropped and counted; default 4,096

	// LookInterval is for how long what a second look at a backend showed is taken for granted; default 5 min. A backend is looked
	// at for at most eight sets of names in this time.
	LookInterval time.Duration

	Timeouts Timeouts
}

// Timeouts are the deadlines of the phases of a connection. A zero field means its default.
type Timeouts struct {
	ProxyProtocol    time.Duration // until the PROXY protocol header is whole; default 5 s
	ClientHello      time.Duration // until the client's hello is whole; default 10 s
	Dial             time.Duration // resolving and connecting to the backend; default 5 s
	BackendHandshake time.Duration // TLS with the backend; default 10 s
	Settle           time.Duration // until a backend of TLS 1.3 that asked for a client certificate has said what it thinks of the answer; default 500 ms
	ClientHandshake  time.Duration // TLS with the client after its hello; default 10 s
	RequestHeader    time.Duration // HTTP mode: until the header of a request is whole; default 10 s
	RequestBody      time.Duration // HTTP mode: between two pieces of a request's body; default 1 min
	Response         time.Duration // HTTP mode: until the backend begins to answer a request; default 1 min
	BadGateway       time.Duration // waiting for the request that is answered with 502; default 5 s
	Idle             time.Duration // no byte in either direction; default 10 min
	Lifetime         time.Duration // of a connection, however busy it is; 0: unbounded
	Linger           time.Duration // reading on after a fatal alert so that the peer gets to see it; default 1 s
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Connections, 10_000)
	setDefault(&l.HelloBytes, 64<<10)
	setDefault(&l.Queue, 4096)
	setDefault(&l.LookInterval, 5*time.Minute)
	t := &l.Timeouts
	setDefault(&t.ProxyProtocol, 5*time.Second)
	setDefault(&t.ClientHello, 10*time.Second)
	setDefault(&t.Dial, 5*time.Second)
	setDefault(&t.BackendHandshake, 10*time.Second)
	setDefault(&t.Settle, 500*time.Millisecond)
	setDefault(&t.ClientHandshake, 10*time.Second)
	setDefault(&t.RequestHeader, 10*time.Second)
	setDefault(&t.RequestBody, time.Minute)
	setDefault(&t.Response, time.Minute)
	setDefault(&t.BadGateway, 5*time.Second)
	setDefault(&t.Idle, 10*time.Minute)
	setDefault(&t.Linger, time.Second)
	return l
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
