import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;

/** Server PORT CERT KEY PROTOCOLS LARGE: an HTTPS server ("default"), or one that speaks just these protocols. */
public class Server {
    public static void main(String[] args) throws Exception {
        var chain = new ArrayList<Certificate>();
        for (String block : pem(Path.of(args[1]))) {
            chain.add(CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(Base64.getMimeDecoder().decode(block))));
        }
        var spec = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem(Path.of(args[2])).get(0)));
        PrivateKey key = KeyFactory.getInstance(chain.get(0).getPublicKey().getAlgorithm()).generatePrivate(spec);
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("server", key, new char[0], chain.toArray(new Certificate[0]));
        var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);

        if (!args[3].equals("default")) {
            sockets(context, Integer.parseInt(args[0]), args[3].split(","));
            return;
        }
        byte[] large = Files.readAllBytes(Path.of(args[4]));
        var server = HttpsServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters p) {
                p.setSSLParameters(context.getDefaultSSLParameters());
            }
        });
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", x -> {
            switch (x.getRequestURI().getPath()) {
                case "/large" -> answer(x, large);
                case "/digest" -> answer(x, digest(x));
                default -> answer(x, "hello from the backend\n".getBytes());
            }
        });
        server.start();
    }

    /** Answers each connection with the greeting. Unlike HttpsServer it tells a client by an alert why it refuses it. */
    static void sockets(SSLContext context, int port, String[] protocols) throws Exception {
        var server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 0, InetAddress.getByName("127.0.0.1"));
        server.setEnabledProtocols(protocols);
        server.setEnabledCipherSuites(server.getSupportedCipherSuites());
        while (true) {
            var socket = server.accept();
            new Thread(() -> {
                try (socket) {
                    var in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
                    for (String line; (line = in.readLine()) != null && !line.isEmpty(); ) {
                    }
                    socket.getOutputStream().write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 23\r\n\r\nhello from the backend\n".getBytes());
                } catch (java.io.IOException e) {
                    System.err.println(e);
                }
            }).start();
        }
    }

    static byte[] digest(HttpExchange x) throws java.io.IOException {
        try {
            var sum = MessageDigest.getInstance("SHA-256");
            var buffer = new byte[65536];
            for (int n; (n = x.getRequestBody().read(buffer)) > 0; ) {
                sum.update(buffer, 0, n);
            }
            return HexFormat.of().formatHex(sum.digest()).getBytes();
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new java.io.IOException(e);
        }
    }

    static void answer(HttpExchange x, byte[] body) throws java.io.IOException {
        x.sendResponseHeaders(200, body.length);
        x.getResponseBody().write(body);
        x.close();
    }

    static List<String> pem(Path file) throws java.io.IOException {
        var blocks = new ArrayList<String>();
        StringBuilder block = null;
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith("-----BEGIN")) {
                block = new StringBuilder();
            } else if (line.startsWith("-----END")) {
                blocks.add(block.toString());
            } else if (block != null) {
                block.append(line);
            }
        }
        return blocks;
    }
}
