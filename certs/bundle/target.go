package bundle

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/certs"
	"software.sslmate.com/src/go-pkcs12"
)

// Target is the system that the files are for.
type Target string

// Targets.
const (
	Nginx   Target = "nginx"   // NAME.fullchain.pem and NAME.key
	HAProxy Target = "haproxy" // NAME.pem with the key in it
	AWS     Target = "aws"     // the three parts of an import into AWS Certificate Manager
	Ingress Target = "ingress" // the manifest of a Kubernetes Secret of type kubernetes.io/tls
	Envoy   Target = "envoy"   // NAME.fullchain.pem, NAME.key and the snippet that names them
	Java    Target = "java"    // NAME.p12, a PKCS #12 key store, and its password
)

// Targets are all targets in the order in which help names them.
func Targets() []Target { return []Target{Nginx, HAProxy, AWS, Ingress, Envoy, Java} }

// ParseTarget finds a target by its name.
func ParseTarget(name string) (Target, error) {
	var known []string
	for _, t := range Targets() {
		if strings.EqualFold(name, string(t)) {
			return t, nil
		}
		known = append(known, string(t))
	}
	return "", fmt.Errorf("%q is no known target; known are %s", clip(name), strings.Join(known, ", "))
}

// OutputOptions say how an Output is made. The zero value works.
type OutputOptions struct {
	Namespace string // Ingress: of the Secret; empty: the one of kubectl's context
	Password  string // Java: of the key store; empty: a random one, written into a file beside it
}

// File is a file to be written. All of them are for their owner only: most hold a key.
type File struct {
	Name   string
	Data   []byte
	Secret bool // it holds a private key or a password
}

// Output is a result in the form that a target wants.
type Output struct {
	Target   Target
	Files    []File
	Use      []string // lines of configuration and commands that use the files; nothing secret in them
	Warnings []string // what the target cannot do with it

	bundled []*Bundle
}

// Output renders the bundles for a target. Bundles without a key give their certificates only. The error is a target that is not
// known, or a key that cannot be encoded.
func (r *Result) Output(target Target, o OutputOptions) (*Output, error) {
	out := &Output{Target: target, bundled: r.Bundles}
	for _, b := range r.Bundles {
		key, err := b.keyPEM()
		if err != nil {
			return nil, err
		}
		switch target {
		case Nginx:
			out.file(b.Name+".fullchain.pem", certs.EncodePEM(b.Chain...))
			out.secret(b.Name+".key", key)
		case HAProxy:
			out.haproxy(b, key)
		case AWS:
			out.aws(b, key)
		case Ingress:
			out.ingress(b, key, o.Namespace)
		case Envoy:
			out.envoy(b, key)
		case Java:
			err = out.java(b, o.Password)
		default:
			_, err = ParseTarget(string(target))
		}
		if err != nil {
			return nil, err
		}
	}
	switch target { // several certificates share one port, and so one configuration
	case Nginx:
		out.useNginx(r.Bundles)
	case HAProxy:
		out.useHAProxy(r.Bundles)
	}
	return out, nil
}

// keyPEM is the key in PKCS #8, which all of the targets read; nil when there is none.
func (b *Bundle) keyPEM() ([]byte, error) {
	if b.Key == nil {
		return nil, nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(b.Key.Signer)
	if err != nil {
		return nil, fmt.Errorf("bundle: encode the key of %s: %w", b.Key.Source, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func (o *Output) file(name string, data []byte) {
	o.Files = append(o.Files, File{Name: name, Data: data})
}

func (o *Output) secret(name string, data []byte) {
	if len(data) > 0 {
		o.Files = append(o.Files, File{Name: name, Data: data, Secret: true})
	}
}

func (o *Output) use(format string, args ...any) { o.Use = append(o.Use, fmt.Sprintf(format, args...)) }

func (o *Output) warn(format string, args ...any) {
	o.Warnings = append(o.Warnings, fmt.Sprintf(format, args...))
}

// aws makes the three parts that ImportCertificate takes.
func (o *Output) aws(b *Bundle, key []byte) {
	o.file(b.Name+".cert.pem", certs.EncodePEM(b.Chain[0]))
	o.secret(b.Name+".key.pem", key)
	keyFile := b.Name + ".key.pem"
	if key == nil {
		keyFile = "KEY-FILE"
		o.warn("%s: its key is not here; without it AWS Certificate Manager imports nothing", b.Name)
	}
	command := fmt.Sprintf("aws acm import-certificate --certificate fileb://%s.cert.pem --private-key fileb://%s", b.Name, keyFile)
	if len(b.Chain) > 1 {
		o.file(b.Name+".chain.pem", certs.EncodePEM(b.Chain[1:]...))
		command += fmt.Sprintf(" --certificate-chain fileb://%s.chain.pem", b.Name)
	}
	o.use("%s", command)
	o.use("# to replace a certificate that is in use, add: --certificate-arn ARN")
	switch k := b.Leaf.PublicKey.(type) {
	case ed25519.PublicKey:
		o.warn("%s: AWS Certificate Manager takes no Ed25519 key", b.Name)
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); !slices.Contains([]int{1024, 2048, 3072, 4096}, bits) {
			o.warn("%s: AWS Certificate Manager takes RSA keys of 1024, 2048, 3072 and 4096 bits, not of %d", b.Name, bits)
		} else if bits > 2048 {
			o.warn("%s: not every AWS service can use an RSA key of %d bits", b.Name, bits)
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			o.warn("%s: AWS Certificate Manager takes no key on P-224", b.Name)
		}
	}
}

// ingress makes the manifest of a Secret. Its JSON-like scalars are safe YAML: names are lower case letters, digits and hyphens.
func (o *Output) ingress(b *Bundle, key []byte, namespace string) {
	name := secretName(b.Name)
	var y strings.Builder
	y.WriteString("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: " + name + "\n")
	flag := ""
	if namespace != "" {
		fmt.Fprintf(&y, "  namespace: %q\n", namespace)
		flag = " --namespace " + quote(namespace)
	}
	fmt.Fprintf(&y, "data:\n  tls.crt: %s\n", base64.StdEncoding.EncodeToString(certs.EncodePEM(b.Chain...)))
	if key == nil {
		o.file(b.Name+".fullchain.pem", certs.EncodePEM(b.Chain...))
		o.use("kubectl create secret tls %s%s --cert=%s.fullchain.pem --key=KEY-FILE", name, flag, b.Name)
		o.warn("%s: without its key there is no Secret to make", b.Name)
		return
	}
	fmt.Fprintf(&y, "  tls.key: %s\n", base64.StdEncoding.EncodeToString(key))
	o.secret(b.Name+".secret.yaml", []byte(y.String()))
	o.use("kubectl apply%s -f %s.secret.yaml", flag, b.Name)
	o.use("# in the Ingress: spec: {tls: [{hosts: [%s], secretName: %s}]}", hostList(b.Leaf.Certificate), name)
}

// secretName is a name that Kubernetes accepts (RFC 1123, Section 2.1, subdomains).
func secretName(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if r == '.' || r == '_' {
			return '-'
		}
		return r
	}, name), "-")
	return name + "-tls"
}

// hostList is the names of a certificate as a YAML flow list.
func hostList(c *x509.Certificate) string {
	var out []string
	for _, n := range c.DNSNames[:min(len(c.DNSNames), 5)] {
		out = append(out, fmt.Sprintf("%q", clip(n)))
	}
	return strings.Join(out, ", ")
}

func (o *Output) envoy(b *Bundle, key []byte) {
	o.file(b.Name+".fullchain.pem", certs.EncodePEM(b.Chain...))
	if key == nil {
		o.warn("%s: its key is not here, and Envoy's configuration names it: %s.fullchain.pem goes to certificate_chain, the key to private_key", b.Name, b.Name)
		return
	}
	o.secret(b.Name+".key", key)
	o.file(b.Name+".envoy.yaml", fmt.Appendf(nil, `transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
    common_tls_context:
      tls_certificates:
        - certificate_chain: {filename: /etc/envoy/tls/%s.fullchain.pem}
          private_key: {filename: /etc/envoy/tls/%s.key}
`, b.Name, b.Name))
	o.use("# the transport_socket of a listener's filter chain: %s.envoy.yaml", b.Name)
	if len(o.bundled) > 1 {
		o.use("# of the chain with filter_chain_match: {server_names: [%s]}", hostList(b.Leaf.Certificate))
	}
	if _, ok := b.Leaf.PublicKey.(ed25519.PublicKey); ok {
		o.warn("%s: Envoy takes RSA and ECDSA keys only", b.Name)
	} else if k, ok := b.Leaf.PublicKey.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P224() {
		o.warn("%s: Envoy takes no key on P-224", b.Name)
	} else if k, ok := b.Leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		o.warn("%s: Envoy refuses RSA keys shorter than 2048 bits", b.Name)
	}
}

// java makes a PKCS #12 key store; Java has read that form since version 8, and it is the default since 9.
func (o *Output) java(b *Bundle, password string) error {
	if b.Key == nil {
		o.file(b.Name+".fullchain.pem", certs.EncodePEM(b.Chain...))
		o.warn("%s: without its key there is no key store to make", b.Name)
		return nil
	}
	written := password == ""
	if written {
		password = rand.Text()
	}
	data, err := pkcs12.Modern2023.Encode(b.Key.Signer, b.Chain[0], b.Chain[1:], password)
	if err != nil {
		return fmt.Errorf("bundle: key store of %s: %w", b.Name, err)
	}
	o.secret(b.Name+".p12", data)
	storepass := "-storepass PASSWORD"
	if written {
		o.secret(b.Name+".p12.password", []byte(password))
		storepass = "-storepass:file " + b.Name + ".p12.password"
	}
	o.use("keytool -list -keystore %s.p12 %s", b.Name, storepass)
	o.use("# Tomcat: <Certificate certificateKeystoreFile=\"conf/%s.p12\" certificateKeystorePassword=\"…\"/>", b.Name)
	o.use("# Spring Boot: server.ssl.key-store=file:%s.p12 and server.ssl.key-store-password=…", b.Name)
	o.use("# the key's alias is 1; another name: keytool -changealias -alias 1 -destalias NAME -keystore %s.p12 %s", b.Name, storepass)
	o.use("# Java before 8u301 and 11.0.12 cannot open it; for those: openssl pkcs12 -in %s.p12 -nodes | openssl pkcs12 -export -legacy -out OLD.p12", b.Name)
	return nil
}

// quote makes one word of a shell's command line of a string that may be a stranger's.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:=@%+,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
