package nginx

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// name is what a server is called: its first server_name, or where it stands.
func (s *server) name() string {
	for _, d := range s.names {
		for _, name := range d.args {
			if name != "" && name != "_" {
				return name
			}
		}
	}
	return place(s.at.file, s.at.line)
}

// served are the names of a server as a policy writes them; nil: a policy cannot say them.
func (im *importer) served(s *server) []string {
	names := []string{}
	for _, d := range s.names {
		for _, arg := range d.args {
			name := strings.ToLower(arg)
			switch kind, rest := nameForm(name); kind {
			case exactName:
				names = append(names, name)
			case wildcardName:
				names = append(names, "**."+rest)
			case dotName:
				names = append(names, rest, "**."+rest)
			case trailingName, regexName:
				im.problem(d.file, d.line, "server_name %s: a policy cannot say such names; it is taken to serve all", arg)
				return nil
			case variableName:
				im.problem(d.file, d.line, "server_name %s: the name is not known here", arg)
				return nil
			}
			if kind, rest := nameForm(name); kind == regexName {
				if _, err := nameRegexp(rest); err != nil {
					im.problem(d.file, d.line, "server_name %s: %v", arg, err)
				}
			}
		}
	}
	return names
}

// The forms of a server_name, in the order in which they win.
const (
	exactName    = iota
	dotName      // .example.com: example.com and all below it
	wildcardName // *.example.com: all below it, at any depth
	trailingName // www.example.*
	regexName    // ~^www\d+\.example\.com$
	variableName // $hostname
)

func nameForm(name string) (form int, rest string) {
	switch {
	case strings.HasPrefix(name, "~"):
		return regexName, name[1:]
	case strings.HasPrefix(name, "$"):
		return variableName, name
	case strings.HasPrefix(name, "*."):
		return wildcardName, name[2:]
	case strings.HasPrefix(name, "."):
		return dotName, name[1:]
	case strings.HasSuffix(name, ".*"):
		return trailingName, strings.TrimSuffix(name, "*")
	}
	return exactName, name
}

const maxRegexp = 1000 // characters

func nameRegexp(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxRegexp {
		return nil, errLongRegexp
	}
	return regexp.Compile("(?i)" + pattern)
}

type textError string

func (e textError) Error() string { return string(e) }

const errLongRegexp = textError("the regular expression is too long to be judged")

// matches says how well a server_name fits a name: a form and, among wildcards, the longer the better. ok false: not at all.
func matches(serverName, name string) (form, length int, ok bool) {
	form, rest := nameForm(strings.ToLower(serverName))
	switch form {
	case exactName:
		return form, 0, rest == name
	case dotName:
		if rest == name {
			return exactName, 0, true
		}
		return wildcardName, len(rest), strings.HasSuffix(name, "."+rest)
	case wildcardName:
		return form, len(rest), strings.HasSuffix(name, "."+rest)
	case trailingName:
		return form, len(rest), strings.HasPrefix(name, rest) && len(name) > len(rest)
	case regexName:
		_, pattern := nameForm(serverName)
		re, err := nameRegexp(pattern)
		return form, 0, err == nil && re.MatchString(name)
	}
	return form, 0, false
}

// Select finds the server endpoint that answers a client that asks for name (empty: for none) where listen says ("443",
// "127.0.0.1:443", "[::]:443"; empty: anywhere), as nginx does: the exact name, the longest wildcard "*.x", the longest "x.*", the
// first regular expression that matches, the default server. nil: nothing listens there, or without listen nothing has that name
// and several sockets have a default server of their own.
func Select(r *imported.Result, name, listen string) *imported.Endpoint {
	var best, fallback *imported.Endpoint
	bestForm, bestLength, defaults := variableName, 0, 0
	for _, e := range r.Endpoints {
		if e.System != Kind || e.Side != imported.Server || !listensOn(e, listen) {
			continue
		}
		if e.Default {
			if fallback == nil {
				fallback = e
			}
			defaults++
		}
		host, ok := hostOf(name, version(e.Version))
		if !ok {
			continue
		}
		for _, f := range e.Facts {
			if f.Setting != "server_name" {
				continue
			}
			if form, length, ok := matches(f.Value, host); ok && (form < bestForm || form == bestForm && length > bestLength) {
				best, bestForm, bestLength = e, form, length
			}
		}
	}
	switch {
	case best != nil:
		return best
	case listen != "" || defaults == 1:
		return fallback
	}
	return nil
}

// hostOf is the name that nginx looks for where a client asks for one: in lower case, without a port and without a dot at its end.
// ok false: it takes the name for none (two dots on end, a slash, a control character or, since 1.21.1, a space), and the default
// server answers (src/http/ngx_http_request.c, ngx_http_validate_host).
func hostOf(name string, v version) (host string, ok bool) {
	lower := []byte(name)
	end, ended, literal := len(name), false, false
	for i, c := range lower {
		switch {
		case c == '.' && i > 0 && lower[i-1] == '.', c == '/', c == 0:
			return "", false
		case (c <= ' ' || c == 0x7f) && v.since("1.21.1"):
			return "", false
		case c == '[' && i == 0:
			literal = true
		case c == ':' && !literal && !ended:
			end, ended = i, true
		case c == ']' && literal && !ended:
			end, ended = i+1, true
		case 'A' <= c && c <= 'Z':
			lower[i] += 'a' - 'A'
		}
	}
	// The dot that goes is the last of the whole name: one behind the port is none of the host's.
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 && dot == end-1 {
		end--
	}
	return string(lower[:end]), end > 0
}

// listensOn reports whether an endpoint has a socket that listen means. A port alone means it on any address.
func listensOn(e *imported.Endpoint, listen string) bool {
	if listen == "" {
		return true
	}
	if port := strings.TrimPrefix(listen, ":"); isPorts(port) {
		return slices.ContainsFunc(e.Listen, func(at string) bool { return strings.HasSuffix(at, ":"+port) })
	}
	want := sockets(listen)
	return slices.ContainsFunc(e.Listen, func(at string) bool { return slices.Contains(want, at) })
}
