import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.net.InetAddress;
import java.util.concurrent.atomic.AtomicLong;
import java.lang.reflect.Proxy;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.Quota;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.network.Session;
import org.apache.kafka.server.config.ClientQuotaManagerConfig;
import org.apache.kafka.server.quota.*;

/**
 * Kafka's own classes that measure the use of quotas: a JSON object on a line of the standard input, its answer on a line of
 * the standard output.
 *
 *     {"windows": [count, seconds], "key": "producer" | "request" | "mutation", "quotas": [[user, client id, bound]],
 *      "uses": [[ms later, user, client id, value]]}
 *
 * answers with the throttle times. In quotas null is no part of the entity, "<default>" its default.
 */
public class QuotaParts {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(throttles(JSON.readTree(line))));
            out.flush();
        }
    }

    static ObjectNode throttles(JsonNode asked) throws Exception {
        AtomicLong now = new AtomicLong(1_000_000);
        Time time = (Time) Proxy.newProxyInstance(QuotaParts.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, values) -> switch (method.getName()) {
                case "milliseconds" -> now.get();
                case "nanoseconds" -> now.get() * 1_000_000;
                default -> method.isDefault() ? java.lang.reflect.InvocationHandler.invokeDefault(proxy, method, values) : null;
            });
        ClientQuotaManagerConfig config = new ClientQuotaManagerConfig(
            asked.get("windows").get(0).asInt(), asked.get("windows").get(1).asInt());
        ClientQuotaManager manager;
        try (Metrics metrics = new Metrics(time)) {
            manager = switch (asked.get("key").asText()) {
                case "request_percentage" -> new ClientRequestQuotaManager(config, metrics, time, "", Optional.empty());
                case "controller_mutation_rate" ->
                    new ControllerMutationQuotaManager(config, metrics, time, "", Optional.empty());
                default -> new ClientQuotaManager(config, metrics, QuotaType.PRODUCE, time, "");
            };
            for (JsonNode quota : asked.get("quotas")) {
                manager.updateQuota(user(quota.get(0)), client(quota.get(1)), Optional.of(Quota.upperBound(quota.get(2).asDouble())));
            }
            ArrayNode throttles = JSON.createArrayNode();
            ArrayNode most = JSON.createArrayNode();
            for (JsonNode use : asked.get("uses")) {
                now.addAndGet(use.get(0).asLong());
                Session session = new Session(
                    new KafkaPrincipal("User", use.get(1).asText()), InetAddress.getLoopbackAddress());
                String clientId = use.get(2).asText();
                double value = use.get(3).asDouble();
                if (value < 0) {
                    manager.unrecordQuotaSensor(session, clientId, -value, now.get());
                    throttles.add(0);
                } else {
                    throttles.add(manager.maybeRecordAndGetThrottleTimeMs(session, clientId, value, now.get()));
                }
                double bound = manager.maxValueInQuotaWindow(session, clientId);
                most.add(bound == Double.MAX_VALUE ? -1 : bound);
            }
            manager.shutdown();
            ObjectNode answer = JSON.createObjectNode();
            answer.set("throttles", throttles);
            answer.set("most", most);
            return answer;
        }
    }

    static Optional<ClientQuotaEntity.ConfigEntity> user(JsonNode name) {
        if (name.isNull()) return Optional.empty();
        if (name.asText().equals("<default>")) return Optional.of(ClientQuotaManager.DEFAULT_USER_ENTITY);
        return Optional.of(new ClientQuotaManager.UserEntity(name.asText()));
    }

    static Optional<ClientQuotaEntity.ConfigEntity> client(JsonNode name) {
        if (name.isNull()) return Optional.empty();
        if (name.asText().equals("<default>")) return Optional.of(ClientQuotaManager.DEFAULT_USER_CLIENT_ID);
        return Optional.of(new ClientQuotaManager.ClientIdEntity(name.asText()));
    }
}
