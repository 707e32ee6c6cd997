import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * What a program does with the Java client of a release: a topic, an idempotent producer, a transaction, a group that
 * reads what is committed, and the calls of the admin client that were there in 2.4. Prints what it has read.
 */
public class OldClient {
    private static final long SECONDS = 60;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String topic = arguments[1];
        try (AdminClient admin = AdminClient.create(settings(bootstrap))) {
            NewTopic wanted = new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "86400000"));
            admin.createTopics(List.of(wanted)).all().get(SECONDS, TimeUnit.SECONDS);
            Properties idempotent = settings(bootstrap);
            idempotent.put("enable.idempotence", "true");
            idempotent.put("acks", "all");
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(idempotent)) {
                for (int n = 0; n < 5; n++) {
                    producer.send(new ProducerRecord<>(topic, n % 2, "key", "plain " + n)).get(SECONDS, TimeUnit.SECONDS);
                }
            }
            Properties transactional = settings(bootstrap);
            transactional.put("transactional.id", topic + "-transaction");
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(transactional)) {
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, 0, "key", "aborted"));
                producer.abortTransaction();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, 1, "key", "committed"));
                producer.commitTransaction();
            }
            List<String> values = new ArrayList<>();
            Properties consuming = settings(bootstrap);
            consuming.put("group.id", topic + "-group");
            consuming.put("auto.offset.reset", "earliest");
            consuming.put("isolation.level", "read_committed");
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consuming)) {
                consumer.subscribe(List.of(topic));
                long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
                while (values.size() < 6 && System.nanoTime() < end) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                        values.add(record.value());
                    }
                }
                consumer.commitSync();
                consumer.offsetsForTimes(Map.of(new TopicPartition(topic, 0), 0L));
                consumer.endOffsets(List.of(new TopicPartition(topic, 1)));
            }
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            admin.describeConfigs(List.of(resource)).all().get(SECONDS, TimeUnit.SECONDS);
            admin.describeTopics(List.of(topic)).values().get(topic).get(SECONDS, TimeUnit.SECONDS);
            admin.describeCluster().nodes().get(SECONDS, TimeUnit.SECONDS);
            admin.listConsumerGroups().all().get(SECONDS, TimeUnit.SECONDS);
            admin.describeConsumerGroups(List.of(topic + "-group")).all().get(SECONDS, TimeUnit.SECONDS);
            admin.deleteConsumerGroups(List.of(topic + "-group")).all().get(SECONDS, TimeUnit.SECONDS);
            admin.deleteTopics(List.of(topic)).all().get(SECONDS, TimeUnit.SECONDS);
            Collections.sort(values);
            System.out.println(String.join(",", values));
        }
    }

    private static Properties settings(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("client.id", "old-client");
        for (String side : List.of("key.serializer", "value.serializer")) {
            settings.put(side, "org.apache.kafka.common.serialization.StringSerializer");
        }
        for (String side : List.of("key.deserializer", "value.deserializer")) {
            settings.put(side, "org.apache.kafka.common.serialization.StringDeserializer");
        }
        return settings;
    }
}
