import java.io.FileInputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/**
 * Accepts handshakes on loopback ports until its input ends. Each argument is one port: a PKCS #12 file (password "test") and
 * settings, separated by ";": client (its order wins), protocols=A,B, suites=A,B, alpn=A,B, want, need. It prints the addresses.
 */
public class Endpoints {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        });
        List<String> addresses = new ArrayList<>();
        for (String arg : args) {
            SSLServerSocket server = listen(arg.split(";"));
            addresses.add("127.0.0.1:" + server.getLocalPort());
            pool.submit(() -> serve(server, pool));
        }
        System.out.println("listening on " + String.join(" ", addresses));
        while (System.in.read() >= 0) {
        }
    }

    static SSLServerSocket listen(String[] settings) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(settings[0])) {
            keys.load(in, "test".toCharArray());
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(keys, "test".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 200, InetAddress.getLoopbackAddress());
        SSLParameters parameters = server.getSSLParameters();
        parameters.setUseCipherSuitesOrder(true);
        for (int i = 1; i < settings.length; i++) {
            String[] pair = settings[i].split("=", 2);
            switch (pair[0]) {
                case "client" -> parameters.setUseCipherSuitesOrder(false);
                case "protocols" -> parameters.setProtocols(pair[1].split(","));
                case "suites" -> parameters.setCipherSuites(pair[1].split(","));
                case "alpn" -> parameters.setApplicationProtocols(pair[1].split(","));
                case "want" -> parameters.setWantClientAuth(true);
                case "need" -> parameters.setNeedClientAuth(true);
                default -> throw new IllegalArgumentException(settings[i]);
            }
        }
        server.setSSLParameters(parameters);
        return server;
    }

    static Object serve(SSLServerSocket server, ExecutorService pool) throws Exception {
        while (true) {
            SSLSocket socket = (SSLSocket) server.accept();
            pool.submit(() -> {
                try (socket) {
                    socket.setSoTimeout(20_000);
                    socket.startHandshake();
                } catch (Exception e) {
                    // the client sees the alert
                }
                return null;
            });
        }
    }
}
