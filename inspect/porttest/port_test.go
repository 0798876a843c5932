package porttest

import (
	"net"
	"runtime"
	"strconv"
	"testing"
)

func TestFreePortsAreGivenOnce(t *testing.T) {
	given := make(map[int]bool)
	for range 200 {
		port := Free(t)
		if given[port] {
			t.Fatalf("%d was given twice", port)
		}
		given[port] = true
		if port < first || port >= ephemeral() {
			t.Errorf("%d is not in %d to %d", port, first, ephemeral()-1)
		}
		if _, ok := reserve(port); ok && runtime.GOOS == "linux" {
			t.Errorf("%d may be given again", port)
		}
		if !idle(port) {
			t.Errorf("somebody is on %d", port)
		}
	}
}

func TestPortsOnWhichSomebodyIsAreNotFree(t *testing.T) {
	for _, listen := range []func(string) (interface{ Close() error }, error){
		func(address string) (interface{ Close() error }, error) { return net.Listen("tcp", address) },
		func(address string) (interface{ Close() error }, error) { return net.ListenPacket("udp", address) },
	} {
		port := Free(t)
		l, err := listen("127.0.0.1:" + strconv.Itoa(port))
		if err != nil {
			t.Fatal(err)
		}
		if idle(port) {
			t.Errorf("%d is taken, and passes for free", port)
		}
		l.Close()
	}
}

func TestPortsAreFreeAgainAfterTheTest(t *testing.T) {
	var port int
	t.Run("one that has a port", func(t *testing.T) { port = Free(t) })
	release, ok := reserve(port)
	if !ok {
		t.Fatalf("%d is still kept", port)
	}
	release()
}
