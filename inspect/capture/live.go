package capture

import "errors"

// ErrLiveUnsupported says that this system's interfaces cannot be read here. tcpdump can, everywhere:
// tcpdump -U -w - … | tlstriage pcap -.
var ErrLiveUnsupported = errors.New("capture: live interfaces are read on Linux only; elsewhere pipe what tcpdump writes: tcpdump -U -i IFACE -w - | tlstriage pcap -")
