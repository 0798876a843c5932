package caddy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

const sourceKeyType = "Caddy: JSON structure, apps.tls.automation.policies.key_type; p256 by default"

// certificates reads the TLS app: which certificates there are, and what keys are made for the names that are managed.
func (r *reader) certificates(app *document.Node) {
	r.UnknownKeys(app, "apps.tls", "certificates", "automation", "session_tickets", "cache", "disable_ocsp_stapling", "disable_storage_check", "disable_storage_clean",
		"encrypted_client_hello", "dns", "resolvers")
	if ech := app.Get("encrypted_client_hello"); !ech.Empty() {
		r.Problem(ech, "encrypted_client_hello: what is inside an encrypted hello is judged by nobody but the server")
	}
	for kind, loaders := range app.Get("certificates").All() {
		switch kind {
		case "automate":
			r.automate(loaders)
		case "load_files", "load_pem":
			for _, l := range loaders.Items() {
				r.loaded(kind, l)
			}
		case "load_folders", "load_storage":
			r.undecided = true
			r.Problem(loaders, "%s: which certificates lie there is not known", kind)
		default:
			r.undecided = true
			r.Problem(loaders, "apps.tls.certificates: %s is not understood", document.Quote(kind))
		}
	}
	managed := app.Get("automation")
	for _, p := range managed.Get("policies").Items() {
		subjects := p.Get("subjects")
		if !subjects.Present() {
			subjects = p.Get("hosts") // its name in early releases
		}
		a := automation{subjects: subjects.Texts(), keyType: policy.CertECDSAP256, node: p.Get("key_type")}
		switch key := p.Get("key_type"); key.Text() {
		case "", "p256":
		case "ed25519":
			a.keyType = policy.CertEd25519
		case "p384":
			a.keyType = policy.CertECDSAP384
		case "rsa2048", "rsa4096":
			a.keyType = policy.CertRSA
		default:
			r.Refuse(key, "key_type: Caddy knows none of the name %s, and refuses it", document.Quote(key.Text()))
		}
		if p.Get("on_demand").True() || !p.Get("get_certificate").Empty() {
			r.undecided = true
			r.automate(subjects)
		}
		r.managed = append(r.managed, a)
	}
}

// automate adds names that are managed though no route has them.
func (r *reader) automate(n *document.Node) {
	names := n.Texts()
	if room := maxNames - len(r.automated); len(names) > room {
		r.undecided = true
		r.Problem(n, "more than %d names: the rest is left out", maxNames)
		names = names[:room]
	}
	r.automated = append(r.automated, names...)
}

// loaded reads one certificate that is not managed.
func (r *reader) loaded(kind string, n *document.Node) {
	certificate := n.Get("certificate")
	if len(r.leaves) == maxCertificates {
		r.undecided = true
		r.Problem(n, "more than %d certificates: this one is left out", maxCertificates)
		return
	}
	data, shown := []byte(certificate.Text()), "in the configuration"
	if kind == "load_files" {
		shown = certificate.Text()
		var err error
		if data, err = r.ReadFile(certificate.Text(), certfile.MaxBytes); err != nil {
			r.undecided = true
			r.Problem(certificate, "certificate %s: %v; its kind is not known", document.Quote(shown), err)
			return
		}
	}
	read, err := certfile.Read(data)
	if err != nil {
		r.undecided = true
		r.Problem(certificate, "certificate %s: %v; its kind is not known", document.Quote(shown), err)
		return
	}
	r.byName.Add(read)
	if len(r.leafNames)+len(read.Names) > maxNames {
		r.undecided = true
	} else {
		r.leafNames = append(r.leafNames, read.Names...)
	}
	r.leaves = append(r.leaves, leaf{read, n.Get("tags").Texts(), imported.Fact{
		File: r.File, Line: certificate.Position(), Setting: kind + ".certificate", Value: shown + " (" + string(read.Type) + ", " + strings.Join(read.Names, " ") + ")",
	}})
}

// serve says with which kinds of certificates an endpoint answers for these names (none: for all names of its server).
func (r *reader) serve(e *imported.Endpoint, names, hosts []string, selection *document.Node) {
	tags := append(selection.Get("any_tag").Texts(), selection.Get("all_tags").Texts()...)
	for key, value := range selection.All() {
		if key != "any_tag" && key != "all_tags" {
			r.Problem(value, "certificate_selection: %s is not understood", document.Quote(key))
		}
	}
	if len(names) == 0 {
		names = slices.Concat(hosts, r.automated)
	}
	var kinds []policy.CertificateType
	wantedByName := make(map[int]bool)
	for _, name := range names {
		for _, i := range r.byName.Find(name) {
			wantedByName[i] = true
		}
	}
	for i, l := range r.leaves {
		wanted := len(names) == 0 || wantedByName[i]
		if len(tags) > 0 {
			wanted = slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(l.tags, t) })
		}
		if wanted {
			e.Facts = append(e.Facts, l.fact)
			kinds = append(kinds, l.Type)
		}
	}
	for _, name := range names {
		if len(tags) > 0 || len(r.byName.Find(name)) > 0 {
			continue
		}
		key, made := policy.CertECDSAP256, (*document.Node)(nil)
		for _, a := range r.managed {
			if len(a.subjects) == 0 || slices.ContainsFunc(a.subjects, func(s string) bool { return strings.EqualFold(s, name) }) {
				key, made = a.keyType, a.node
				break
			}
		}
		if slices.Contains(kinds, key) {
			continue
		}
		kinds = append(kinds, key)
		if made.Present() {
			r.Fact(e, "key_type", made)
		} else {
			e.Assume("key_type", "p256", sourceKeyType)
		}
	}
	slices.Sort(kinds)
	if e.Policy.Certificates = slices.Compact(kinds); len(kinds) == 0 {
		e.Policy.Certificates = nil
	}
}

// byKind parts an endpoint whose names have certificates of different kinds, since a client gets one for the name that it asks
// for: the endpoint keeps the names that go with the one of default_sni, or else with its first, and the others get endpoints of
// their own. Names whose certificates are managed leave it whole.
func (r *reader) byKind(e *imported.Endpoint, defaultName string) (others []*imported.Endpoint) {
	names := make(map[string][]string)
	kinds := make(map[string][]policy.CertificateType)
	var order []string
	for _, name := range e.Policy.Names {
		var own []policy.CertificateType
		for _, i := range r.byName.Find(name) {
			own = append(own, r.leaves[i].Type)
		}
		if own == nil {
			return nil
		}
		slices.Sort(own)
		own = slices.Compact(own)
		key := fmt.Sprint(own)
		if names[key] == nil {
			order = append(order, key)
			kinds[key] = own
		}
		names[key] = append(names[key], name)
		if strings.EqualFold(name, defaultName) {
			order = slices.Insert(slices.DeleteFunc(order, func(k string) bool { return k == key }), 0, key)
		}
	}
	if len(order) < 2 {
		return nil
	}
	for _, key := range order[1:] {
		other := *e
		other.Name, other.Default, other.Facts = e.Name+" "+names[key][0], false, slices.Clone(e.Facts)
		other.Policy = e.Policy.Clone()
		other.Policy.Name, other.Policy.Names, other.Policy.Certificates = other.Name, names[key], kinds[key]
		others = append(others, &other)
	}
	e.Policy.Names, e.Policy.Certificates = names[order[0]], kinds[order[0]]
	return others
}
