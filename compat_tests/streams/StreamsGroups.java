import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.admin.StreamsGroupMemberAssignment;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TaskMetadata;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Instances of Kafka Streams applications in streams groups (KIP-1071), told what to do on the standard input.
 *
 * <p>Words of lines are counted, and each count joined with the word's label: a repartition topic, two stores with
 * changelogs, and topics that must have as many partitions as one another.
 *
 * <p>{@code java -cp JARS StreamsGroups BOOTSTRAP STATE_DIR}. Each command is a line with tabs between its words, and is
 * answered with a line. APP is an application's id: its topics are APP-lines, APP-labels and APP-out.
 * <pre>
 *   start APP NAME [SETTING=VALUE ...]   an instance; its state is kept in a directory of its name
 *   stop APP NAME                        close it in order
 *   end APP                              close all
 *   state APP NAME                       its state
 *   tasks APP NAME                       its active tasks, and its standby tasks: 0_0,0_1 1_0
 *   hosts APP NAME                       host, active and standby partitions of each instance, as this one was told
 *   configure APP NAME=VALUE ...         settings of the group
 *   describe APP                         state, epochs of group, assignment and topology, subtopologies; then each
 *                                        member: its epoch, host, active and standby tasks, active tasks of the target
 * </pre>
 */
public class StreamsGroups {
    /** A line that asks all instances of the application to end. */
    private static final String POISON = "poison";

    private static String[] places;
    private static final Map<String, KafkaStreams> instances = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        places = args;
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // libraries may print what they like
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String answer;
                try {
                    answer = answer(line.split("\t"), admin);
                } catch (Exception failure) {
                    failure.printStackTrace();
                    answer = "failed: " + String.valueOf(failure.getMessage()).replace('\n', ' ');
                }
                out.println(answer);
            }
        }
        instances.values().forEach(each -> each.close(Duration.ofSeconds(5)));
        System.exit(0);
    }

    private static String answer(String[] words, Admin admin) throws Exception {
        String application = words[1];
        String name = words.length > 2 ? words[2] : "";
        String instance = application + "/" + name;
        switch (words[0]) {
            case "start" -> {
                KafkaStreams streams = new KafkaStreams(
                    topology(application), settings(application, name, Arrays.copyOfRange(words, 3, words.length)));
                instances.put(instance, streams);
                streams.setUncaughtExceptionHandler(failure ->
                    failure.getMessage().contains(POISON) || String.valueOf(failure.getCause()).contains(POISON)
                        ? StreamThreadExceptionResponse.SHUTDOWN_APPLICATION
                        : StreamThreadExceptionResponse.SHUTDOWN_CLIENT);
                streams.start();
                return "started";
            }
            case "stop" -> {
                return instances.remove(instance).close(Duration.ofSeconds(20)) ? "stopped" : "failed: still running";
            }
            case "end" -> {
                for (String each : List.copyOf(instances.keySet())) {
                    if (each.startsWith(application + "/")) {
                        instances.remove(each).close(Duration.ofSeconds(5));
                    }
                }
                return "ended";
            }
            case "state" -> {
                return instances.get(instance).state().toString();
            }
            case "tasks" -> {
                return tasks(instance, true) + " " + tasks(instance, false);
            }
            case "hosts" -> {
                return instances.get(instance).streamsMetadataForStore("counts").stream()
                    .map(each -> each.hostInfo().host()
                        + ":" + each.topicPartitions().size() + ":" + each.standbyTopicPartitions().size())
                    .sorted().collect(Collectors.joining(" "));
            }
            case "configure" -> {
                List<AlterConfigOp> changes = Arrays.stream(words).skip(2).map(word -> word.split("=", 2))
                    .map(pair -> new AlterConfigOp(new ConfigEntry(pair[0], pair[1]), AlterConfigOp.OpType.SET))
                    .toList();
                ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, application);
                admin.incrementalAlterConfigs(Map.of(group, (Collection<AlterConfigOp>) changes)).all().get();
                return "configured";
            }
            case "describe" -> {
                return described(admin.describeStreamsGroups(List.of(application)).all().get().get(application));
            }
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private static String tasks(String instance, boolean active) {
        String tasks = instances.get(instance).metadataForLocalThreads().stream()
            .flatMap(thread -> (active ? thread.activeTasks() : thread.standbyTasks()).stream())
            .map(TaskMetadata::taskId).map(Object::toString).sorted().collect(Collectors.joining(","));
        return tasks.isEmpty() ? "-" : tasks;
    }

    private static String described(StreamsGroupDescription group) {
        String head = String.join(" ",
            group.groupState().toString(),
            String.valueOf(group.groupEpoch()),
            String.valueOf(group.targetAssignmentEpoch()),
            String.valueOf(group.topologyEpoch()),
            group.subtopologies().stream()
                .map(each -> each.subtopologyId() + ":" + each.sourceTopics().size()
                    + ":" + each.repartitionSinkTopics().size()
                    + ":" + each.repartitionSourceTopics().size()
                    + ":" + each.stateChangelogTopics().size())
                .sorted().collect(Collectors.joining(",")));
        String members = group.members().stream()
            .map(member -> " " + member.memberEpoch()
                + "/" + member.userEndpoint().map(endpoint -> endpoint.host()).orElse("-")
                + "/" + tasks(member.assignment().activeTasks())
                + "/" + tasks(member.assignment().standbyTasks())
                + "/" + tasks(member.targetAssignment().activeTasks()))
            .sorted().collect(Collectors.joining());
        return head + members;
    }

    private static String tasks(List<StreamsGroupMemberAssignment.TaskIds> tasks) {
        return tasks.stream()
            .flatMap(each -> each.partitions().stream().map(partition -> each.subtopologyId() + "_" + partition))
            .sorted().collect(Collectors.joining(","));
    }

    private static List<String> words(String line) {
        if (line.equals(POISON)) {
            throw new IllegalArgumentException("poison");
        }
        return Arrays.asList(line.toLowerCase(Locale.ROOT).split("\\W+"));
    }

    private static Topology topology(String application) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> lines = builder.stream(application + "-lines");
        KTable<String, String> labels = builder.table(application + "-labels", Materialized.as("labels"));
        lines.flatMapValues(StreamsGroups::words)
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts"))
            .toStream()
            .join(labels, (count, label) -> label + " " + count)
            .to(application + "-out", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private static Properties settings(String application, String name, String[] more) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, "streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, places[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.CLIENT_ID_CONFIG, name);
        settings.put(StreamsConfig.APPLICATION_SERVER_CONFIG, name + ":1");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(places[1], name).toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0); // every change goes out, not the last of many
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        for (String setting : more) {
            String[] pair = setting.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        return settings;
    }
}
