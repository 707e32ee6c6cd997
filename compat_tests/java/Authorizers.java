import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.metadata.authorizer.*;
import org.apache.kafka.server.authorizer.*;

/**
 * Kafka's own StandardAuthorizer, asked on the standard input and answering on the standard output. Words are parted by
 * tabs, and types, operations and permissions are Kafka's numbers.
 *
 *     case     [super users, parted by ;] [true|false: allow.everyone.if.no.acl.found]
 *     acl      [type] [name] [pattern type] [principal] [host] [operation] [permission]
 *     remove   [number of an acl of this case, from 0]
 *     ask      [principal] [host] [operation] [type] [name]
 *     some     [principal] [host] [operation] [type]         any resource of the type
 *     end
 *
 * The answer to a case is one line: 1 or 0 for each ask and some.
 */
public class Authorizers {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        StandardAuthorizer authorizer = null;
        List<Uuid> ids = new ArrayList<>();
        StringBuilder answer = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            switch (words[0]) {
                case "case" -> {
                    authorizer = new StandardAuthorizer();
                    authorizer.configure(Map.of("super.users", words[1], "allow.everyone.if.no.acl.found", words[2]));
                    authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
                    authorizer.completeInitialLoad();
                    ids = new ArrayList<>();
                    answer = new StringBuilder();
                }
                case "acl" -> {
                    ids.add(Uuid.randomUuid());
                    authorizer.addAcl(ids.get(ids.size() - 1), new StandardAcl(
                        ResourceType.fromCode(Byte.parseByte(words[1])), words[2], PatternType.fromCode(Byte.parseByte(words[3])),
                        words[4], words[5], operation(words[6]), AclPermissionType.fromCode(Byte.parseByte(words[7]))));
                }
                case "remove" -> authorizer.removeAcl(ids.get(Integer.parseInt(words[1])));
                case "ask" -> {
                    ResourcePattern resource = new ResourcePattern(
                        ResourceType.fromCode(Byte.parseByte(words[4])), words[5], PatternType.LITERAL);
                    List<Action> actions = List.of(new Action(operation(words[3]), resource, 1, true, true));
                    answer.append(digit(authorizer.authorize(new Asker(words[1], words[2]), actions).get(0)));
                }
                case "some" -> answer.append(digit(authorizer.authorizeByResourceType(
                    new Asker(words[1], words[2]), operation(words[3]), ResourceType.fromCode(Byte.parseByte(words[4])))));
                case "end" -> {
                    out.println(answer);
                    out.flush();
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    static AclOperation operation(String code) {
        return AclOperation.fromCode(Byte.parseByte(code));
    }

    static char digit(AuthorizationResult result) {
        return result == AuthorizationResult.ALLOWED ? '1' : '0';
    }

    record Asker(String name, String host) implements AuthorizableRequestContext {
        public String listenerName() { return "PLAINTEXT"; }
        public SecurityProtocol securityProtocol() { return SecurityProtocol.PLAINTEXT; }
        public KafkaPrincipal principal() {
            int colon = name.indexOf(':');
            return new KafkaPrincipal(name.substring(0, colon), name.substring(colon + 1));
        }
        public InetAddress clientAddress() {
            try {
                return InetAddress.getByName(host);
            } catch (java.net.UnknownHostException e) {
                throw new IllegalArgumentException(host, e);
            }
        }
        public int requestType() { return 0; }
        public int requestVersion() { return 0; }
        public String clientId() { return "asker"; }
        public int correlationId() { return 0; }
    }
}
