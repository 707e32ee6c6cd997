import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A client of Java that does what it is told, a line of JSON at a time; each order but a send has one answer.
 *
 * ChaosWorker group BOOTSTRAP GROUP TOPIC SESSION_TIMEOUT_MS TRANSACTIONAL_ID: transforms in transactions, with the
 * orders and answers that go/group_worker.go describes.
 *
 * ChaosWorker admin BOOTSTRAP: {"do": "create", "topic": T, "partitions": N, "replicas": N, "retention": V},
 * {"do": "alter", "topic": T, "retention": V} and {"do": "delete", "topic": T} are answered by {"done": true} or
 * {"failed": "why"}.
 */
public class ChaosWorker {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final long PATIENCE_MS = 60_000;
    private static PrintStream answers;

    public static void main(String[] arguments) throws Exception {
        answers = System.out;
        System.setOut(System.err);
        Worker worker = arguments[0].equals("admin") ? new Administrator(arguments[1]) : new Transformer(arguments);
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = orders.readLine()) != null; ) {
            worker.obey(MAPPER.readTree(line));
        }
        worker.close();
    }

    private interface Worker {
        void obey(JsonNode order) throws Exception;

        void close();
    }

    private static synchronized void say(JsonNode line) {
        answers.println(line.toString());
        answers.flush();
    }

    private static void sayDone() {
        say(MAPPER.createObjectNode().put("done", true));
    }

    private static void sayFailed(Exception failure) {
        Throwable told = failure;
        StringBuilder text = new StringBuilder(told.toString());
        while ((told = told.getCause()) != null) text.append("; caused by ").append(told);
        say(MAPPER.createObjectNode().put("failed", text.toString()));
    }

    /** COMPAT_PROPERTIES has further settings, as a properties file in base64. */
    private static Properties connection(String bootstrap) {
        Properties settings = new Properties();
        String more = System.getenv("COMPAT_PROPERTIES");
        if (more != null) {
            try {
                settings.load(new ByteArrayInputStream(Base64.getDecoder().decode(more)));
            } catch (IOException failure) {
                throw new IllegalArgumentException(failure);
            }
        }
        settings.put("bootstrap.servers", bootstrap);
        settings.put("reconnect.backoff.ms", "20");
        settings.put("reconnect.backoff.max.ms", "200");
        settings.put("retry.backoff.ms", "50");
        return settings;
    }

    private static class Administrator implements Worker {
        private final Admin admin;

        Administrator(String bootstrap) {
            Properties settings = connection(bootstrap);
            settings.put("request.timeout.ms", "10000");
            settings.put("default.api.timeout.ms", "20000");
            admin = Admin.create(settings);
        }

        @Override
        public void obey(JsonNode order) {
            String topic = order.get("topic").asText();
            try {
                switch (order.get("do").asText()) {
                    case "create":
                        NewTopic made = new NewTopic(
                            topic, Optional.of(order.get("partitions").asInt()),
                            Optional.of((short) order.get("replicas").asInt()));
                        made.configs(Map.of("retention.ms", order.get("retention").asText()));
                        admin.createTopics(List.of(made)).all().get(30, TimeUnit.SECONDS);
                        break;
                    case "alter":
                        ConfigEntry entry = new ConfigEntry("retention.ms", order.get("retention").asText());
                        admin.incrementalAlterConfigs(Map.of(
                            new ConfigResource(ConfigResource.Type.TOPIC, topic),
                            List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET)))).all().get(30, TimeUnit.SECONDS);
                        break;
                    case "delete":
                        admin.deleteTopics(List.of(topic)).all().get(30, TimeUnit.SECONDS);
                        break;
                    default:
                        throw new IllegalArgumentException(order.toString());
                }
                sayDone();
            } catch (Exception failure) {
                sayFailed(failure);
            }
        }

        @Override
        public void close() {
            admin.close(Duration.ofSeconds(10));
        }
    }

    private static class Transformer implements Worker, ConsumerRebalanceListener {
        private final Properties consuming;
        private final Properties producing;
        private final String topic;
        private KafkaConsumer<String, String> consumer;
        private KafkaProducer<String, String> producer;
        private final Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();

        Transformer(String[] arguments) {
            consuming = connection(arguments[1]);
            consuming.put("group.id", arguments[2]);
            consuming.put("session.timeout.ms", arguments[4]);
            consuming.put("heartbeat.interval.ms", "300");
            consuming.put("isolation.level", "read_committed");
            consuming.put("enable.auto.commit", "false");
            consuming.put("auto.offset.reset", "earliest");
            consuming.put("fetch.max.wait.ms", "100");
            consuming.put("max.poll.records", "30");
            consuming.put("key.deserializer", StringDeserializer.class.getName());
            consuming.put("value.deserializer", StringDeserializer.class.getName());
            topic = arguments[3];
            producing = connection(arguments[1]);
            producing.put("transactional.id", arguments[5]);
            producing.put("transaction.timeout.ms", "30000");
            producing.put("delivery.timeout.ms", "30000");
            producing.put("request.timeout.ms", "10000");
            producing.put("max.block.ms", "10000");
            producing.put("linger.ms", "2");
            producing.put("key.serializer", StringSerializer.class.getName());
            producing.put("value.serializer", StringSerializer.class.getName());
            open();
        }

        private void open() {
            producer = new KafkaProducer<>(producing);
            untilInTime(producer::initTransactions);
            consumer = new KafkaConsumer<>(consuming);
            consumer.subscribe(List.of(topic), this);
        }

        /** Calls again after a TimeoutException, as Kafka's documentation allows it for these calls. */
        private static void untilInTime(Runnable call) {
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (true) {
                try {
                    call.run();
                    return;
                } catch (TimeoutException late) {
                    if (System.currentTimeMillis() > deadline) throw late;
                }
            }
        }

        @Override
        public void obey(JsonNode order) {
            switch (order.get("do").asText()) {
                case "poll":
                    poll();
                    break;
                case "begin":
                    try {
                        producer.beginTransaction();
                        sayDone();
                    } catch (KafkaException failure) {
                        sayFailed(failure);
                    }
                    break;
                case "send":
                    send(order);
                    break;
                case "end":
                    try {
                        end(order.get("commit").asBoolean());
                    } catch (KafkaException | IllegalStateException failure) {
                        sayFailed(failure);
                    }
                    break;
                case "restart":
                    producer.close(Duration.ZERO);
                    consumer.close();
                    positions.clear();
                    open();
                    sayDone();
                    break;
                default:
                    throw new IllegalArgumentException(order.toString());
            }
        }

        private void poll() {
            ObjectNode answer = MAPPER.createObjectNode();
            ArrayNode polled = answer.putArray("polled");
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                polled.addArray().add(record.topic()).add(record.partition()).add(record.offset()).add(record.value());
                positions.put(
                    new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            say(answer);
        }

        private void send(JsonNode order) {
            String value = order.get("value").asText();
            ObjectNode outcome = MAPPER.createObjectNode().put("sent", value);
            try {
                producer.send(
                    new ProducerRecord<>(order.get("topic").asText(), order.get("partition").asInt(), null, value),
                    (metadata, failure) -> {
                        if (failure != null) outcome.put("error", failure.toString());
                        else outcome.put("partition", metadata.partition()).put("offset", metadata.offset());
                        say(outcome);
                    });
            } catch (KafkaException | IllegalStateException failure) {
                say(outcome.put("error", failure.toString())); // the end fails, too
            }
        }

        private void end(boolean commit) {
            boolean committed = commit;
            if (commit) {
                try {
                    untilInTime(() -> producer.sendOffsetsToTransaction(positions, consumer.groupMetadata()));
                    untilInTime(producer::commitTransaction);
                    positions.clear();
                } catch (ApplicationRecoverableException | TimeoutException failure) {
                    throw failure; // only another producer can go on, or nobody knows whether it was committed
                } catch (KafkaException failure) { // CommitFailedException: a rebalance; others: a send has failed
                    committed = false;
                }
            }
            if (!committed) {
                untilInTime(producer::abortTransaction); // fails as well if nothing can be done with this producer
                positions.clear();
                goBack(consumer.assignment());
            }
            say(MAPPER.createObjectNode().put("committed", committed));
        }

        /** To what the group has committed, or to the beginning. */
        private void goBack(Collection<TopicPartition> partitions) {
            resume(partitions).forEach((partition, offset) -> {
                if (offset != null) consumer.seek(partition, offset);
                else consumer.seekToBeginning(List.of(partition));
            });
        }

        private Map<TopicPartition, OffsetAndMetadata> resume(Collection<TopicPartition> partitions) {
            Map<TopicPartition, OffsetAndMetadata> found = new HashMap<>();
            partitions.forEach(partition -> found.put(partition, null));
            untilInTime(() -> found.putAll(consumer.committed(new HashSet<>(partitions))));
            ObjectNode line = MAPPER.createObjectNode();
            ArrayNode resumed = line.putArray("resumed");
            found.forEach((partition, offset) -> {
                ArrayNode place = resumed.addArray().add(partition.topic()).add(partition.partition());
                if (offset == null) place.addNull();
                else place.add(offset.offset());
            });
            say(line);
            return found;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            positions.clear();
            say(MAPPER.createObjectNode().put("revoked", true));
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            positions.clear();
            resume(partitions);
        }

        @Override
        public void close() {
            producer.close(Duration.ofSeconds(10));
            consumer.close();
        }
    }
}
