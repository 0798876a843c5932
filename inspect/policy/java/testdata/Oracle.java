import java.lang.reflect.Constructor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.AlgorithmConstraints;
import java.security.Security;
import java.util.HexFormat;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;

/**
 * Asks JSSE itself. Each line in is "tls " and a value of jdk.tls.disabledAlgorithms, or "cert " and one of
 * jdk.certpath.disabledAlgorithms, as JSSE holds it against a handshake; each line out is the ClientHello, in hex, of a client
 * that has it, with every version and every default suite enabled; or why there is none. With the argument "default", what
 * the installation disables by itself is disabled as well. The first line out is the version of Java.
 * Needs java.base/sun.security.util and java.base/sun.security.ssl opened.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        boolean defaults = args.length > 0 && args[0].equals("default");
        if (!defaults) {
            Security.setProperty("jdk.tls.disabledAlgorithms", "");
            Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        }
        Class<?> decomposerClass = Class.forName("sun.security.ssl.SSLAlgorithmDecomposer");
        Constructor<?> decomposer = decomposerClass.getDeclaredConstructor();
        decomposer.setAccessible(true);
        Constructor<?> certificateDecomposer = decomposerClass.getDeclaredConstructor(boolean.class);
        certificateDecomposer.setAccessible(true);
        Class<?> constraintsClass = Class.forName("sun.security.util.DisabledAlgorithmConstraints");
        Constructor<?> constraints = constraintsClass.getConstructor(String.class, Class.forName("sun.security.util.AlgorithmDecomposer"));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, null, null);
        System.out.println(System.getProperty("java.version"));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int number = 0;
        for (String line; (line = in.readLine()) != null; ) {
            String property = "tlstriage.test." + number++;
            try {
                boolean certificates = line.startsWith("cert ");
                Security.setProperty(property, line.substring(line.indexOf(' ') + 1));
                Object decompose = certificates ? certificateDecomposer.newInstance(true) : decomposer.newInstance();
                SSLEngine engine = context.createSSLEngine("localhost", 443);
                engine.setUseClientMode(true);
                SSLParameters parameters = engine.getSSLParameters();
                parameters.setProtocols(new String[] {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"});
                parameters.setAlgorithmConstraints((AlgorithmConstraints) constraints.newInstance(property, decompose));
                engine.setSSLParameters(parameters);
                ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
                engine.wrap(ByteBuffer.allocate(0), out);
                out.flip();
                byte[] bytes = new byte[out.remaining()];
                out.get(bytes);
                System.out.println(HexFormat.of().formatHex(bytes));
            } catch (Throwable e) {
                Throwable cause = e;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                System.out.println("error " + cause.getClass().getSimpleName() + ": " + cause.getMessage());
            }
        }
    }
}
