import java.io.FileInputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/** Accepts handshakes on a loopback port until its input ends. Arguments: a PKCS #12 file (password "test") and "client" for the client's order. */
public class TLSServer {
    public static void main(String[] args) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(args[0])) {
            keys.load(in, "test".toCharArray());
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(keys, "test".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 200, InetAddress.getLoopbackAddress());
        SSLParameters parameters = server.getSSLParameters();
        parameters.setProtocols(new String[] {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"});
        parameters.setUseCipherSuitesOrder(args.length < 2 || !args[1].equals("client"));
        server.setSSLParameters(parameters);
        ExecutorService pool = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        });
        pool.submit(() -> {
            while (System.in.read() >= 0) {
            }
            System.exit(0);
            return null;
        });
        System.out.println("listening on 127.0.0.1:" + server.getLocalPort());
        while (true) {
            SSLSocket socket = (SSLSocket) server.accept();
            pool.submit(() -> {
                try (socket) {
                    socket.setSoTimeout(10_000);
                    socket.startHandshake();
                } catch (Exception e) {
                    // the client sees the alert
                }
                return null;
            });
        }
    }
}
