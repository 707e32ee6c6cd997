import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.function.Function;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.api.streams.assignor.*;
import org.apache.kafka.coordinator.group.generated.StreamsGroupTopologyValue;
import org.apache.kafka.coordinator.group.streams.*;
import org.apache.kafka.coordinator.group.streams.assignor.*;
import org.apache.kafka.coordinator.group.streams.topics.*;
import org.slf4j.helpers.NOPLogger;

/**
 * Kafka's own classes that decide about streams groups: a JSON object on a line of the standard input, its answer on a line
 * of the standard output.
 *
 *     {"assign": {"standbys": n, "subtopologies": {id: [tasks, is stateful]}, "members": {id: {"process": id,
 *       "active": {id: [partition]}, "standby": {...}, "offsets": {id: {partition: offset}}}}}}
 *     {"configure": {"topology": hex, "topics": {name: partitions}}}
 *     {"step": {"state": n, "epoch": n, "previous": n, "process": id, "assigned": [{id: {partition: epoch}}, {id: [partition]},
 *       {id: [partition]}], "pending": the same, "targetEpoch": n, "target": [{id: [partition]}, ...], "owned": null or the
 *       same, "active": {id: {partition: process}}, "standby": {id: {partition: [process]}}, "warmup": {...}}}
 */
public class StreamsGroupParts {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode asked = JSON.readTree(line);
            ObjectNode answer = asked.has("assign") ? assign(asked.get("assign"))
                : asked.has("step") ? step(asked.get("step"))
                : configure(asked.get("configure"));
            out.println(JSON.writeValueAsString(answer));
            out.flush();
        }
    }

    static ObjectNode assign(JsonNode asked) {
        Map<String, MemberMetadataAndStateImpl> members = new HashMap<>();
        asked.get("members").properties().forEach(entry -> {
            JsonNode member = entry.getValue();
            Map<String, Map<Integer, Long>> offsets = new HashMap<>();
            member.get("offsets").properties().forEach(each -> {
                Map<Integer, Long> ofPartitions = new HashMap<>();
                each.getValue().properties().forEach(one -> ofPartitions.put(Integer.valueOf(one.getKey()), one.getValue().asLong()));
                offsets.put(each.getKey(), ofPartitions);
            });
            members.put(entry.getKey(), new MemberMetadataAndStateImpl(
                Optional.empty(), Optional.empty(), member.get("process").asText(), Map.of(),
                tasks(member.get("active")), tasks(member.get("standby")), Map.of(), offsets, Map.of()));
        });
        JsonNode subtopologies = asked.get("subtopologies");
        TopologyDescriber describer = new TopologyDescriber() {
            @Override
            public List<String> subtopologies() {
                List<String> names = new ArrayList<>();
                subtopologies.fieldNames().forEachRemaining(names::add);
                Collections.sort(names);
                return names;
            }

            @Override
            public int maxNumInputPartitions(String subtopologyId) {
                return subtopologies.get(subtopologyId).get(0).asInt();
            }

            @Override
            public boolean isStateful(String subtopologyId) {
                return subtopologies.get(subtopologyId).get(1).asBoolean();
            }
        };
        ObjectNode answer = JSON.createObjectNode();
        GroupSpec spec = new GroupSpecImpl(members, new AssignmentConfigsImpl(asked.get("standbys").asInt(), List.of()));
        try {
            new StickyTaskAssignor().assign(spec, describer).members().forEach((memberId, assigned) ->
                answer.set(memberId, JSON.createArrayNode().add(plain(assigned.activeTasks())).add(plain(assigned.standbyTasks()))));
        } catch (TaskAssignorException refused) {
            answer.put("refused", refused.getMessage());
        }
        return answer;
    }

    static Map<String, Set<Integer>> tasks(JsonNode node) {
        Map<String, Set<Integer>> tasks = new HashMap<>();
        node.properties().forEach(entry -> {
            Set<Integer> partitions = new HashSet<>();
            entry.getValue().forEach(partition -> partitions.add(partition.asInt()));
            tasks.put(entry.getKey(), partitions);
        });
        return tasks;
    }

    static ObjectNode plain(Map<String, Set<Integer>> tasks) {
        ObjectNode node = JSON.createObjectNode();
        tasks.forEach((subtopologyId, partitions) -> {
            ArrayNode list = node.putArray(subtopologyId);
            new TreeSet<>(partitions).forEach(list::add);
        });
        return node;
    }

    record Topic(String name, int partitionCount) implements CoordinatorMetadataImage.TopicMetadata {
        @Override
        public Uuid id() {
            return Uuid.ONE_UUID;
        }

        @Override
        public List<String> partitionRacks(int partition) {
            return List.of();
        }
    }

    record Image(Map<String, Topic> topics) implements CoordinatorMetadataImage {
        @Override
        public Set<Uuid> topicIds() {
            return Set.of();
        }

        @Override
        public Set<String> topicNames() {
            return topics.keySet();
        }

        @Override
        public Optional<TopicMetadata> topicMetadata(String name) {
            return Optional.ofNullable(topics.get(name));
        }

        @Override
        public Optional<TopicMetadata> topicMetadata(Uuid id) {
            return Optional.empty();
        }

        @Override
        public CoordinatorMetadataDelta emptyDelta() {
            throw new UnsupportedOperationException();
        }

        @Override
        public long version() {
            return 1;
        }

        @Override
        public boolean isEmpty() {
            return topics.isEmpty();
        }
    }

    static ObjectNode configure(JsonNode asked) {
        Map<String, Topic> topics = new HashMap<>();
        asked.get("topics").properties().forEach(entry ->
            topics.put(entry.getKey(), new Topic(entry.getKey(), entry.getValue().asInt())));
        byte[] bytes = HexFormat.of().parseHex(asked.get("topology").asText());
        ObjectNode answer = JSON.createObjectNode();
        try {
            StreamsGroupTopologyValue value =
                new StreamsGroupTopologyValue(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), (short) 0);
            ConfiguredTopology configured = InternalTopicManager.configureTopics(
                NOPLogger.NOP_LOGGER, "group", "member", 0, StreamsTopology.fromRecord(value), new Image(topics), Time.SYSTEM);
            configured.topicConfigurationException().ifPresent(problem ->
                answer.putArray("problem").add(problem.status().code()).add(problem.getMessage()));
            configured.subtopologies().ifPresent(subtopologies -> {
                ArrayNode list = answer.putArray("subtopologies");
                subtopologies.forEach((id, each) -> list.addArray()
                    .add(id)
                    .add(each.numberOfTasks())
                    .add(sorted(each.sourceTopics()))
                    .add(plainTopics(each.repartitionSourceTopics()))
                    .add(sorted(each.repartitionSinkTopics()))
                    .add(plainTopics(each.stateChangelogTopics())));
            });
            ArrayNode missing = answer.putArray("missing");
            configured.internalTopicsToBeCreated().values().forEach(topic -> {
                ArrayNode one = missing.addArray().add(topic.name()).add(topic.numPartitions()).add(topic.replicationFactor());
                ObjectNode configs = one.addObject();
                new TreeMap<String, String>() {{
                    topic.configs().forEach(config -> put(config.name(), config.value()));
                }}.forEach(configs::put);
            });
        } catch (ApiException refused) {
            answer.putArray("refused").add(Errors.forException(refused).name()).add(refused.getMessage());
        } catch (RuntimeException unexpected) {
            answer.putArray("refused").add(Errors.forException(unexpected).name());
        }
        return answer;
    }

    static ObjectNode step(JsonNode asked) {
        StreamsGroupMember member = StreamsGroupMember.Builder.withDefaults("member")
            .setState(MemberState.fromValue((byte) asked.get("state").asInt()))
            .setMemberEpoch(asked.get("epoch").asInt())
            .setPreviousMemberEpoch(asked.get("previous").asInt())
            .setProcessId(asked.get("process").asText())
            .setAssignedTasks(held(asked.get("assigned")))
            .setTasksPendingRevocation(held(asked.get("pending")))
            .build();
        CurrentAssignmentBuilder builder = new CurrentAssignmentBuilder(member)
            .withTargetAssignment(asked.get("targetEpoch").asInt(), tuple(asked.get("target")))
            .withCurrentActiveTaskProcessId((id, partition) -> {
                JsonNode process = asked.get("active").path(id).path(partition.toString());
                return process.isMissingNode() ? null : process.asText();
            })
            .withCurrentStandbyTaskProcessIds((id, partition) -> processes(asked.get("standby"), id, partition))
            .withCurrentWarmupTaskProcessIds((id, partition) -> processes(asked.get("warmup"), id, partition))
            .withOwnedAssignment(asked.get("owned").isNull() ? null : tuple(asked.get("owned")));
        ObjectNode answer = JSON.createObjectNode();
        try {
            StreamsGroupMember after = builder.build();
            answer.put("state", after.state().value());
            answer.put("epoch", after.memberEpoch());
            answer.put("previous", after.previousMemberEpoch());
            answer.set("assigned", plainHeld(after.assignedTasks()));
            answer.set("pending", plainHeld(after.tasksPendingRevocation()));
        } catch (ApiException refused) {
            answer.put("refused", refused.getMessage());
        }
        return answer;
    }

    static Set<String> processes(JsonNode owners, String id, Integer partition) {
        Set<String> processes = new HashSet<>();
        owners.path(id).path(partition.toString()).forEach(process -> processes.add(process.asText()));
        return processes;
    }

    static TasksTuple tuple(JsonNode roles) {
        return new TasksTuple(tasks(roles.get(0)), tasks(roles.get(1)), tasks(roles.get(2)));
    }

    static TasksTupleWithEpochs held(JsonNode roles) {
        Map<String, Map<Integer, Integer>> active = new HashMap<>();
        roles.get(0).properties().forEach(entry -> {
            Map<Integer, Integer> epochs = new HashMap<>();
            entry.getValue().properties().forEach(one -> epochs.put(Integer.valueOf(one.getKey()), one.getValue().asInt()));
            active.put(entry.getKey(), epochs);
        });
        return new TasksTupleWithEpochs(active, tasks(roles.get(1)), tasks(roles.get(2)));
    }

    static ArrayNode plainHeld(TasksTupleWithEpochs held) {
        ObjectNode active = JSON.createObjectNode();
        held.activeTasksWithEpochs().forEach((id, epochs) -> {
            ObjectNode node = active.putObject(id);
            epochs.forEach((partition, epoch) -> node.put(partition.toString(), epoch));
        });
        return JSON.createArrayNode().add(active).add(plain(held.standbyTasks())).add(plain(held.warmupTasks()));
    }

    static ArrayNode sorted(Set<String> names) {
        ArrayNode list = JSON.createArrayNode();
        new TreeSet<>(names).forEach(list::add);
        return list;
    }

    static ObjectNode plainTopics(Map<String, ConfiguredInternalTopic> topics) {
        ObjectNode node = JSON.createObjectNode();
        new TreeMap<>(topics).forEach((name, topic) -> {
            ArrayNode one = node.putArray(name).add(topic.numberOfPartitions()).add(topic.replicationFactor().map(Short::intValue).orElse(0));
            ObjectNode configs = one.addObject();
            new TreeMap<>(topic.topicConfigs()).forEach(configs::put);
        });
        return node;
    }
}
