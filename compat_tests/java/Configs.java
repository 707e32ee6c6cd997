import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import kafka.server.KafkaConfig;

/** Says of settings whether a node of Apache Kafka would start with them.
 *
 * A line of standard input is `name=value` with tabs between them. It is answered by `ok`, or by why not.
 */
public class Configs {
    public static void main(String[] unused) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Properties settings = new Properties();
            for (String entry : line.split("\t")) {
                int equals = entry.indexOf('=');
                settings.put(entry.substring(0, equals), entry.substring(equals + 1));
            }
            System.out.println(answer(settings));
        }
    }

    private static String answer(Properties settings) {
        try {
            KafkaConfig.fromProps(settings, false);
            return "ok";
        } catch (RuntimeException refusal) {
            return refusal.getMessage().replace('\n', ' ');
        }
    }
}
