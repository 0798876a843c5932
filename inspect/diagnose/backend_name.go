package diagnose

import (
	"strconv"
	"strings"
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
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // RFC 3986, Section 3.2.2
	}
	return host + ":" + strconv.Itoa(v.leg.Port)
}
