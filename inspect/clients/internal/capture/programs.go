package main

import (
	"regexp"
	"slices"
	"strings"
)

// program is a client and how it is brought to say hello. In id, files and command @RELEASE@ stands for its release, @PORT@ for
// the port of the listener, @FRONT@ for one that the program listens on, @DIR@ for its directory.
type program struct {
	id       string // of the sample
	client   string // the name for people, with a %s for each release
	mode     string
	versions []release // the first one is the program's own
	files    map[string]string
	command  []string
	proxies  bool // speaks to the listener when it is spoken to on @FRONT@
}

// release is how a program says which one it is.
type release struct {
	command []string
	pattern *regexp.Regexp
}

func says(pattern string, command ...string) release {
	return release{command: command, pattern: regexp.MustCompile(pattern)}
}

func programs() []program {
	return slices.Concat(nginxes(), haproxies(), others(), apaches(), tools(), javas())
}

func libssl() release { return says(`Version: (\S+)`, "dpkg", "-s", "libssl3") }

func nginxes() []program {
	of := func(mode, text, directives string) program {
		return program{
			id: "nginx-@RELEASE@-" + mode, client: "nginx %s (OpenSSL %s)", mode: text, proxies: true,
			versions: []release{says(`nginx/(\S+)`, "nginx", "-v"), libssl()},
			files: map[string]string{"nginx.conf": `daemon off; master_process off; pid @DIR@/pid; error_log @DIR@/error.log;
events {}
http {
  access_log off; client_body_temp_path @DIR@/b; proxy_temp_path @DIR@/p; fastcgi_temp_path @DIR@/f; uwsgi_temp_path @DIR@/u; scgi_temp_path @DIR@/s;
  server { listen 127.0.0.1:@FRONT@; location / { ` + directives + ` } }
}`},
			command: []string{"nginx", "-p", "@DIR@", "-c", "@DIR@/nginx.conf"},
		}
	}
	const pass, name = "proxy_pass https://127.0.0.1:@PORT@;", "proxy_ssl_server_name on; proxy_ssl_name backend.example;"
	return []program{
		of("proxy_pass", "proxy_pass https://IP", pass),
		of("proxy_pass-sni", "proxy_ssl_server_name on, proxy_ssl_name", pass+name),
		of("proxy_pass-tls13", "proxy_ssl_protocols TLSv1.2 TLSv1.3, proxy_ssl_server_name on", pass+name+"proxy_ssl_protocols TLSv1.2 TLSv1.3;"),
		of("proxy_pass-tls10", "proxy_ssl_protocols TLSv1, proxy_ssl_ciphers DEFAULT:@SECLEVEL=0", pass+"proxy_ssl_protocols TLSv1; proxy_ssl_ciphers DEFAULT:@SECLEVEL=0;"),
		of("grpc_pass", "grpc_pass grpcs://IP", "grpc_pass grpcs://127.0.0.1:@PORT@;"),
		of("uwsgi_pass", "uwsgi_pass suwsgi://IP", "uwsgi_pass suwsgi://127.0.0.1:@PORT@;"),
	}
}

func haproxies() []program {
	of := func(mode, text, options string, checks bool) program {
		return program{
			id: "haproxy-@RELEASE@-" + mode, client: "HAProxy %s (OpenSSL %s)", mode: text, proxies: !checks,
			versions: []release{says(`version (\S+)`, "haproxy", "-v"), libssl()},
			files: map[string]string{"haproxy.cfg": "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n" +
				"listen l\n bind 127.0.0.1:@FRONT@\n server s 127.0.0.1:@PORT@ " + options + "\n"},
			command: []string{"haproxy", "-db", "-f", "@DIR@/haproxy.cfg"},
		}
	}
	return []program{
		of("default", "server ssl verify none", "ssl verify none", false),
		of("sni", "server ssl verify none sni str(backend.example)", "ssl verify none sni str(backend.example)", false),
		of("sni-alpn", "server ssl verify none sni str(backend.example) alpn h2,http/1.1", "ssl verify none sni str(backend.example) alpn h2,http/1.1", false),
		of("tls12", "server ssl verify none ssl-max-ver TLSv1.2", "ssl verify none ssl-max-ver TLSv1.2", false),
		of("tls10", "server ssl verify none force-tlsv10 ciphers DEFAULT:@SECLEVEL=0", "ssl verify none force-tlsv10 ciphers DEFAULT:@SECLEVEL=0", false),
		of("check", "server check check-ssl verify none inter 300", "check check-ssl verify none inter 300", true),
		of("check-sni", "server check check-ssl verify none check-sni backend.example check-alpn http/1.1 inter 300", "check check-ssl verify none check-sni backend.example check-alpn http/1.1 inter 300", true),
	}
}

func others() []program {
	caddy := func(mode, text, transport string) program {
		return program{
			id: "caddy-@RELEASE@-" + mode, client: "Caddy %s", mode: text, proxies: true,
			versions: []release{says(`v?(\d\S*)`, "caddy", "version")},
			files: map[string]string{"Caddyfile": "{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:@FRONT@, http://backend.example:@FRONT@ {\n" +
				" reverse_proxy https://127.0.0.1:@PORT@ {\n transport http {\n tls_insecure_skip_verify\n " + transport + "\n }\n }\n}\n"},
			command: []string{"caddy", "run", "--config", "@DIR@/Caddyfile", "--adapter", "caddyfile"},
		}
	}
	stunnel := func(mode, text, options string) program {
		return program{
			id: "stunnel-@RELEASE@-" + mode, client: "stunnel %s (OpenSSL %s)", mode: text, proxies: true,
			versions: []release{says(`stunnel (\S+) on`, "stunnel4", "-version"), libssl()},
			files: map[string]string{"stunnel.conf": "foreground = yes\npid =\n[s]\nclient = yes\naccept = 127.0.0.1:@FRONT@\nconnect = 127.0.0.1:@PORT@\n" +
				options + "\n"},
			command: []string{"stunnel4", "@DIR@/stunnel.conf"},
		}
	}
	return []program{
		caddy("default", "reverse_proxy https://IP", ""),
		caddy("sni", "reverse_proxy https://IP, tls_server_name", "tls_server_name backend.example"),
		caddy("http1", "reverse_proxy https://IP, tls_server_name, versions 1.1", "tls_server_name backend.example\n versions 1.1"),
		stunnel("default", "client = yes", ""),
		stunnel("sni", "client = yes, sni = backend.example", "sni = backend.example"),
		stunnel("no-sni", "client = yes, sni =", "sni ="),
		stunnel("tls12", "client = yes, sni = backend.example, sslVersionMax = TLSv1.2", "sni = backend.example\nsslVersionMax = TLSv1.2"),
	}
}

func apaches() []program {
	of := func(mode, text, options string, modules ...string) program {
		var load strings.Builder
		for _, m := range append([]string{"mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "socache_shmcb"}, modules...) {
			load.WriteString("LoadModule " + m + "_module /usr/lib/apache2/modules/mod_" + m + ".so\n")
		}
		return program{
			id: "apache-@RELEASE@-" + mode, client: "Apache httpd %s mod_proxy (OpenSSL %s)", mode: text, proxies: true,
			versions: []release{says(`Apache/(\S+)`, "apache2", "-v"), libssl()},
			files: map[string]string{"httpd.conf": "ServerRoot @DIR@\nServerName localhost\nPidFile @DIR@/pid\nDefaultRuntimeDir @DIR@\nMutex file:@DIR@\nErrorLog @DIR@/error.log\nListen 127.0.0.1:@FRONT@\n" +
				load.String() + "SSLProxyEngine on\nSSLProxyVerify none\nSSLProxyCheckPeerName off\nSSLProxyCheckPeerCN off\nSSLProxyCheckPeerExpire off\n" + options + "\n"},
			command: []string{"apache2", "-X", "-f", "@DIR@/httpd.conf"},
		}
	}
	const pass = "ProxyPass / https://127.0.0.1:@PORT@/\n"
	return []program{
		of("proxypass", "ProxyPass https://IP", pass),
		of("proxypass-name", "ProxyPass https://localhost", "ProxyPass / https://localhost:@PORT@/\n"),
		of("proxypass-preservehost", "ProxyPass https://IP, ProxyPreserveHost On", pass+"ProxyPreserveHost On\n"),
		of("proxypass-tls12", "ProxyPass https://IP, ProxyPreserveHost On, SSLProxyProtocol TLSv1.2", pass+"ProxyPreserveHost On\nSSLProxyProtocol TLSv1.2\n"),
		of("proxypass-h2", "ProxyPass h2://localhost", "ProxyPass / h2://localhost:@PORT@/\n", "proxy_http2"),
	}
}

func tools() []program {
	of := func(id, client, mode string, version release, linked release, command ...string) program {
		return program{id: id, client: client, mode: mode, versions: []release{version, linked}, command: command}
	}
	openssl := func(mode string, options ...string) program {
		command := append([]string{"openssl", "s_client", "-connect", "127.0.0.1:@PORT@", "-servername", "backend.example"}, options...)
		return program{id: "openssl-@RELEASE@-s_client-" + mode, client: "OpenSSL %s s_client", mode: strings.Join(options, " "), versions: []release{says(`OpenSSL (\S+)`, "openssl", "version")}, command: command}
	}
	curl := says(`curl (\S+)`, "curl", "--version")
	curlSSL := says(`OpenSSL/(\S+)`, "curl", "--version")
	gnutls := says(`gnutls-cli (\S+)`, "gnutls-cli", "--version")
	node := says(`v(\S+)`, "node", "--version")
	nodeSSL := says(`(\d\S*)`, "node", "-p", "process.versions.openssl")
	python := says(`Python (\S+)`, "python3", "-c", "import sys; print('Python', sys.version.split()[0])")
	pythonSSL := says(`OpenSSL (\S+)`, "python3", "-c", "import ssl; print(ssl.OPENSSL_VERSION)")
	return []program{
		openssl("p256", "-groups", "P-256"),
		openssl("ecdsa-only", "-tls1_2", "-cipher", "aECDSA"),
		of("curl-@RELEASE@-default", "curl %s (OpenSSL/%s)", "no options", curl, curlSSL, "curl", "-sk", "--connect-to", "::127.0.0.1:@PORT@", "https://backend.example/"),
		of("curl-@RELEASE@-tls12", "curl %s (OpenSSL/%s)", "--tls-max 1.2", curl, curlSSL, "curl", "-sk", "--tls-max", "1.2", "--connect-to", "::127.0.0.1:@PORT@", "https://backend.example/"),
		{
			id: "gnutls-@RELEASE@-cli-default", client: "GnuTLS %s gnutls-cli", mode: "no options", versions: []release{gnutls},
			command: []string{"gnutls-cli", "--insecure", "--sni-hostname", "backend.example", "-p", "@PORT@", "127.0.0.1"},
		},
		{
			id: "gnutls-@RELEASE@-cli-tls12", client: "GnuTLS %s gnutls-cli", mode: "--priority=NORMAL:-VERS-TLS1.3", versions: []release{gnutls},
			command: []string{"gnutls-cli", "--insecure", "--priority=NORMAL:-VERS-TLS1.3", "--sni-hostname", "backend.example", "-p", "@PORT@", "127.0.0.1"},
		},
		of("node-@RELEASE@-tls", "Node.js %s (OpenSSL %s)", "tls.connect", node, nodeSSL, "node", "-e", "require('tls').connect({port: @PORT@, host: '127.0.0.1', servername: 'backend.example', rejectUnauthorized: false}).on('error', () => {})"),
		of("node-@RELEASE@-fetch", "Node.js %s (OpenSSL %s)", "fetch (undici), https://localhost", node, nodeSSL, "node", "-e", "fetch('https://localhost:@PORT@/').catch(() => {})"),
		of("python-@RELEASE@-default", "Python %s ssl (OpenSSL %s)", "ssl.create_default_context()", python, pythonSSL, "python3", "-c",
			"import ssl, socket; ssl.create_default_context().wrap_socket(socket.create_connection(('127.0.0.1', @PORT@)), server_hostname='backend.example')"),
		goTool("default", "tls.Dial", `c, err := tls.Dial("tcp", "127.0.0.1:@PORT@", &tls.Config{ServerName: "backend.example"}); fmt.Println(c, err)`),
		goTool("h2", "NextProtos h2, http/1.1", `c, err := tls.Dial("tcp", "127.0.0.1:@PORT@", &tls.Config{ServerName: "backend.example", NextProtos: []string{"h2", "http/1.1"}}); fmt.Println(c, err)`),
		goTool("tls12", "MaxVersion 1.2", `c, err := tls.Dial("tcp", "127.0.0.1:@PORT@", &tls.Config{ServerName: "backend.example", MaxVersion: tls.VersionTLS12}); fmt.Println(c, err)`),
	}
}

func goTool(mode, text, statement string) program {
	return program{
		id: "go-@RELEASE@-" + mode, client: "Go %s crypto/tls", mode: text, versions: []release{says(`go(\d\S*)`, "go", "version")},
		files:   map[string]string{"main.go": "package main\n\nimport (\n\"crypto/tls\"\n\"fmt\"\n)\n\nfunc main() { " + statement + " }\n"},
		command: []string{"go", "run", "@DIR@/main.go"},
	}
}
