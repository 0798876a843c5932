package main

// javaHello says hello with what its arguments ask for: the protocols and the suites (empty: the defaults), the server name.
const javaHello = `import java.security.Security;
import javax.net.ssl.*;

public class Hello {
  public static void main(String[] a) throws Exception {
    if (!a[1].isEmpty()) Security.setProperty("jdk.tls.disabledAlgorithms", "");
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, null, null);
    java.net.Socket plain = new java.net.Socket("127.0.0.1", Integer.parseInt(a[0]));
    SSLSocket s = (SSLSocket) context.getSocketFactory().createSocket(plain, a[3].isEmpty() ? "127.0.0.1" : a[3], 443, true);
    if (!a[1].isEmpty()) s.setEnabledProtocols(a[1].split(","));
    if (!a[2].isEmpty()) s.setEnabledCipherSuites(a[2].split(","));
    s.startHandshake();
  }
}
`

// The suites that Java 6 (6u45) and Java 7 (7u80) offer as they come, in their order: the tables of enabled suites in the SunJSSE
// documentation of these releases, without the strong ones that need another jurisdiction policy.
const (
	java6Suites = "SSL_RSA_WITH_RC4_128_MD5,SSL_RSA_WITH_RC4_128_SHA,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_DSS_WITH_AES_128_CBC_SHA," +
		"SSL_RSA_WITH_3DES_EDE_CBC_SHA,SSL_DHE_RSA_WITH_3DES_EDE_CBC_SHA,SSL_DHE_DSS_WITH_3DES_EDE_CBC_SHA,SSL_RSA_WITH_DES_CBC_SHA,SSL_DHE_RSA_WITH_DES_CBC_SHA," +
		"SSL_DHE_DSS_WITH_DES_CBC_SHA,SSL_RSA_EXPORT_WITH_RC4_40_MD5,SSL_RSA_EXPORT_WITH_DES40_CBC_SHA,SSL_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA," +
		"SSL_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA,TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
	java7Suites = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA," +
		"TLS_ECDH_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_DSS_WITH_AES_128_CBC_SHA,TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA," +
		"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,SSL_RSA_WITH_3DES_EDE_CBC_SHA,TLS_ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA,TLS_ECDH_RSA_WITH_3DES_EDE_CBC_SHA," +
		"SSL_DHE_RSA_WITH_3DES_EDE_CBC_SHA,SSL_DHE_DSS_WITH_3DES_EDE_CBC_SHA,TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,TLS_ECDHE_RSA_WITH_RC4_128_SHA," +
		"SSL_RSA_WITH_RC4_128_SHA,TLS_ECDH_ECDSA_WITH_RC4_128_SHA,TLS_ECDH_RSA_WITH_RC4_128_SHA,SSL_RSA_WITH_RC4_128_MD5,TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
)

func javas() []program {
	of := func(java, id, client, mode, protocols, suites, name string, options ...string) program {
		command := append([]string{java}, options...)
		return program{
			id: id, client: client, mode: mode,
			versions: []release{says(`openjdk version "([^"]+)"`, java, "-version")},
			files:    map[string]string{"Hello.java": javaHello},
			command:  append(command, "@DIR@/Hello.java", "@PORT@", protocols, suites, name),
		}
	}
	const java25 = "/usr/lib/jvm/temurin-25-jdk-amd64/bin/java"
	// What came with later releases than 7: extended_master_secret (23), status_request (5), status_request_v2 (17), session_ticket (35).
	seven := "-Djdk.tls.client.disableExtensions=extended_master_secret,status_request,status_request_v2,session_ticket,supported_versions,signature_algorithms,signature_algorithms_cert"
	return []program{
		of("java", "java-@RELEASE@-sslsocket", "OpenJDK %s", "SSLSocket", "", "", "backend.example"),
		of("java", "java-@RELEASE@-sslsocket-no-sni", "OpenJDK %s", "SSLSocket to an IP address", "", "", ""),
		of(java25, "java-@RELEASE@-sslsocket", "OpenJDK %s", "SSLSocket", "", "", "backend.example"),
		of(java25, "java-@RELEASE@-sslsocket-no-sni", "OpenJDK %s", "SSLSocket to an IP address", "", "", ""),
		of("java", "java6", "OpenJDK %s set up as Java 6u45", "SSLv2Hello, SSLv3 and TLSv1 with Java 6's suites: a hello in this format has nothing else", "SSLv2Hello,SSLv3,TLSv1", java6Suites, ""),
		of("java", "java7", "OpenJDK %s set up as Java 7u80",
			"TLSv1 with Java 7's suites, and of its extensions server_name, supported_groups and ec_point_formats; the groups are those of 7 that OpenJDK 17 still has", "TLSv1",
			java7Suites, "backend.example", seven, "-Djdk.tls.namedGroups=secp256r1,secp384r1,secp521r1"),
	}
}
