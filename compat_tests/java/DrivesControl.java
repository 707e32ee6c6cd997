import static java.util.stream.Collectors.toList;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/**
 * Kafka's own Java client, driven into faults by the control API, as a test of somebody who has copied its client. Takes
 * BOOTSTRAP URL TOKEN; prints one JSON object of what it met.
 */
public class DrivesControl {
    private static final Duration SOON = Duration.ofSeconds(30);

    private final KafkapyControl control;
    private final KafkaProducer<String, String> producer;
    private final Map<String, Object> found = new LinkedHashMap<>();

    private DrivesControl(KafkapyControl control, KafkaProducer<String, String> producer) {
        this.control = control;
        this.producer = producer;
    }

    public static void main(String[] arguments) throws Exception {
        KafkapyControl control = new KafkapyControl(arguments[1], arguments[2]);
        control.awaitReady(SOON);
        if (!control.live()) throw new AssertionError("it is ready and does not live");
        control.reset();
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("client.id", "driven");
        settings.put("retry.backoff.ms", "10");
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            DrivesControl driven = new DrivesControl(control, producer);
            driven.meetRefusals(new KafkapyControl(arguments[1], "a guess"));
            driven.meetAnError();
            driven.meetABarrier();
            driven.meetTheClock();
            driven.meetAKilledNode();
            driven.found.put("unfired", control.unfiredFaults().size());
            System.out.println(KafkapyControl.Json.write(driven.found));
        }
    }

    private void meetRefusals(KafkapyControl stranger) throws Exception {
        Map<String, Object> topic = Map.of("name", "orders", "partitions", 1, "replicas", 3);
        control.call("create_topic", topic);
        Map<String, Object> typo = Map.of("api", "Produce", "topik", "orders", "disconnect", "before");
        Map<String, Object> wait = Map.of("topic", "orders", "timeout", 0.01);
        found.put("refusals", List.of(
            refusal(KafkapyControl.NotAuthorized.class, () -> stranger.call("reset")),
            refusal(KafkapyControl.InvalidArgument.class, () -> control.addFault(typo)),
            refusal(KafkapyControl.NotFound.class, () -> control.call("topic", Map.of("name", "payments"))),
            refusal(KafkapyControl.RefusedByKafka.class, () -> control.call("create_topic", topic)),
            refusal(KafkapyControl.NotYet.class, () -> control.call("wait_for_records", wait))));
    }

    private static Map<String, Object> refusal(
            Class<? extends KafkapyControl.ControlException> kind, Callable<?> asked) throws Exception {
        try {
            throw new AssertionError("not refused: " + asked.call());
        } catch (KafkapyControl.ControlException refused) {
            if (refused.getClass() != kind) throw refused;
            return Map.of(
                "status", refused.status,
                "kind", refused.kind,
                "field", refused.field == null ? "" : refused.field,
                "nearest", refused.nearest == null ? "" : refused.nearest,
                "code", refused.code == null ? 0 : refused.code);
        }
    }

    private Future<RecordMetadata> send(String topic, String value) {
        return producer.send(new ProducerRecord<>(topic, 0, null, value));
    }

    private static RecordMetadata stored(Future<RecordMetadata> sent) throws Exception {
        return sent.get(SOON.toSeconds(), TimeUnit.SECONDS);
    }

    private void meetAnError() throws Exception {
        try (KafkapyControl.Events events = control.events()) {
            KafkapyControl.Fault fault = control.addFault(Map.of(
                "api", "Produce", "topic", "orders", "error", "NOT_LEADER_OR_FOLLOWER", "times", 1, "must_fire", true));
            stored(send("orders", "tried again"));
            Map<String, Object> state = fault.await(1, 0, SOON);
            found.put("matched", state.get("matched"));
            found.put("fired", state.get("fired"));
            List<Object> answers = new ArrayList<>();
            while (answers.size() < 2) {
                KafkapyControl.Event event = events.next();
                if (!event.name.equals("exchange")) continue;
                Map<String, Object> exchange = KafkapyControl.object(event.data);
                if (exchange.get("api").equals("Produce") && "driven".equals(exchange.get("clientId"))) {
                    answers.add(exchange.get("errors"));
                }
            }
            found.put("answers", answers);
            fault.remove();
        }
    }

    private void meetABarrier() throws Exception {
        try (KafkapyControl.Fault fault = control.addFault(Map.of("api", "Produce", "hold", "before"))) {
            Future<RecordMetadata> sent = send("orders", "held");
            fault.await(1, 1, SOON);
            found.put("while_held", values());
            found.put("released", fault.release());
            stored(sent);
        }
        found.put("faults", control.faults().size());
    }

    private List<String> values() throws Exception {
        return KafkapyControl.list(control.call("records", Map.of("topic", "orders"))).stream()
            .map(record -> new String(KafkapyControl.bytes(KafkapyControl.object(record).get("value"))))
            .collect(toList());
    }

    private void meetTheClock() throws Exception {
        Map<String, Object> frozen = control.freezeTime();
        long jumpedToMs = (Long) control.jumpTime().get("now_ms");
        found.put("jumped", jumpedToMs >= (Long) frozen.get("now_ms"));
        Map<String, String> settings = Map.of("message.timestamp.type", "LogAppendTime");
        control.call("create_topic", Map.of("name", "dated", "partitions", 1, "settings", settings));
        long early = stored(send("dated", "early")).timestamp();
        control.advanceTime(Duration.ofHours(1));
        long late = stored(send("dated", "late")).timestamp();
        control.releaseTime();
        found.put("passed_ms", late - early);
        found.put("is_frozen", List.of(frozen.get("is_frozen"), control.time().get("is_frozen")));
    }

    private void meetAKilledNode() throws Exception {
        Map<String, Object> topic = KafkapyControl.object(control.call("topic", Map.of("name", "orders")));
        Object partition = KafkapyControl.list(topic.get("partitions")).get(0);
        Long killed = (Long) KafkapyControl.object(partition).get("leader");
        control.killNode(killed.intValue());
        stored(send("orders", "by another leader"));
        found.put("killed", killed);
        found.put("not_ready", control.ready().get("not_running"));
        found.put("not_running", control.nodes().stream()
            .map(KafkapyControl::object)
            .filter(node -> !(Boolean) node.get("is_running"))
            .map(node -> node.get("node_id"))
            .collect(toList()));
        found.put("values", values());
        control.startNode(killed.intValue());
        control.awaitReady(SOON);
        int added = control.addNode("east");
        found.put("added", added);
        found.put("racks", control.nodes().stream()
            .map(KafkapyControl::object)
            .filter(node -> ((Long) node.get("node_id")).intValue() == added)
            .map(node -> node.get("rack"))
            .collect(toList()));
        control.removeNode(added);
        found.put("nodes", control.nodes().size());
    }
}
