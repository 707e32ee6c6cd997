import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.*;

/**
 * Kafka's own assignors, asked on the standard input and answering on the standard output.
 *
 *     case uniform|range|simple 0|1           1: all members read the same topics
 *     topic [32 hex digits] [partition count]
 *     member [id] [instance id or -] [numbers of topics, or -] [topic number:partition.partition;..., or -]
 *     end
 *
 * The answer to a case is one line: member=topic number:partition.partition;... for each member, sorted.
 */
public class Assignors {
    record Topic(Uuid id, int partitions) { }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        String assignor = null;
        boolean homogeneous = false;
        List<Topic> topics = new ArrayList<>();
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "case" -> {
                    assignor = words[1];
                    homogeneous = words[2].equals("1");
                    topics = new ArrayList<>();
                    members = new HashMap<>();
                    owners = new HashMap<>();
                }
                case "topic" -> {
                    BigInteger id = new BigInteger(words[1], 16);
                    topics.add(new Topic(new Uuid(id.shiftRight(64).longValue(), id.longValue()), Integer.parseInt(words[2])));
                }
                case "member" -> {
                    Set<Uuid> subscribed = new HashSet<>();
                    if (!words[3].equals("-"))
                        for (String number : words[3].split(",")) subscribed.add(topics.get(Integer.parseInt(number)).id());
                    Map<Uuid, Set<Integer>> assigned = new HashMap<>();
                    if (!words[4].equals("-"))
                        for (String part : words[4].split(";")) {
                            String[] pair = part.split(":");
                            Uuid topicId = topics.get(Integer.parseInt(pair[0])).id();
                            List<Integer> partitions = Arrays.stream(pair[1].split("\\.")).map(Integer::valueOf).toList();
                            assigned.put(topicId, new HashSet<>(partitions));
                            for (int partition : partitions)
                                owners.computeIfAbsent(topicId, __ -> new HashMap<>()).put(partition, words[1]);
                        }
                    members.put(words[1], new MemberSubscriptionAndAssignmentImpl(
                        Optional.empty(),
                        words[2].equals("-") ? Optional.empty() : Optional.of(words[2]),
                        subscribed,
                        new Assignment(assigned)));
                }
                case "end" -> {
                    out.println(answer(assignor, homogeneous, topics, members, owners));
                    out.flush();
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    static String answer(
        String assignor,
        boolean homogeneous,
        List<Topic> topics,
        Map<String, MemberSubscriptionAndAssignmentImpl> members,
        Map<Uuid, Map<Integer, String>> owners
    ) {
        Map<Uuid, Integer> counts = new HashMap<>();
        Map<Uuid, Integer> numbers = new HashMap<>();
        for (Topic topic : topics) {
            numbers.put(topic.id(), numbers.size());
            counts.put(topic.id(), topic.partitions());
        }
        SubscribedTopicDescriber describer = new SubscribedTopicDescriber() {
            @Override
            public int numPartitions(Uuid topicId) {
                return counts.getOrDefault(topicId, -1);
            }

            @Override
            public Set<String> racksForPartition(Uuid topicId, int partition) {
                return Set.of();
            }
        };
        GroupSpec group = new GroupSpecImpl(
            Collections.unmodifiableMap(members),
            homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS,
            owners,
            Optional.empty());
        PartitionAssignor chosen = switch (assignor) {
            case "uniform" -> new UniformAssignor();
            case "range" -> new RangeAssignor();
            default -> new SimpleAssignor();
        };
        TreeMap<String, String> answers = new TreeMap<>();
        chosen.assign(group, describer).members().forEach((memberId, assignment) -> {
            TreeMap<Integer, String> parts = new TreeMap<>();
            assignment.partitions().forEach((topicId, partitions) -> {
                if (!partitions.isEmpty()) {
                    int number = numbers.get(topicId);
                    parts.put(number, number + ":" + String.join(".", new TreeSet<>(partitions).stream().map(String::valueOf).toList()));
                }
            });
            answers.put(memberId, memberId + "=" + String.join(";", parts.values()));
        });
        return String.join(" ", answers.values());
    }
}
