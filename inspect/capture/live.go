package capture

import (
	"errors"
	"time"
)

// LiveWait is Limits.Wait for those who look on: a little more than a connection in order takes until nothing is expected of it any more.
const LiveWait = 6 * time.Second

// ErrLiveUnsupported says that this system's interfaces cannot be read here. tcpdump can, everywhere:
// tcpdump -U -w - … | tlstriage pcap -.
var ErrLiveUnsupported = errors.New("capture: live interfaces are read on Linux only; elsewhere pipe what tcpdump writes: tcpdump -U -i IFACE -w - | tlstriage pcap -")
