package kubernetes

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// Where defaults of ingress-nginx are documented.
const (
	sourceConfig  = "ingress-nginx: internal/ingress/controller/config/config.go and the ConfigMap's documentation"
	sourceOpenSSL = "ingress-nginx: the Alpine release of its image, and that one's OpenSSL"
	sourceFake    = "ingress-nginx: a self-signed certificate with an RSA key where no other is found"
	newestNginx   = "1.15"
)

// defaults are those of a release of ingress-nginx.
type defaults struct {
	version   string
	protocols string
	ciphers   string
	openssl   string
	level     int  // security level that the build begins with
	strict    bool // no ALPN protocol in common ends the handshake: nginx 1.21.4 and above
}

// releaseDefaults are the defaults of a release; certain false: no source states them for it.
func releaseDefaults(version string) (d defaults, certain bool) {
	d = defaults{version: newestNginx, protocols: "TLSv1.2 TLSv1.3", openssl: "3.5", level: 2, strict: release.AtLeast(version, "1.3")}
	if release.Known(version) {
		d.version = version
	}
	const ecdhe = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
		"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
	d.ciphers = ecdhe + "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
	if !release.AtLeast(version, "1.15") {
		d.ciphers = ecdhe + "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
	}
	switch {
	case release.AtLeast(version, "1.13"):
	case release.AtLeast(version, "1.10"):
		d.openssl = "3.3"
	case release.AtLeast(version, "1.7"):
		d.openssl, d.level = "3.1", 1
	default:
		d.openssl, d.level = "1.1.1", 1
	}
	return d, release.AtLeast(version, "1.0")
}

// workload looks for the controller of ingress-nginx among the containers of a Deployment: its version and its arguments.
func (r *reader) workload(n *document.Node) {
	spec := n.At("spec", "template", "spec")
	if !spec.Present() {
		spec = n.Get("spec")
	}
	for _, c := range spec.Get("containers").Items() {
		image := c.Get("image")
		name, tag := splitImage(image.Text())
		if !strings.HasSuffix(name, "ingress-nginx/controller") && !strings.HasSuffix(name, "nginx-ingress-controller") && !strings.HasSuffix(name, "ingress-nginx/controller-chroot") {
			continue
		}
		if release.Known(tag) {
			r.controller.version, r.controller.versionAt = strings.TrimPrefix(tag, "v"), image
		}
		for _, argument := range append(c.Get("args").Items(), c.Get("command").Items()...) {
			key, value, _ := strings.Cut(strings.TrimLeft(argument.Text(), "-"), "=")
			switch key {
			case "configmap":
				r.controller.configMap = strings.Replace(value, "$(POD_NAMESPACE)", namespaceOf(n), 1)
			case "default-ssl-certificate":
				r.controller.defaultSecret = document.NewText(argument.Line, strings.Replace(value, "$(POD_NAMESPACE)", namespaceOf(n), 1))
			case "enable-ssl-passthrough":
				r.controller.passthrough = value != "false"
			}
		}
	}
}

// splitImage cuts an image into its name and its tag.
func splitImage(image string) (name, tag string) {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:]
	}
	return image, ""
}

// isControllers reports whether a ConfigMap looks like that of ingress-nginx: by its name, or by a key that only it has.
func isControllers(n *document.Node) bool {
	switch nameOf(n) {
	case "ingress-nginx-controller", "nginx-configuration", "nginx-ingress-controller", "nginx-load-balancer-conf":
		return true
	}
	for key := range n.Get("data").All() {
		switch key {
		case "ssl-ciphers", "ssl-protocols", "ssl-ecdh-curve", "ssl-dh-param", "ssl-reject-handshake":
			return true
		}
	}
	return false
}
