package h3

import (
	"container/list"
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// flowKey tells clients' beginnings apart: by address, and by the connection id that the client made up.
type flowKey struct {
	addr netip.AddrPort
	id   string
}

// flow is the beginning of one client's connection: the datagrams that bring its hello.
type flow struct {
	socket   *socket
	key      flowKey
	first    flowKey // before a Retry
	token    string  // of that; its client sends it with every Initial packet (RFC 9000, Section 8.1.2)
	began    time.Time
	state    atomic.Int32 // a flowState
	reader   *quicwire.Flow
	sourceID []byte // the client's own id
	version  quicwire.Version
	held     []heldDatagram
	heldSize int
	oob      []byte // of the first datagram
	server   net.Addr
	facts    inspect.QUIC
	q        *proxy.QUIC
	kept     *kept // its datagrams; nil: nobody wants them
	link     *link // of the connection that it became, while that is open; guarded by hellos.mu, as is what follows
	linked   bool  // it became one
	answer   []byte
	counted  bool             // among unchecked addresses
	retried  bool             // only asked for its address
	spoken   quicwire.Version // of a client that speaks no version that is spoken here
	place    *list.Element
}

// flowState is how far the beginning has come.
type flowState = int32

const (
	flowWaiting flowState = iota // for the rest of the hello
	flowHanded                   // to quic-go
	flowRefused                  // and told so
	flowPassed                   // to the backend
)

// heldDatagram is one that waits for the rest of its hello.
type heldDatagram struct {
	bytes, oob []byte
	addr       net.Addr
}

// Bounds of what one client can make us hold.
const (
	maxHeld     = 64 << 10
	maxHeldEach = 48
	handedTime  = 10 * time.Second // for which a client may repeat its first datagrams, not having heard from us
)

// hellos are the beginnings of connections on one socket.
type hellos struct {
	socket *socket
	limit  int

	mu       sync.Mutex
	flows    map[flowKey]*flow
	order    list.List // oldest first
	demanded map[netip.AddrPort]*demand
	byFirst  map[flowKey]*flow // those that were handed on after a Retry
	byToken  map[string]*flow  // those that came back with its token
	ready    []heldDatagram    // that quic-go is to read next; only for its reader

	keptDemands int // of demanded, those whose datagrams are kept
}

// demand is a Retry that a client was sent.
type demand struct {
	began, at time.Time
	retries   int
	version   quicwire.Version
	oob       []byte
	answered  bool  // it came back with a token
	kept      *kept // its datagrams; nil: nobody wants them, or it is one of too many
}

// Retry packets to one client that begins anew each time, from which on it has a record; and how many such records there are at most
// each time that time passes.
const (
	retriesTold = 3
	maxTold     = 4
)

func newHellos(s *socket, limit int) *hellos {
	return &hellos{socket: s, limit: limit, flows: make(map[flowKey]*flow), demanded: make(map[netip.AddrPort]*demand), byFirst: make(map[flowKey]*flow), byToken: make(map[string]*flow)}
}

// datagram looks at a datagram with a long header of an Initial packet. It reports whether quic-go is to have it.
func (h *hellos) datagram(b, oob []byte, from net.Addr, header *quicwire.Header) (hand bool) {
	now := time.Now()
	addr := addrPort(from)
	key := flowKey{addr, string(header.DestinationID)}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.flows[key]
	if f == nil {
		if len(header.DestinationID) == ownIDSize && len(header.Token) == 0 && h.socket.terminates() {
			h.socket.keeping.came(from, b)
			return true // of a connection that has an answer already
		}
		if x := h.byToken[string(header.Token)]; x != nil && x.key.addr == addr && x.state.Load() == flowHanded {
			h.socket.keeping.came(from, b)
			return true // likewise: it goes on, to the id that it was answered with
		}
		if len(header.Token) == 0 && !h.socket.passes() && h.socket.wantsRetry() {
			h.demand(from, now, b, oob, header)
			return false
		}
		f = h.add(key, now, oob, header)
	}
	f.kept.of().Add(inspect.FromClient, b, now)
	switch f.state.Load() {
	case flowHanded:
		return true
	case flowRefused:
		if len(b) >= minInitial { // so that the answer is smaller by far
			h.socket.answer(f, addr)
		}
		return false
	case flowPassed:
		return false
	}
	counts := &h.socket.server.counts
	f.facts.Datagrams++
	if len(b) < minInitial {
		// RFC 9000, Section 14.1: a server MUST discard it.
		f.facts.ShortDatagrams++
		counts.short.Add(1)
		return false
	}
	_ = f.reader.Datagram(quicwire.FromClient, b) // what cannot be read of it is counted
	if !f.reader.Authentic() {
		counts.unreadable.Add(1)
		h.remove(f) // whoever sent it does not know the keys that everybody knows
		return false
	}
	f.hold(b, oob, from)
	var m quicwire.Message
	if !f.reader.Next(&m) {
		return false
	}
	h.whole(f, &m)
	return false // it is among those that were held
}

const minInitial = 1200

// add begins a flow; the oldest makes room. h.mu is held.
func (h *hellos) add(key flowKey, now time.Time, oob []byte, header *quicwire.Header) *flow {
	if len(h.flows) >= h.limit {
		oldest := h.order.Front().Value.(*flow)
		if oldest.state.Load() == flowWaiting {
			h.socket.server.counts.evicted.Add(1)
		}
		h.remove(oldest)
	}
	f := &flow{socket: h.socket, key: key, began: now, reader: &quicwire.Flow{MaxCrypto: maxHeld, MaxDatagrams: maxHeldEach}, version: header.Version, sourceID: append([]byte(nil), header.SourceID...), oob: append([]byte(nil), oob...)}
	var before *kept
	f.server = h.socket.localAddr(oob)
	f.facts.Version = header.Version.String()
	f.facts.Token = len(header.Token) > 0
	if f.facts.Token {
		if f.first = (flowKey{key.addr, h.socket.server.tokens.first(header.Token, header.DestinationID)}); f.first.id != "" {
			f.facts.Retries = 1
			f.token = string(header.Token)
			h.byToken[f.token] = f
		}
	}
	if d := h.demanded[key.addr]; d != nil {
		f.facts.Retries = d.retries
		d.answered = d.answered || f.facts.Token
		if f.facts.Token {
			before = d.kept
			defer h.forgetDemand(d)
		}
	}
	h.socket.keep(f, header, before)
	f.place = h.order.PushBack(f)
	h.flows[key] = f
	return f
}

// remove forgets a flow. h.mu is held.
func (h *hellos) remove(f *flow) {
	if h.flows[f.key] == f {
		h.unlist(f)
	}
	f.held, f.reader = nil, nil
	if !f.linked {
		f.forgetDatagrams()
	}
	if f.counted && !f.linked {
		h.socket.unchecked.over(f.key.addr)
	}
}

// unlist takes a flow out of the tables. h.mu is held.
func (h *hellos) unlist(f *flow) {
	delete(h.flows, f.key)
	h.order.Remove(f.place)
	if h.byFirst[f.first] == f {
		delete(h.byFirst, f.first)
	}
	if h.byToken[f.token] == f {
		delete(h.byToken, f.token)
	}
}

// hold keeps a datagram until its hello is whole.
func (f *flow) hold(b, oob []byte, from net.Addr) {
	if len(f.held) >= maxHeldEach || f.heldSize+len(b) > maxHeld {
		return
	}
	f.held = append(f.held, heldDatagram{append([]byte(nil), b...), append([]byte(nil), oob...), from})
	f.heldSize += len(b)
}

// whole decides about a client whose hello is whole. h.mu is held.
func (h *hellos) whole(f *flow, m *quicwire.Message) {
	counts := &h.socket.server.counts
	counts.hellos.Add(1)
	counts.helloDatagrams.Add(uint64(m.Datagrams))
	h.cameBack(f)
	f.facts.CryptoFrames = m.Frames
	var hello wire.ClientHello
	if wire.ParseClientHello(m.Bytes, &hello) == nil {
		f.facts.TransportParameters = inspect.TransportParametersOf(&hello, f.version)
	}
	if h.socket.isStopped() {
		f.state.Store(flowRefused)
		h.socket.refuse(f, 0)
		f.forgetDatagrams()
		return
	}
	client := f.client(m.Bytes, m.Datagrams)
	var next proxy.QUICNext
	f.q, next = h.socket.server.Proxy.BeginQUIC(h.socket.config.Load(), client, nil)
	switch next {
	case proxy.QUICTerminate:
		f.state.Store(flowHanded)
		h.ready = append(h.ready, f.held...)
		h.socket.unchecked.begin(f.key.addr, f.heldSize, watched{f.reader, f.q})
		f.counted = true
		if f.first.id != "" {
			h.byFirst[f.first] = f
		}
	case proxy.QUICPass:
		f.state.Store(flowPassed)
		h.socket.keeping.end(f.kept) // the relay sees both ways itself
		h.socket.relays.begin(f, f.held)
		f.kept = nil
	case proxy.QUICRefused:
		f.state.Store(flowRefused)
		counts.refused.Add(1)
		f.forgetDatagrams()
		f.q = nil // its record is handed over
	}
	f.held, f.reader = nil, nil
}

// client is the flow as package proxy takes it.
func (f *flow) client(hello []byte, datagrams int) proxy.QUICClient {
	facts := f.facts
	return proxy.QUICClient{
		Client: net.UDPAddrFromAddrPort(f.key.addr), Server: f.server, Began: f.began,
		Hello: hello, Datagrams: datagrams, Facts: &facts, Close: f.close, Kept: f.kept.of(),
	}
}

// close ends the client's connection. Before there is one, that is said in an Initial packet. It is called with hellos.mu held where
// the client is refused, and without it later.
func (f *flow) close(alert wire.AlertDescription) {
	if f.state.Load() == flowWaiting {
		f.socket.refuse(f, alert)
		return
	}
	if f.state.Load() == flowPassed {
		return // the relay sees that its socket is closed
	}
	h := f.socket.hellos
	h.mu.Lock()
	l := f.link
	h.mu.Unlock()
	if l != nil {
		l.close(alert)
	}
}

func (f *flow) attach(l *link) {
	h := f.socket.hellos
	h.mu.Lock()
	defer h.mu.Unlock()
	f.link, f.linked = l, true
}

// release lets go of a connection that is over: what is left of the flow tells datagrams that come late from beginnings.
func (f *flow) release() {
	h := f.socket.hellos
	h.mu.Lock()
	defer h.mu.Unlock()
	f.q, f.link = nil, nil
	f.forgetDatagrams()
}

// take finds the flow of a connection that quic-go begins. After a Retry, the id is that of the packet before it. A connection that no
// id leads to gets no flow, and is refused: another one's would be as good as none.
func (h *hellos) take(addr netip.AddrPort, id []byte) *flow {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.flows[flowKey{addr, string(id)}]
	if f == nil || f.state.Load() != flowHanded {
		f = h.byFirst[flowKey{addr, string(id)}]
	}
	if f == nil || f.q == nil || f.linked {
		return nil
	}
	return f
}

// next gives quic-go's reader a datagram that was held.
func (h *hellos) next() (heldDatagram, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ready) == 0 {
		return heldDatagram{}, false
	}
	d := h.ready[0]
	if h.ready = h.ready[1:]; len(h.ready) == 0 {
		h.ready = nil
	}
	return d, true
}

// open is the number of hellos that are not whole yet.
func (h *hellos) open() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.flows {
		if f.state.Load() == flowWaiting {
			n++
		}
	}
	return n
}

// demand has a client whose packet has no token show that its address is its own: it is sent a Retry (RFC 9000, Section 8.1.2). quic-go
// would send one, too, and forgets whoever finds eight before it. h.mu is held.
func (h *hellos) demand(from net.Addr, now time.Time, b, oob []byte, header *quicwire.Header) {
	client, ok := from.(*net.UDPAddr)
	if !ok || len(b) < minInitial {
		h.socket.server.counts.short.Add(1)
		return
	}
	id := make([]byte, ownIDSize)
	rand.Read(id)
	token, err := h.socket.server.tokens.retry(client, header.DestinationID, id)
	if err != nil {
		return
	}
	h.socket.server.counts.retries.Add(1)
	addr := addrPort(from)
	d := h.demanded[addr]
	if d == nil && len(h.demanded) < h.limit {
		d = &demand{began: now, version: header.Version, oob: append([]byte(nil), oob...)}
		h.demanded[addr] = d
	}
	if d != nil { // otherwise it gets one without being remembered
		d.at = now
		d.retries++
		h.keepDemand(d, addr, b, header)
	}
	answer := quicwire.AppendRetry(nil, &quicwire.Header{Version: header.Version, DestinationID: header.SourceID, SourceID: id, Token: token}, header.DestinationID)
	h.socket.keeping.went(from, answer)
	_ = h.socket.send(answer, addr, oob)
}

// wantsRetry reports whether clients have to show that their address is their own.
func (s *socket) wantsRetry() bool {
	switch s.config.Load().QUICRetry {
	case proxy.RetryAlways:
		return true
	case proxy.RetryNever:
		return false
	}
	return s.server.handshakes.Load() >= int64(s.server.limits.OpenHandshakes)
}

// demands is quic-go's VerifySourceAddress, for packets with a token that is not valid.
func (s *socket) demands(net.Addr) bool { return s.wantsRetry() }

// expire forgets what is too old. Hellos that never became whole have a record.
func (h *hellos) expire(now time.Time) {
	var late []*flow
	limit := h.socket.server.limits.Timeouts.ClientHello
	h.mu.Lock()
	for e := h.order.Front(); e != nil; {
		f := e.Value.(*flow)
		e = e.Next()
		age := now.Sub(f.began)
		if f.state.Load() == flowWaiting && age >= limit {
			late = append(late, f)
			h.unlist(f)
		} else if f.state.Load() != flowWaiting && age >= max(limit, handedTime) {
			h.remove(f)
		} else if age < min(limit, handedTime) {
			break // and so are all behind it
		}
	}
	told := 0
	for addr, d := range h.demanded {
		if now.Sub(d.at) < limit {
			continue
		}
		delete(h.demanded, addr)
		if told++; !d.answered && d.retries >= retriesTold && told <= maxTold {
			f := &flow{socket: h.socket, key: flowKey{addr: addr}, began: d.began, version: d.version, server: h.socket.localAddr(d.oob), kept: d.kept, retried: true}
			f.facts = inspect.QUIC{Version: d.version.String(), Datagrams: d.retries, Retries: d.retries}
			late = append(late, f)
		}
		h.forgetDemand(d)
	}
	h.mu.Unlock()
	for _, f := range late {
		h.socket.incomplete(f)
	}
}

// incomplete gives the record of a client whose hello never became whole.
func (s *socket) incomplete(f *flow) {
	s.server.counts.incomplete.Add(1)
	if f.spoken != 0 {
		f.facts.ServerVersions = []string{quicwire.Version1.String(), quicwire.Version2.String()}
		s.begin(f, nil, &inspect.Error{Type: inspect.ErrorNoCommonVersion, Phase: inspect.PhasePeek, Message: "QUIC version negotiation: the client speaks " + f.spoken.String() + ", and did not come back with another"})
		return
	}
	if f.retried {
		s.begin(f, nil, &inspect.Error{Type: inspect.ErrorTimeout, Phase: inspect.PhasePeek, Message: "the client began again and again without the token that it was sent"})
		return
	}
	hello, _ := f.reader.Partial(quicwire.FromClient)
	e := &inspect.Error{Type: inspect.ErrorIncompleteHello, Phase: inspect.PhasePeek, Message: "the rest of the hello never came"}
	if len(hello) == 0 {
		e = &inspect.Error{Type: inspect.ErrorTimeout, Phase: inspect.PhasePeek, Message: "no packet came that a hello could be read from"}
	}
	s.begin(f, hello, e)
}

func (s *socket) begin(f *flow, hello []byte, why *inspect.Error) {
	client := f.client(hello, f.facts.Datagrams)
	client.Close = nil
	s.server.Proxy.BeginQUIC(s.config.Load(), client, why)
	s.keeping.end(f.kept)
	s.settle()
}
