package scan

import (
	"context"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Whose order decides.
const (
	ByServer = "server"
	ByClient = "client"
)

// preference finds out whose order of suites decides: what was found is offered the other way round. An endpoint with an order of
// its own chooses what it chose before.
func (s *session) preference(ctx context.Context, e *enumerated) {
	if len(e.suites) < 2 {
		return
	}
	classes := []string{"aead", "cbc", "stream"}
	of := make([]string, len(classes))
	questions := []func(){func() {
		if e.prefers = s.whose(ctx, e, e.suites); e.version >= wire.VersionTLS12 {
			s.chacha(ctx, e)
		}
	}}
	for i, class := range classes {
		suites := slices.DeleteFunc(slices.Clone(e.suites), func(suite wire.CipherSuite) bool { return modeOf(suite) != class })
		if e.version >= wire.VersionTLS12 && len(suites) > 1 && len(suites) < len(e.suites) {
			questions = append(questions, func() { of[i] = s.whose(ctx, e, suites) })
		}
	}
	e.classes = map[string]string{}
	together(questions...)
	for i, class := range classes {
		if of[i] != "" {
			e.classes[class] = of[i]
		}
	}
	for class, whose := range e.classes { // what does not differ says nothing
		if whose == "" || whose == e.prefers {
			delete(e.classes, class)
		}
	}
}

// whose offers suites, which stand in the order in which the endpoint chose them, the other way round.
func (s *session) whose(ctx context.Context, e *enumerated, suites []wire.CipherSuite) string {
	reversed := slices.Clone(suites)
	slices.Reverse(reversed)
	if i := slices.IndexFunc(reversed, func(suite wire.CipherSuite) bool { return !isChaCha(suite) }); i > 0 && i < len(reversed)-1 {
		reversed[0], reversed[i] = reversed[i], reversed[0] // ChaCha20 in front is a question of its own
	}
	x, ok := s.offer(ctx, e, reversed)
	switch {
	case !ok:
		return ""
	case suiteOf(x) == reversed[0]:
		return ByClient
	}
	return ByServer
}

// chacha looks for endpoints with an order of their own that take ChaCha20 from clients that have it first, because those have
// no AES in hardware.
func (s *session) chacha(ctx context.Context, e *enumerated) {
	if e.prefers != ByServer {
		return
	}
	i := slices.IndexFunc(e.suites, isChaCha)
	if i <= 0 || modeOf(e.suites[0]) != "aead" {
		return
	}
	first := append([]wire.CipherSuite{e.suites[i]}, slices.Delete(slices.Clone(e.suites), i, i+1)...)
	if x, ok := s.offer(ctx, e, first); ok && isChaCha(suiteOf(x)) {
		e.classes["chacha20"] = ByClient
	}
}

func isChaCha(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return info.Encryption == "CHACHA20"
}

func modeOf(s wire.CipherSuite) string {
	switch info, _ := s.Info(); {
	case info.AEAD:
		return "aead"
	case info.Mode == "CBC":
		return "cbc"
	}
	return "stream"
}
