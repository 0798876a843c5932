package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// aloneWords is what rules call things, which stand between a proxy and its backend, and what these are called where a server is looked
// at by itself. It is never changed.
var aloneWords = strings.NewReplacer(
	"The backend", "The server", "the backend", "the server", "this backend", "this server", "its backend", "the server",
	"The proxy's client certificate", "The client certificate", "the proxy's client certificate", "the client certificate",
	" from the proxy", "", "that the proxy offers", "that are offered", "the proxy sent none", "none was sent",
	"The proxy", "This program", "the proxy's", "this program's", "this proxy", "this program", "the proxy", "this program",
)

// speakAlone says what m has to say as of a server, or a file, that no proxy stands before.
func (e *evidence) speakAlone(m *match, title string) {
	m.title = aloneWords.Replace(or(m.title, title))
	if rest, ok := strings.CutPrefix(m.detail, "backend "); ok {
		m.detail = "server " + rest
	}
	m.detail = aloneWords.Replace(m.detail)
	m.fixes = withoutProxy(m.fixes, e.alone())
	for i := range m.fixes {
		m.fixes[i].Action = aloneWords.Replace(m.fixes[i].Action)
	}
}

// serverWords is what a backend is called where there is one server only: in a capture, and in what a probe recorded. It is never changed.
var serverWords = strings.NewReplacer("The backend", "The server", "the backend", "the server", "this backend", "this server", "its backend", "the server")

// ofServer is s in these words.
func ofServer(s string) string {
	if !strings.Contains(s, "backend") {
		return s
	}
	return serverWords.Replace(s)
}

// serverTitles are those of catalog in these words.
var serverTitles = func() (titles [len(catalog)]string) {
	for i, r := range catalog {
		titles[i] = ofServer(r.Title)
	}
	return titles
}()

// speakOfServer says what m, of a rule of catalog, has to say as of the only server.
func (m *match) speakOfServer(rule int) {
	if m.title == "" {
		m.title = serverTitles[rule]
	} else {
		m.title = ofServer(m.title)
	}
	if rest, ok := strings.CutPrefix(m.detail, "backend "); ok {
		m.detail = "server " + rest
	}
	m.detail = ofServer(m.detail)
	for i := range m.fixes {
		m.fixes[i].Action = ofServer(m.fixes[i].Action)
	}
}

// withoutProxy turns what is to be done with the proxy's flags into what is to be done with those of `certs check`, and leaves out
// what only a proxy can do. The target is what is checked.
func withoutProxy(fixes []inspect.Fix, target string) []inspect.Fix {
	const proxy = "tlstriage proxy "
	check := "tlstriage certs check " + target + " "
	flags := strings.NewReplacer(proxy, check, "--backend-sni ", "--name ", "--backend-ca ", "--ca ")
	var out []inspect.Fix
	for _, f := range fixes {
		if f.Target == forSelf {
			f.Snippet = flags.Replace(f.Snippet)
			if after, ok := strings.CutPrefix(f.Snippet, check); ok && !strings.HasPrefix(after, "--name ") && !strings.HasPrefix(after, "--ca ") && !strings.HasPrefix(after, "--revocation") {
				continue
			}
		}
		if !strings.Contains(f.Action, "in the proxy's place") {
			out = append(out, f)
		}
	}
	return out
}
