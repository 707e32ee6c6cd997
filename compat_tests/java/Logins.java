import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Logs in by each login of a plan (compat_tests/security/pairs.py), produces a record and reads it in a group: a line says
 * which login, and what was read, or what the client said when it was refused. With a second argument it produces by the
 * first login until something comes on standard input.
 */
public class Logins {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SECURITY = "org.apache.kafka.common.security.";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    public static void main(String[] arguments) throws Exception {
        JsonNode plan = JSON.readTree(Path.of(arguments[0]).toFile());
        if (arguments.length > 1) {
            sendUntilEnd(settings(plan, plan.get("logins").get(0)), plan.get("logins").get(0));
            return;
        }
        Map<String, Future<String>> running = new HashMap<>();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        for (JsonNode login : plan.get("logins")) {
            Callable<String> one = () -> said(plan, login);
            running.put(login.get("name").asText(), threads.submit(one));
        }
        threads.shutdown();
        for (Map.Entry<String, Future<String>> each : running.entrySet()) {
            System.out.println(JSON.writeValueAsString(Map.of("login", each.getKey(), "said", each.getValue().get())));
        }
    }

    private static void sendUntilEnd(Map<String, Object> settings, JsonNode login) throws Exception {
        StringSerializer write = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, write, write)) {
            Thread ended = new Thread(() -> {
                try {
                    System.in.read();
                } catch (java.io.IOException closed) {
                    // nobody is there any more
                }
            });
            ended.setDaemon(true);
            ended.start();
            do {
                producer.send(new ProducerRecord<>(login.get("topic").asText(), login.get("name").asText())).get();
                Thread.sleep(50);
            } while (ended.isAlive());
        }
    }

    private static String said(JsonNode plan, JsonNode login) throws Exception {
        try {
            return roundTrip(settings(plan, login), login);
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof AuthenticationException refused) {
                return refused.getMessage();
            }
            throw failed;
        }
    }

    private static String roundTrip(Map<String, Object> settings, JsonNode login) throws Exception {
        String topic = login.get("topic").asText();
        StringSerializer write = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, write, write)) {
            producer.send(new ProducerRecord<>(topic, login.get("name").asText())).get();
        }
        settings.put("group.id", login.get("group").asText());
        settings.put("auto.offset.reset", "earliest");
        StringDeserializer read = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, read, read)) {
            consumer.subscribe(List.of(topic));
            ConsumerRecords<String, String> records = consumer.poll(PATIENCE);
            consumer.commitSync();
            return records.isEmpty() ? "nothing" : records.iterator().next().value();
        }
    }

    private static Map<String, Object> settings(JsonNode plan, JsonNode login) throws Exception {
        String protocol = login.get("protocol").asText();
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", login.get("bootstrap").asText());
        settings.put("security.protocol", protocol);
        if (protocol.endsWith("SSL")) {
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", plan.get("ca").asText());
        }
        if (login.get("certificate").asBoolean()) {
            settings.put("ssl.keystore.type", "PEM");
            settings.put("ssl.keystore.location", plan.get("certificate_and_key").asText());
        }
        if (login.get("token").asBoolean()) {
            logIn(settings, plan, "PLAIN", login.get("user").asText(), login.get("secret").asText(), "");
            try (Admin admin = Admin.create(settings)) {
                DelegationToken token = admin.createDelegationToken().delegationToken().get();
                while (!admin.describeDelegationToken().delegationTokens().get().contains(token)) {
                    Thread.sleep(20); // a broker of Apache Kafka hears of a new token a little later
                }
                String more = " tokenauth=\"true\"";
                logIn(settings, plan, "SCRAM-SHA-256", token.tokenInfo().tokenId(), token.hmacAsBase64String(), more);
            }
        } else if (!login.get("mechanism").asText().isEmpty()) {
            String mechanism = login.get("mechanism").asText();
            logIn(settings, plan, mechanism, login.get("user").asText(), login.get("secret").asText(), "");
        }
        return settings;
    }

    private static void logIn(
        Map<String, Object> settings, JsonNode plan, String mechanism, String user, String secret, String more
    ) {
        settings.put("sasl.mechanism", mechanism);
        String password = " required username=\"" + user + "\" password=\"" + secret + "\"" + more + ";";
        String module = switch (mechanism) {
            case "PLAIN" -> SECURITY + "plain.PlainLoginModule" + password;
            case "OAUTHBEARER" ->
                SECURITY + "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"" + user + "\";";
            case "GSSAPI" -> "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab=\""
                + plan.get("keytab").asText() + "\" principal=\"" + user + "@" + plan.get("realm").asText() + "\";";
            default -> SECURITY + "scram.ScramLoginModule" + password;
        };
        settings.put("sasl.jaas.config", module);
        if (mechanism.equals("GSSAPI")) {
            settings.put("sasl.kerberos.service.name", "kafka");
        }
    }
}
