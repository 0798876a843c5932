package proxy

import "time"

// How long what comes of a request that was answered before it ended is read on for. A client that writes all of its request before it reads
// the answer would have neither, were the connection closed: what is sent to a closed socket brings a reset back.
const maxReadOn = 30 * time.Second

// readOn reads what a client of HTTP/1 still sends behind its last answer, and throws it away: as long as something comes, and for a bounded time.
func (f *frontConn) readOn() {
	c := f.session.c
	if f.framing == nil || !f.framing.unended.Load() || f.switched.Load() || f.cut.Load() {
		return
	}
	buffer := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buffer)
	end := time.Now().Add(maxReadOn)
	for now := time.Now(); now.Before(end); now = time.Now() {
		until := now.Add(c.limits.Timeouts.Linger)
		if until.After(end) {
			until = end
		}
		c.conn.SetReadDeadline(until)
		if c.idled.Load() || c.server.ctx.Err() != nil {
			return
		}
		if _, err := c.conn.Read(buffer[:]); err != nil {
			return
		}
		c.lastActive.Store(ticks())
	}
}
