package trial

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Target is what recorded clients are tried on: a policy, or a listener with several blocks (server blocks, certificates of a
// list, filter chains), of which the server name that a client asks for chooses one. It is for one goroutine at a time.
type Target struct {
	Name   string  // by which the user knows it
	Blocks []Block // one or more

	// Choose is the index of the block that answers clients that ask for a name; empty: for none. Nil: the first block answers all.
	Choose func(serverName string) int

	// Answers says of a lone block that was taken out of a listener, whether clients that ask for a name get to it there. Those that do
	// not are tried all the same, and counted. Nil: all get to it.
	Answers func(serverName string) bool

	routes map[string]int   // what Choose said, by name
	chosen []*policy.Policy // of the blocks, as they hold for names that get to them
}

// Block is one of the policies of a listener.
type Block struct {
	Name   string
	Policy *policy.Policy
}

// On is a policy alone as a target.
func On(p *policy.Policy) *Target {
	return &Target{Name: p.Name, Blocks: []Block{{Policy: p}}}
}

// several reports whether the server name chooses.
func (g *Target) several() bool { return len(g.Blocks) > 1 }

// maxRoutes bounds the names whose block is remembered.
const maxRoutes = 1 << 16

// route is the block for a server name.
func (g *Target) route(name string) int {
	if !g.several() || g.Choose == nil {
		return 0
	}
	if at, ok := g.routes[name]; ok {
		return at
	}
	if g.routes == nil || len(g.routes) >= maxRoutes {
		g.routes = make(map[string]int)
	}
	at := g.Choose(name)
	if at < 0 || at >= len(g.Blocks) {
		at = 0 // the listener answers, if only to refuse: every block of it does so in the same way
	}
	g.routes[name] = at
	return at
}

// policy is that of a block as it holds for a name that gets to it: of a listener the choosing of the block has the last word about
// names, in the system's own way (nginx strips a dot at the end), and the block's own do not judge again. A block that serves no name
// refuses all.
func (g *Target) policy(at int, name string) *policy.Policy {
	p := g.Blocks[at].Policy
	if p.Family != policy.FamilyOpenSSL || len(p.Names) == 0 || !g.several() && (g.Answers == nil || name == "" || !g.Answers(name)) {
		return p
	}
	if g.chosen == nil {
		g.chosen = make([]*policy.Policy, len(g.Blocks))
	}
	if g.chosen[at] == nil {
		g.chosen[at] = p.Clone()
		g.chosen[at].Names = nil
	}
	return g.chosen[at]
}

// verdict is what a target answers to clients of one shape that ask for the same name, or for any of several that make no
// difference to it.
type verdict struct {
	hello       *wire.ClientHello
	result      policy.Result
	block       int
	connections int64
	names       []recording.Name
}

// byName reports whether the answer depends on the name itself.
func (g *Target) byName() bool { return g.several() || g.Blocks[0].Policy.Names != nil }

// judge gives the answers to clients of a shape: one for all names where they make no difference, or else one each that differs. The
// second result is how many connections cannot be judged for want of their name.
func (g *Target) judge(s *recording.Shape) (verdicts []verdict, unjudged int64) {
	if !g.byName() {
		return g.judgeAlike(s), 0
	}
	for i := range s.Names {
		v := g.answer(s.Hello, s.Names[i].Name, verdicts)
		at := slices.IndexFunc(verdicts, func(o verdict) bool { return o.block == v.block && o.result == v.result })
		if at < 0 {
			at = len(verdicts)
			verdicts = append(verdicts, v)
		}
		verdicts[at].connections += s.Names[i].Connections
		verdicts[at].names = append(verdicts[at].names, s.Names[i])
	}
	return verdicts, s.OtherNames
}

// judgeAlike gives the answer to clients whose names make no difference, and apart from it those to clients with a name that a library
// refuses for its form, so that the ones never speak for the others.
func (g *Target) judgeAlike(s *recording.Shape) []verdict {
	h := alike(s.Hello)
	all := verdict{hello: h, result: policy.Negotiate(h, g.Blocks[0].Policy), connections: s.Connections, names: s.Names}
	verdicts := []verdict{}
	if slices.ContainsFunc(s.Names, func(n recording.Name) bool { return malformed(n.Name) }) {
		all.names = nil
		for _, n := range s.Names {
			if !malformed(n.Name) {
				all.names = append(all.names, n)
				continue
			}
			v := g.answer(s.Hello, n.Name, nil)
			v.connections, v.names = n.Connections, []recording.Name{n}
			all.connections -= n.Connections
			verdicts = append(verdicts, v)
		}
	}
	if all.connections > 0 {
		verdicts = append(verdicts, all)
	}
	return verdicts
}

// The longest server name, and the longest label, that every TLS library takes.
const (
	maxHostName = 255
	maxLabel    = 63
)

// malformed reports whether some library could refuse a name for its form, whatever names are served: all but letters, digits, hyphens
// and dots, and not too much of these.
func malformed(name string) bool {
	if name == "" {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return true
		}
	}
	return len(name) > maxHostName || strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.'
	})
}

// alike is the hello with a name that is well-formed in the place of one that is not.
func alike(h *wire.ClientHello) *wire.ClientHello {
	if !malformed(string(h.ServerName)) {
		return h
	}
	own := *h
	own.ServerName = []byte("name.invalid")
	return &own
}

// answer is that to a hello with another name in it. What was already answered by a block that serves any name holds for this one.
func (g *Target) answer(h *wire.ClientHello, name string, before []verdict) verdict {
	at := g.route(name)
	p := g.policy(at, name)
	if p.Names == nil && g.several() && !malformed(name) {
		if i := slices.IndexFunc(before, func(o verdict) bool { return o.block == at && !malformed(string(o.hello.ServerName)) }); i >= 0 {
			return verdict{hello: before[i].hello, result: before[i].result, block: at}
		}
	}
	own := *h
	if own.ServerName = nil; name != "" {
		own.ServerName = []byte(name)
	}
	return verdict{hello: &own, result: policy.Negotiate(&own, p), block: at}
}

// one is the answer to clients that all ask for the same name, or for any where names make no difference.
func (g *Target) one(s *recording.Shape) verdict {
	name := string(s.Hello.ServerName)
	if len(s.Names) > 0 {
		name = s.Names[0].Name
	}
	v := verdict{hello: s.Hello}
	if g.byName() {
		v = g.answer(s.Hello, name, nil)
	} else {
		v.hello = alike(s.Hello)
		v.result = policy.Negotiate(v.hello, g.Blocks[0].Policy)
	}
	v.connections, v.names = s.Connections, s.Names
	return v
}

// elsewhere is how many of a shape's connections another block of the listener would answer.
func (g *Target) elsewhere(s *recording.Shape) (n int64) {
	if g.Answers == nil || g.several() {
		return 0
	}
	for _, name := range s.Names {
		if !g.Answers(name.Name) {
			n += name.Connections
		}
	}
	return n
}

// unverified reports whether the facts of a block that is built in are not all checked. The user's own need no source but the user.
func (g *Target) unverified() bool {
	return slices.ContainsFunc(g.Blocks, func(b Block) bool { return unverified(b.Policy) })
}

// BlockReport is what one block of a listener makes of the clients that get to it.
type BlockReport struct {
	Name        string   `json:"name"`
	Connections int64    `json:"connections"`
	Shapes      int      `json:"shapes"`
	Lost        Amount   `json:"lost"`
	Negotiated  []Choice `json:"negotiated"` // the most frequent first

	choices map[Choice]*Amount
}

// add counts the clients of one shape that get to the block.
func (b *BlockReport) add(verdicts []verdict, at int) {
	var all, lost int64
	for i := range verdicts {
		v := &verdicts[i]
		if v.block != at {
			continue
		}
		all += v.connections
		if !v.result.Accepted {
			lost += v.connections
			continue
		}
		if b.choices == nil {
			b.choices = make(map[Choice]*Amount)
		}
		count(b.choices, choiceOf(v.result), v.connections)
	}
	if all > 0 {
		b.Connections += all
		b.Shapes++
		b.Lost.add(lost)
	}
}

func choiceOf(r policy.Result) Choice {
	c := Choice{Version: r.Version.String(), Cipher: r.CipherSuite.String()}
	if r.Group != 0 {
		c.Curve = r.Group.String()
	}
	return c
}

// choicesOf are choices in order, the most frequent first.
func choicesOf(counted map[Choice]*Amount) []Choice {
	list := make([]Choice, 0, len(counted))
	for c, a := range counted {
		c.Connections, c.Shapes = a.Connections, a.Shapes
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Choice) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(b.Version, a.Version), cmp.Compare(a.Cipher, b.Cipher), cmp.Compare(a.Curve, b.Curve))
	})
	return list
}
