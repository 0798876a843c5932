package export

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// ingressOpenSSL is the OpenSSL in the image of a release of ingress-nginx, and its security level.
func ingressOpenSSL(version string) (string, int) {
	switch {
	case release.AtLeast(version, "1.13"):
		return "3.5", 2
	case release.AtLeast(version, "1.10"):
		return "3.3", 2
	case release.AtLeast(version, "1.7"):
		return "3.1", 1
	}
	return "1.1.1", 1
}

func writeIngressNginx(w *writer) error {
	if w.o.Version != "" && !release.Known(w.o.Version) {
		return w.unsayable("there is no version " + oneLine(w.o.Version))
	}
	d := dialect{range13: false, noSuites13: true, noSchemes: true, noChaCha: true}
	d.release, d.level = ingressOpenSSL(w.o.Version)
	if w.o.OpenSSL != "" {
		d.release, d.level = w.o.OpenSSL, 1
		if release.AtLeast(w.o.OpenSSL, "3.2") {
			d.level = 2
		}
	}
	names, mean := w.hosts(true)
	byName := len(names) > 0
	d.noClientPref = !byName // it is an annotation, and so is what is asked of client certificates
	s, err := w.openSSL(d)
	if err != nil {
		return err
	}
	w.means = s.means
	w.ingressConfig(s)
	w.why[LossSNIRequired] = "the controller refuses other names in its default server, which answers clients without a name, too"
	switch {
	case byName:
		w.line("  ssl-reject-handshake: \"true\"")
		w.means.Names, w.means.SNIRequired = mean, true
		w.ingress(names, s)
	case w.p.Names != nil:
		w.line("  ssl-reject-handshake: \"true\"")
		w.means.Names, w.means.SNIRequired = []string{}, true
	default:
		w.why[LossSNIRequired] = "the default server answers clients without a name"
	}
	if !byName && w.p.ClientAuth != policy.ClientAuthNone {
		w.means.ClientAuth = policy.ClientAuthNone
		w.why[LossClientAuth] = "it is an annotation of an Ingress, which needs a host"
	}
	w.run("kubectl apply -f ingress-nginx.yaml")
	return nil
}

func (w *writer) ingressConfig(s *settings) {
	w.line("apiVersion: v1")
	w.line("kind: ConfigMap")
	w.line("metadata:")
	w.line("  name: ingress-nginx-controller")
	w.line("  namespace: ingress-nginx")
	w.line("data:")
	var versions []string
	for _, v := range s.context.Versions {
		versions = append(versions, openSSLVersion(v))
	}
	w.line("  ssl-protocols: %q", strings.Join(versions, " "))
	if s.ciphers != "" {
		w.line("  ssl-ciphers: %q", s.ciphers)
	}
	if s.groups != "" {
		w.line("  ssl-ecdh-curve: %q", s.groups)
	}
	if s.dh {
		w.line("  ssl-dh-param: ingress-nginx/dhparam")
		w.note("the DHE suites need a Secret with parameters: openssl dhparam -out dhparam.pem 2048; kubectl -n ingress-nginx create secret generic dhparam --from-file=dhparam.pem")
	}
	w.means.ALPN = []string{"http/1.1", "http/1.0", "http/0.9"}
	if w.p.ALPN == nil || slices.Contains(w.p.ALPN, "h2") {
		w.means.ALPN = append([]string{"h2"}, w.means.ALPN...)
	} else {
		w.line("  use-http2: \"false\"")
	}
	w.means.ALPNRequired = release.AtLeast(w.o.Version, "1.3")
	w.why[LossALPN] = "nginx negotiates http/1.1, http/1.0 and http/0.9, and h2 where use-http2 is on"
	w.why[LossALPNRequired] = "nginx 1.21.4 and above end the handshake without a protocol in common"
}

func (w *writer) ingress(names []string, s *settings) {
	const prefix = "nginx.ingress.kubernetes.io/"
	w.line("---")
	w.line("apiVersion: networking.k8s.io/v1")
	w.line("kind: Ingress")
	w.line("metadata:")
	w.line("  name: %s", w.nameOf(63))
	var annotations []string
	if !s.context.ServerPreference {
		annotations = append(annotations, "ssl-prefer-server-ciphers: \"false\"")
	}
	if auth := cmp.Or(w.p.ClientAuth, policy.ClientAuthNone); auth != policy.ClientAuthNone {
		verify := "\"on\""
		if auth == policy.ClientAuthRequest {
			verify = "optional"
		}
		annotations = append(annotations, "auth-tls-secret: default/client-ca", "auth-tls-verify-client: "+verify)
		w.note("Secret default/client-ca holds the authorities of the clients as ca.crt")
	}
	if len(annotations) > 0 {
		w.line("  annotations:")
		for _, a := range annotations {
			w.line("    %s%s", prefix, a)
		}
	}
	w.line("spec:")
	w.line("  ingressClassName: nginx")
	w.line("  tls:")
	w.line("  - secretName: server-tls")
	w.line("    hosts:")
	for _, name := range names {
		w.line("    - %q", name)
	}
	w.line("  rules:")
	for _, name := range names {
		w.line("  - host: %q", name)
		w.line("    http:")
		w.line("      paths:")
		w.line("      - path: /")
		w.line("        pathType: Prefix")
		w.line("        backend: {service: {name: app, port: {number: 80}}}")
	}
}
