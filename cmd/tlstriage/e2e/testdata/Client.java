import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Client NAME PORT CA PROTOCOLS SUITES: one request over a socket, with a choice of protocols and suites ("default" for either).
 * Client NAME PORT CA h1|h2 LARGE [upload]: what a healthy client asks for, each over a connection of its own, by java.net.http.
 */
public class Client {
    public static void main(String[] args) throws Exception {
        SSLContext context = trusting(Path.of(args[2]));
        if (args[3].equals("h1") || args[3].equals("h2")) {
            healthy(context, args);
            System.exit(0);
        }
        var plain = new Socket("127.0.0.1", Integer.parseInt(args[1]));
        plain.setSoTimeout(20000);
        var socket = (SSLSocket) context.getSocketFactory().createSocket(plain, args[0], plain.getPort(), true);
        SSLParameters wanted = socket.getSSLParameters();
        wanted.setEndpointIdentificationAlgorithm("HTTPS");
        if (!args[3].equals("default")) {
            wanted.setProtocols(args[3].split(","));
            wanted.setCipherSuites(socket.getSupportedCipherSuites());
        }
        if (!args[4].equals("default")) {
            wanted.setCipherSuites(args[4].split(","));
        }
        socket.setSSLParameters(wanted);
        try {
            socket.startHandshake();
            socket.getOutputStream().write(("GET /hello HTTP/1.1\r\nHost: " + args[0] + "\r\nConnection: close\r\n\r\n").getBytes());
            var body = new ByteArrayOutputStream();
            InputStream in = socket.getInputStream();
            in.transferTo(body);
            System.out.println(socket.getSession().getProtocol());
            System.out.println(body.toString(StandardCharsets.UTF_8));
            socket.close();
        } catch (Exception e) {
            System.out.println(e);
            System.exit(1);
        }
    }

    static SSLContext trusting(Path file) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (InputStream in = Files.newInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    static void healthy(SSLContext context, String[] args) throws Exception {
        byte[] large = Files.readAllBytes(Path.of(args[4]));
        String sum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(large));
        check("hello", new String(ask(context, args, "/hello", null)), "hello from the backend\n");
        check("large", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(ask(context, args, "/large", null))), sum);
        if (args.length > 5) {
            check("digest", new String(ask(context, args, "/digest", large)), sum);
        }
    }

    static byte[] ask(SSLContext context, String[] args, String path, byte[] body) throws Exception {
        var version = args[3].equals("h2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        var client = HttpClient.newBuilder().sslContext(context).version(version).build();
        var request = HttpRequest.newBuilder(URI.create("https://" + args[0] + ":" + args[1] + path));
        if (body != null) {
            request.POST(HttpRequest.BodyPublishers.ofByteArray(body));
        }
        var response = client.send(request.build(), BodyHandlers.ofByteArray());
        if (response.statusCode() != 200) {
            throw new Exception(path + ": " + response.statusCode());
        }
        return response.body();
    }

    static void check(String what, String got, String want) throws Exception {
        if (!got.equals(want)) {
            throw new Exception(what + ": got " + got);
        }
    }
}
