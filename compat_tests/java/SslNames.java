import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Base64;
import org.apache.kafka.common.security.ssl.SslPrincipalMapper;

/**
 * Names as Apache Kafka has them. A line each in, base64 fields separated by tabs, and an answer out:
 * certificate DER - the distinguished name; or rules and a distinguished name - the name of the principal.
 */
public final class SslNames {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            System.out.println(fields.length == 1 ? name(decode(fields[0])) : mapped(text(fields[0]), text(fields[1])));
        }
    }

    private static String name(byte[] certificate) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate parsed = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(certificate));
        return "name\t" + encode(parsed.getSubjectX500Principal().getName());
    }

    private static String mapped(String rules, String name) {
        SslPrincipalMapper mapper;
        try {
            mapper = SslPrincipalMapper.fromRules(rules);
        } catch (RuntimeException error) {
            return "refused\t";
        }
        try {
            return "name\t" + encode(mapper.getName(name));
        } catch (SslPrincipalMapper.NoMatchingRule error) {
            return "none\t";
        } catch (Exception error) {
            return "failed\t";
        }
    }

    private static byte[] decode(String base64) {
        return Base64.getDecoder().decode(base64);
    }

    private static String text(String base64) {
        return new String(decode(base64), StandardCharsets.UTF_8);
    }

    private static String encode(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
