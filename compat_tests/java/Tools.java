import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.internals.Exit;

/** Runs several command-line tools of Apache Kafka one after the other, as a start of a JVM for each takes longer.
 *
 * A line of standard input is a tool's class and its arguments, with tabs between them. What a tool has printed is
 * followed by a line with its exit code; in between is what it said on standard error, if it failed.
 */
public class Tools {
    /** What a tool is stopped with where it would end the JVM. Some catch it and want to end once more: the first counts. */
    private static final class Exited extends RuntimeException {
        Exited() {
            super(null, null, false, false);
        }
    }

    private static Integer exitCode;

    public static void main(String[] unused) throws Exception {
        Exit.setExitProcedure((code, message) -> {
            if (exitCode == null) {
                exitCode = code;
            }
            throw new Exited();
        });
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t");
            ByteArrayOutputStream complaints = new ByteArrayOutputStream();
            System.setErr(new PrintStream(complaints, true, StandardCharsets.UTF_8));
            int code = run(words[0], Arrays.copyOfRange(words, 1, words.length));
            if (code != 0) {
                System.out.print(complaints.toString(StandardCharsets.UTF_8));
            }
            System.out.printf("%n--- exit code %d%n", code);
            System.out.flush();
        }
    }

    private static int run(String name, String[] arguments) throws Exception {
        exitCode = null;
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException failure) {
            if (exitCode == null) { // as the JVM ends where nobody catches it
                failure.getCause().printStackTrace();
                return 1;
            }
        }
        return exitCode == null ? 0 : exitCode;
    }
}
