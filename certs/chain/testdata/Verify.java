import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import sun.security.util.HostnameChecker;

/**
 * Says of every case in a directory whether the trust manager of the JDK, with the host name check of HTTPS, accepts it.
 * A case is a directory with chain.pem, roots.pem and name; the answers are lines of case, "yes" or "no", and why not.
 */
public class Verify {
    public static void main(String[] args) throws Exception {
        List<Path> cases;
        try (Stream<Path> list = Files.list(Path.of(args[0]))) {
            cases = list.filter(Files::isDirectory).sorted().toList();
        }
        StringBuilder out = new StringBuilder();
        for (Path dir : cases) {
            String answer = "yes";
            try {
                check(dir);
            } catch (Exception e) {
                Throwable cause = e;
                while (cause.getCause() != null) cause = cause.getCause();
                answer = "no\t" + (e.getMessage() + ": " + cause.getMessage()).replaceAll("\\s+", " ");
            }
            out.append(dir.getFileName()).append('\t').append(answer).append('\n');
        }
        System.out.print(out);
    }

    static void check(Path dir) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        int n = 0;
        for (X509Certificate c : read(dir.resolve("roots.pem"))) store.setCertificateEntry("root" + n++, c);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        X509Certificate[] chain = read(dir.resolve("chain.pem")).toArray(new X509Certificate[0]);
        String kind = chain[0].getPublicKey().getAlgorithm().equals("RSA") ? "ECDHE_RSA" : "ECDHE_ECDSA";
        for (TrustManager t : factory.getTrustManagers()) ((X509TrustManager) t).checkServerTrusted(chain, kind);
        HostnameChecker.getInstance(HostnameChecker.TYPE_TLS).match(Files.readString(dir.resolve("name")), chain[0]);
    }

    static List<X509Certificate> read(Path file) throws Exception {
        List<X509Certificate> out = new ArrayList<>();
        for (var c : CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(Files.readAllBytes(file))))
            out.add((X509Certificate) c);
        return out;
    }
}
