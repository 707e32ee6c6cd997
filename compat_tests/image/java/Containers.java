import java.time.Duration;
import java.util.ArrayList;
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

/**
 * The Kafka modules of testcontainers-java, unmodified: {@code Containers FLOW IMAGE [FLOW IMAGE ...]}, where FLOW is
 * apache, confluent, old, listener.
 *
 * <p>Starts a container, sends three records to it and reads them as a group; prints a line for each flow.
 */
public final class Containers {
    private static final List<String> VALUES = List.of("one", "two", "three");

    public static void main(String[] arguments) {
        for (int i = 0; i < arguments.length; i += 2) {
            System.out.println(arguments[i] + " " + run(arguments[i], DockerImageName.parse(arguments[i + 1])));
        }
    }

    private static List<String> run(String flow, DockerImageName image) {
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

    private static List<String> sendAndRead(String bootstrap) {
        Map<String, Object> producing = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer())) {
            VALUES.forEach(value -> producer.send(new ProducerRecord<>("orders", value)));
        }
        Map<String, Object> consuming =
                Map.of("bootstrap.servers", bootstrap, "group.id", "g", "auto.offset.reset", "earliest");
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
