import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.kafka.ConfluentKafkaContainer;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/**
 * The Kafka modules of testcontainers-java, unmodified: {@code Containers DIRECTORY FLOW IMAGE [FLOW IMAGE ...]}, where
 * FLOW is apache, confluent, old, listener, apache-secure, confluent-secure, old-secure.
 *
 * <p>Starts a container, sends three records to it and reads them as a group; prints a line for each flow. DIRECTORY has
 * the files for listeners with TLS and logins: certificates of {@code kafkapy certs}, passwords and a JAAS file.
 */
public final class Containers {
    private static final List<String> VALUES = List.of("one", "two", "three");

    private static final String LOGIN_MODULE =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s-secret\"";
    private static final String JAAS =
            LOGIN_MODULE.formatted("admin", "admin") + " user_admin=\"admin-secret\" user_alice=\"alice-secret\";";

    public static void main(String[] arguments) {
        String directory = arguments[0];
        for (int i = 1; i < arguments.length; i += 2) {
            System.out.println(arguments[i] + " " + run(arguments[i], DockerImageName.parse(arguments[i + 1]), directory));
        }
    }

    private static List<String> run(String flow, DockerImageName image, String directory) {
        DockerImageName apache = image.asCompatibleSubstituteFor("apache/kafka");
        DockerImageName confluent = image.asCompatibleSubstituteFor("confluentinc/cp-kafka");
        switch (flow) {
            case "apache":
                try (KafkaContainer kafka = new KafkaContainer(apache)) {
                    kafka.start();
                    return sendAndRead(kafka.getBootstrapServers());
                }
            case "confluent":
                try (ConfluentKafkaContainer kafka = new ConfluentKafkaContainer(confluent)) {
                    kafka.start();
                    return sendAndRead(kafka.getBootstrapServers());
                }
            case "old":
                return runOld(confluent);
            case "listener":
                return runWithListener(apache);
            case "apache-secure":
                return runWithSecrets(apache, directory);
            case "confluent-secure":
                return runWithJaasInVariables(confluent);
            case "old-secure":
                return runOldWithLogins(confluent, directory);
            default:
                throw new IllegalArgumentException(flow);
        }
    }

    @SuppressWarnings("deprecation")
    private static List<String> runOld(DockerImageName image) {
        try (org.testcontainers.containers.KafkaContainer kafka =
                new org.testcontainers.containers.KafkaContainer(image).withKraft()) {
            kafka.start();
            return sendAndRead(kafka.getBootstrapServers());
        }
    }

    /** A client in another container, by a listener whose host is an alias in the network of both. */
    private static List<String> runWithListener(DockerImageName image) {
        try (Network network = Network.newNetwork();
                KafkaContainer kafka = new KafkaContainer(image).withListener("kafka:19092").withNetwork(network);
                GenericContainer<?> client = new GenericContainer<>(image)
                        .withNetwork(network)
                        .withCreateContainerCmdModifier(command -> command.withCmd("sleep", "600"))) {
            kafka.start();
            client.start();
            String produce = "printf 'one\\ntwo\\nthree\\n' | kafka-console-producer --bootstrap-server kafka:19092 --topic orders";
            String consume = "kafka-console-consumer --bootstrap-server kafka:19092 --topic orders --from-beginning --max-messages 3";
            var result = client.execInContainer("bash", "-c", produce + " && " + consume);
            if (result.getExitCode() != 0) {
                throw new IllegalStateException(result.getStderr());
            }
            return List.of(result.getStdout().split("\n"));
        } catch (java.io.IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    /** TLS and SASL as the image of Apache Kafka has them: files in a directory of its own. */
    private static List<String> runWithSecrets(DockerImageName image, String directory) {
        String secrets = "/etc/kafka/secrets/";
        try (KafkaContainer kafka = new KafkaContainer(image)
                .withEnv("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:PLAINTEXT,PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT")
                .withEnv("KAFKA_SSL_KEYSTORE_FILENAME", "server.jks")
                .withEnv("KAFKA_SSL_KEYSTORE_CREDENTIALS", "password")
                .withEnv("KAFKA_SSL_KEY_CREDENTIALS", "password")
                .withEnv("KAFKA_SASL_ENABLED_MECHANISMS", "PLAIN")
                .withEnv("KAFKA_OPTS", "-Djava.security.auth.login.config=" + secrets + "jaas.conf")) {
            for (String file : List.of("server.jks", "password", "jaas.conf")) {
                kafka.withCopyFileToContainer(MountableFile.forHostPath(directory + "/" + file), secrets + file);
            }
            kafka.start();
            Map<String, Object> security = login("SASL_SSL");
            security.put("ssl.truststore.location", directory + "/truststore.jks");
            security.put("ssl.truststore.password", "changeit");
            return sendAndRead(kafka.getBootstrapServers(), security);
        }
    }

    private static List<String> runWithJaasInVariables(DockerImageName image) {
        try (ConfluentKafkaContainer kafka = new ConfluentKafkaContainer(image)
                .withEnv(
                        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                        "BROKER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT")
                .withEnv("KAFKA_LISTENER_NAME_PLAINTEXT_SASL_ENABLED_MECHANISMS", "PLAIN")
                .withEnv("KAFKA_LISTENER_NAME_PLAINTEXT_PLAIN_SASL_JAAS_CONFIG", JAAS)) {
            kafka.start();
            return sendAndRead(kafka.getBootstrapServers(), login("SASL_PLAINTEXT"));
        }
    }

    /** With a login between brokers, too, and a JAAS file that is copied into the container. */
    @SuppressWarnings("deprecation")
    private static List<String> runOldWithLogins(DockerImageName image, String directory) {
        try (org.testcontainers.containers.KafkaContainer kafka =
                new org.testcontainers.containers.KafkaContainer(image)
                        .withKraft()
                        .withEnv(
                                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:SASL_PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT")
                        .withEnv("KAFKA_SASL_ENABLED_MECHANISMS", "PLAIN")
                        .withEnv("KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL", "PLAIN")
                        .withEnv("KAFKA_OPTS", "-Djava.security.auth.login.config=/tmp/jaas.conf")
                        .withCopyFileToContainer(MountableFile.forHostPath(directory + "/jaas.conf"), "/tmp/jaas.conf")) {
            kafka.start();
            return sendAndRead(kafka.getBootstrapServers(), login("SASL_PLAINTEXT"));
        }
    }

    private static Map<String, Object> login(String protocol) {
        return new HashMap<>(Map.of(
                "security.protocol", protocol,
                "sasl.mechanism", "PLAIN",
                "sasl.jaas.config", LOGIN_MODULE.formatted("alice", "alice") + ";"));
    }

    private static List<String> sendAndRead(String bootstrap) {
        return sendAndRead(bootstrap, Map.of());
    }

    private static List<String> sendAndRead(String bootstrap, Map<String, Object> security) {
        Map<String, Object> producing = new HashMap<>(security);
        producing.put("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer())) {
            VALUES.forEach(value -> producer.send(new ProducerRecord<>("orders", value)));
        }
        Map<String, Object> consuming = new HashMap<>(producing);
        consuming.putAll(Map.of("group.id", "g", "auto.offset.reset", "earliest"));
        try (var consumer = new KafkaConsumer<>(consuming, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("orders"));
            List<String> read = new ArrayList<>();
            while (read.size() < VALUES.size()) {
                var polled = consumer.poll(Duration.ofSeconds(20));
                if (polled.isEmpty()) {
                    throw new IllegalStateException("no records within 20 seconds");
                }
                polled.forEach(record -> read.add(record.value()));
            }
            return read;
        }
    }

    private Containers() {}
}
