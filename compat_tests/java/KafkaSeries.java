import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.metadata.MetadataJsonConverters;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.metadata.util.BatchFileReader;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.FeatureVersion;
import org.apache.kafka.server.common.MetadataVersion;

/**
 * Apache Kafka in one JVM for many short tasks and several nodes, so that its start is paid once. A task is a line of
 * words with tabs between them; the answer is a line of JSON: {"done": ...} or {"failed": "class: message"}.
 */
public class KafkaSeries {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final Set<MetadataRecordType> TRANSACTIONS = Set.of(
        MetadataRecordType.BEGIN_TRANSACTION_RECORD,
        MetadataRecordType.END_TRANSACTION_RECORD,
        MetadataRecordType.ABORT_TRANSACTION_RECORD);
    private static final Map<String, Node> NODES = new HashMap<>();

    /** A node that starts in a thread of its own: a member of a quorum waits for the other members. */
    private static class Node {
        final KafkaRaftServer server;
        final CompletableFuture<Void> started;

        Node(String properties) throws Exception {
            server = new KafkaRaftServer(new KafkaConfig(Utils.loadProps(properties)), Time.SYSTEM);
            started = CompletableFuture.runAsync(server::startup, task -> new Thread(task).start());
        }
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err); // the tools print where they like
        BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String task; (task = tasks.readLine()) != null; ) {
            ObjectNode answer = MAPPER.createObjectNode();
            try {
                answer.set("done", done(task.split("\t")));
            } catch (Throwable failure) {
                answer.put("failed", failure.getClass().getSimpleName() + ": " + failure.getMessage());
                failure.printStackTrace();
            }
            answers.println(MAPPER.writeValueAsString(answer));
            answers.flush();
        }
        System.exit(0); // Kafka's threads are no reason to stay
    }

    private static JsonNode done(String[] words) throws Exception {
        String[] rest = Arrays.copyOfRange(words, 1, words.length);
        switch (words[0]) {
            case "levels":
                return levels();
            case "features":
                return features();
            case "format":
                return format(rest);
            case "records":
                return records(new File(rest[0]));
            case "begin":
                NODES.put(rest[0], new Node(rest[0]));
                return MAPPER.createObjectNode();
            case "started":
                try {
                    NODES.get(rest[0]).started.get(Long.parseLong(rest[1]), TimeUnit.SECONDS);
                } catch (ExecutionException failure) {
                    throw failure.getCause() instanceof Exception cause ? cause : failure;
                }
                return MAPPER.createObjectNode();
            case "stop":
                KafkaRaftServer server = NODES.remove(rest[0]).server;
                server.shutdown();
                server.awaitShutdown();
                return MAPPER.createObjectNode();
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    /** Of each level of metadata.version that may be used: which record versions it writes, which features begin. */
    private static JsonNode levels() {
        ObjectNode levels = MAPPER.createObjectNode();
        for (MetadataVersion version : MetadataVersion.values()) {
            if (!version.isProduction()) continue;
            ObjectNode level = levels.putObject(version.version());
            level.put("level", version.featureLevel());
            ObjectNode records = level.putObject("records");
            records.put("RegisterBrokerRecord", version.registerBrokerRecordVersion());
            records.put("PartitionRecord", version.partitionRecordVersion());
            records.put("PartitionChangeRecord", version.partitionChangeRecordVersion());
            if (version.isControllerRegistrationSupported()) {
                records.put("RegisterControllerRecord", version.registerControllerRecordVersion());
            }
            ObjectNode supported = level.putObject("supported");
            supported.put("scram", version.isScramSupported());
            supported.put("metadata transactions", version.isMetadataTransactionSupported());
            supported.put("delegation tokens", version.isDelegationTokenSupported());
            supported.put("controller registration", version.isControllerRegistrationSupported());
            supported.put("controller unregistration", version.isControllerUnregistrationSupported());
            supported.put("directory assignment", version.isDirectoryAssignmentSupported());
            supported.put("eligible leader replicas", version.isElrSupported());
            supported.put("cordoned log dirs", version.isCordonedLogDirsSupported());
            ObjectNode defaults = level.putObject("features");
            for (Feature feature : Feature.PRODUCTION_FEATURES) {
                defaults.put(feature.featureName(), feature.defaultLevel(version));
            }
        }
        return levels;
    }

    /** Of each feature: its levels and what they depend on. */
    private static JsonNode features() {
        ObjectNode features = MAPPER.createObjectNode();
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            ObjectNode levels = features.putObject(feature.featureName());
            for (FeatureVersion version : feature.featureVersions()) {
                if (version.featureLevel() > feature.latestProduction()) continue;
                ObjectNode dependencies = levels.putObject(String.valueOf(version.featureLevel()));
                version.dependencies().forEach((name, level) -> dependencies.put(name, level.shortValue()));
            }
        }
        return features;
    }

    private static JsonNode format(String[] arguments) throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ObjectNode answer = MAPPER.createObjectNode();
        String[] all = new String[arguments.length + 1];
        all[0] = "format";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        answer.put("exit code", StorageTool.execute(all, new PrintStream(printed, true, StandardCharsets.UTF_8)));
        answer.put("printed", printed.toString(StandardCharsets.UTF_8));
        return answer;
    }

    /** The records of a segment of the metadata log or of a snapshot, after Kafka's own metadata image has taken them. */
    private static JsonNode records(File file) throws Exception {
        ArrayNode records = MAPPER.createArrayNode();
        MetadataDelta delta = new MetadataDelta.Builder().setImage(MetadataImage.EMPTY).build();
        try (BatchFileReader reader = new BatchFileReader.Builder().setPath(file.getPath()).build()) {
            while (reader.hasNext()) {
                BatchFileReader.BatchAndType batch = reader.next();
                if (batch.isControl()) continue;
                for (ApiMessageAndVersion record : batch.batch().records()) {
                    MetadataRecordType type = MetadataRecordType.fromId(record.message().apiKey());
                    if (!TRANSACTIONS.contains(type)) delta.replay(record.message()); // these are its reader's
                    ObjectNode shown = records.addObject();
                    shown.put("type", type.toString());
                    shown.put("version", record.version());
                    shown.set("data", MetadataJsonConverters.writeJson(record.message(), record.version()));
                }
            }
        }
        delta.apply(MetadataProvenance.EMPTY);
        return records;
    }
}
