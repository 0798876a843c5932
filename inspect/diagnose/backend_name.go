package diagnose

import (
	"net"
	"strconv"
)

// backendName is where a leg was dialled to.
func backendName(v view) string {
	if v.leg == nil || v.leg.Address == "" {
		return "HOST:PORT" // not recorded
	}
	host := plain(v.leg.Address, "HOST")
	if v.leg.Port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(v.leg.Port))
}
