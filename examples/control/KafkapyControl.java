import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A client of kafkapy's control API: copy this file into your tests. It needs Java 11 or newer and no library.
 *
 * <pre>{@code
 * var control = new KafkapyControl("http://127.0.0.1:9090");
 * var fault = control.addFault(Map.of("api", "Produce", "topic", "orders", "error", "NOT_LEADER_OR_FOLLOWER", "times", 1));
 * ...                                                  // what you test produces to orders
 * fault.await(1, 0, Duration.ofSeconds(10));
 * control.reset();
 * }</pre>
 *
 * Every operation of docs/control-api.md is {@code call(name, arguments)}; the methods are the same with less to write.
 * Arguments and results are JSON as {@code Map<String, Object>}, {@code List<Object>}, {@code String}, {@code Long},
 * {@code Double}, {@code Boolean} and null. All methods throw {@link ControlException} if the API refuses, and
 * {@link IOException} if nobody answers.
 */
public final class KafkapyControl {
    private static final Duration ANSWER = Duration.ofSeconds(60); // longer than the operation itself may wait
    private static final long LOOK_AGAIN_MS = 20;

    private final HttpClient http =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(ANSWER).build();
    private final String url;
    private final String token;

    /** {@code url} is printed by kafkapy when it starts. */
    public KafkapyControl(String url) {
        this(url, null);
    }

    /** {@code token} is the value of kafkapy's KAFKAPY_CONTROL_TOKEN. */
    public KafkapyControl(String url, String token) {
        this.url = url.replaceAll("/+$", "");
        this.token = token;
    }

    /** The result of an operation. */
    public Object call(String operation, Map<String, ?> arguments) throws IOException, InterruptedException {
        Object wait = arguments.get("timeout");
        long waitMs = wait instanceof Number ? (long) (((Number) wait).doubleValue() * 1_000) : 10_000;
        HttpRequest request = request("/v1/" + operation)
            .timeout(ANSWER.plusMillis(waitMs))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(Json.write(arguments)))
            .build();
        return answer(http.send(request, BodyHandlers.ofString()));
    }

    public Object call(String operation) throws IOException, InterruptedException {
        return call(operation, Map.of());
    }

    private HttpRequest.Builder request(String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path));
        return token == null ? request : request.header("Authorization", "Bearer " + token);
    }

    private static Object answer(HttpResponse<String> response) throws IOException {
        Object answer;
        try {
            answer = Json.read(response.body());
        } catch (IllegalArgumentException noJson) {
            throw new IOException("no answer of a control API: HTTP " + response.statusCode(), noJson);
        }
        if (response.statusCode() == 200) return answer;
        Object error = answer instanceof Map ? object(answer).get("error") : null;
        if (error == null) throw new IOException("no answer of a control API: HTTP " + response.statusCode());
        throw ControlException.of(response.statusCode(), object(error));
    }

    // -- health

    /** Whether the process runs. */
    public boolean live() throws InterruptedException {
        try {
            HttpRequest request = request("/live").timeout(ANSWER).build();
            return http.send(request, BodyHandlers.ofString()).statusCode() == 200;
        } catch (IOException nobody) {
            return false;
        }
    }

    /** Whether all nodes serve; {@code not_running} has the ids of those that do not. */
    public Map<String, Object> ready() throws IOException, InterruptedException {
        HttpResponse<String> response = http.send(request("/ready").timeout(ANSWER).build(), BodyHandlers.ofString());
        return object(response.statusCode() == 503 ? Json.read(response.body()) : answer(response));
    }

    /** Returns when all nodes serve. Throws IOException if they do not in time. */
    public void awaitReady(Duration timeout) throws IOException, InterruptedException {
        long end = System.nanoTime() + timeout.toNanos();
        while (true) {
            Object last;
            try {
                Map<String, Object> found = ready();
                if (Boolean.TRUE.equals(found.get("ready"))) return;
                last = found;
            } catch (IOException notThereYet) {
                last = notThereYet;
            }
            if (System.nanoTime() > end) throw new IOException(url + " is not ready after " + timeout + ": " + last);
            Thread.sleep(LOOK_AGAIN_MS);
        }
    }

    // -- faults: docs/faults.md has the fields of rules

    public Fault addFault(Map<String, ?> rule) throws IOException, InterruptedException {
        return addFaults(List.of(rule)).get(0);
    }

    /** Adds all of the faults, or none if one rule is wrong ({@link InvalidArgument}). */
    public List<Fault> addFaults(List<? extends Map<String, ?>> rules) throws IOException, InterruptedException {
        List<Fault> faults = new ArrayList<>();
        for (Object added : list(call("add_faults", Map.of("rules", rules)))) {
            faults.add(new Fault((Long) object(added).get("fault_id")));
        }
        return faults;
    }

    /** Those in force. */
    public List<Object> faults() throws IOException, InterruptedException {
        return list(call("faults"));
    }

    /** Those with {@code must_fire} that never fired: a test should end with an empty list. */
    public List<Object> unfiredFaults() throws IOException, InterruptedException {
        return list(call("unfired_faults"));
    }

    public void clearFaults() throws IOException, InterruptedException {
        call("clear_faults");
    }

    /** A fault that was added; removed at the end of a {@code try (...)} block. */
    public final class Fault implements AutoCloseable {
        public final long id;

        private Fault(long id) {
            this.id = id;
        }

        /** What it has done: {@code rule}, {@code matched}, {@code fired}, {@code held}, {@code is_spent}. */
        public Map<String, Object> read() throws IOException, InterruptedException {
            return object(call("fault", Map.of("fault_id", id)));
        }

        /** Until it has fired so often and holds so many requests; throws {@link NotYet}. */
        public Map<String, Object> await(int fired, int held, Duration timeout)
                throws IOException, InterruptedException {
            double seconds = timeout.toMillis() / 1e3;
            return object(call(
                "wait_for_fault", Map.of("fault_id", id, "fired", fired, "held", held, "timeout", seconds)));
        }

        /** Lets all requests that it holds go on, and later ones. Returns how many there were. */
        public long release() throws IOException, InterruptedException {
            return (Long) call("release_fault", Map.of("fault_id", id));
        }

        public void remove() throws IOException, InterruptedException {
            call("remove_fault", Map.of("fault_id", id));
        }

        @Override
        public void close() throws IOException {
            try {
                remove();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    // -- the brokers' clock; each returns now_ms, is_frozen and next_timer_ms

    public Map<String, Object> time() throws IOException, InterruptedException {
        return object(call("time"));
    }

    public Map<String, Object> freezeTime() throws IOException, InterruptedException {
        return object(call("freeze_time"));
    }

    public Map<String, Object> advanceTime(Duration by) throws IOException, InterruptedException {
        return object(call("advance_time", Map.of("milliseconds", by.toMillis())));
    }

    /** Moves time to the next timer, which fires. */
    public Map<String, Object> jumpTime() throws IOException, InterruptedException {
        return object(call("jump_time"));
    }

    public Map<String, Object> releaseTime() throws IOException, InterruptedException {
        return object(call("release_time"));
    }

    // -- nodes, state

    public List<Object> nodes() throws IOException, InterruptedException {
        return list(call("nodes"));
    }

    /** Ends a node as SIGKILL does. */
    public void killNode(int id) throws IOException, InterruptedException {
        call("kill_node", Map.of("node_id", id));
    }

    /** Stops a node in order. */
    public void stopNode(int id) throws IOException, InterruptedException {
        call("stop_node", Map.of("node_id", id));
    }

    public void startNode(int id) throws IOException, InterruptedException {
        call("start_node", Map.of("node_id", id));
    }

    /** Starts another broker; its id. */
    public int addNode() throws IOException, InterruptedException {
        return ((Number) call("add_node")).intValue();
    }

    /** The same in a rack. */
    public int addNode(String rack) throws IOException, InterruptedException {
        return ((Number) call("add_node", Map.of("rack", rack))).intValue();
    }

    /** Moves the replicas of a broker that is no controller to others, stops it and forgets it. */
    public void removeNode(int id) throws IOException, InterruptedException {
        call("remove_node", Map.of("node_id", id));
    }

    /** A fresh state, as before each test: no topics, groups and faults, all nodes run, the clock shows the time. */
    public void reset() throws IOException, InterruptedException {
        call("reset");
    }

    // -- events

    /** What clients ask and are answered from now on. Close it to end it. */
    public Events events() throws IOException, InterruptedException {
        HttpResponse<InputStream> response = http.send(request("/events").build(), BodyHandlers.ofInputStream());
        Events events = new Events(response.body());
        if (response.statusCode() != 200) {
            try (InputStream body = response.body()) {
                String text = new String(body.readAllBytes(), StandardCharsets.UTF_8);
                throw ControlException.of(response.statusCode(), object(object(Json.read(text)).get("error")));
            }
        }
        events.lines.readLine(); // the server greets once it listens to its brokers: nothing is missed from here on
        return events;
    }

    /** A stream of server-sent events. */
    public static final class Events implements AutoCloseable {
        private final InputStream body;
        private final BufferedReader lines;

        private Events(InputStream body) {
            this.body = body;
            lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
        }

        /** The next one; null: the server has ended the stream. */
        public Event next() throws IOException {
            String name = null;
            for (String line; (line = lines.readLine()) != null; ) {
                if (line.startsWith("event: ")) name = line.substring(7);
                else if (line.startsWith("data: ")) return new Event(name, Json.read(line.substring(6)));
                // Empty lines end an event, those that begin with ":" keep the connection alive, "id" is in the data.
            }
            return null;
        }

        /** From any thread: a `next` that waits ends. */
        @Override
        public void close() throws IOException {
            body.close();
        }
    }

    public static final class Event {
        /** {@code exchange}; or {@code missed}: events came faster than they were read. */
        public final String name;
        /** A Map as in docs/recording.md; or how many were missed. */
        public final Object data;

        private Event(String name, Object data) {
            this.name = name;
            this.data = data;
        }
    }

    // -- values

    @SuppressWarnings("unchecked")
    public static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    public static List<Object> list(Object value) {
        return (List<Object>) value;
    }

    /** The bytes of a key, value or header: a text if they are UTF-8, else an object with {@code base64}. */
    public static byte[] bytes(Object value) {
        if (value == null) return null;
        if (value instanceof String) return ((String) value).getBytes(StandardCharsets.UTF_8);
        return Base64.getDecoder().decode((String) object(value).get("base64"));
    }

    // -- errors

    /** The API has refused something. */
    public static class ControlException extends IOException {
        private static final long serialVersionUID = 1;
        public final int status;
        public final String kind;
        /** The argument that is wrong; null: none is. */
        public final String field;
        /** What is wrong with it. */
        public final String reason;
        /** What was probably meant; null: who knows. */
        public final String nearest;
        /** Kafka's error code, if Kafka refuses it; otherwise null. */
        public final Long code;

        private ControlException(int status, Map<String, Object> error) {
            super((String) error.get("message"));
            this.status = status;
            kind = (String) error.get("kind");
            field = (String) error.get("field");
            reason = (String) error.get("reason");
            nearest = (String) error.get("nearest");
            code = (Long) error.get("code");
        }

        private static ControlException of(int status, Map<String, Object> error) {
            switch (status) {
                case 400: return new InvalidArgument(status, error);
                case 401:
                case 403: return new NotAuthorized(status, error);
                case 404: return new NotFound(status, error);
                case 409: return new RefusedByKafka(status, error);
                case 504: return new NotYet(status, error);
                default: return new ControlException(status, error);
            }
        }
    }

    /** 400: an argument is wrong, see {@code field}, {@code reason} and {@code nearest}. Nothing was done. */
    public static final class InvalidArgument extends ControlException {
        private static final long serialVersionUID = 1;

        private InvalidArgument(int status, Map<String, Object> error) {
            super(status, error);
        }
    }

    /** 401 or 403: the token is missing or wrong, or the API does not answer to that name. */
    public static final class NotAuthorized extends ControlException {
        private static final long serialVersionUID = 1;

        private NotAuthorized(int status, Map<String, Object> error) {
            super(status, error);
        }
    }

    /** 404: there is no such operation, topic, group, node. */
    public static final class NotFound extends ControlException {
        private static final long serialVersionUID = 1;

        private NotFound(int status, Map<String, Object> error) {
            super(status, error);
        }
    }

    /** 409: Kafka refuses it; {@code kind} is the name of its error and {@code code} its number. */
    public static final class RefusedByKafka extends ControlException {
        private static final long serialVersionUID = 1;

        private RefusedByKafka(int status, Map<String, Object> error) {
            super(status, error);
        }
    }

    /** 504: what was waited for has not come in time; the message says what there was instead. */
    public static final class NotYet extends ControlException {
        private static final long serialVersionUID = 1;

        private NotYet(int status, Map<String, Object> error) {
            super(status, error);
        }
    }

    // -- JSON, which Java's own library does not have

    /** Reads and writes JSON. Whole numbers are read as Long, others as Double. */
    public static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        /** Throws IllegalArgumentException: it is no JSON. */
        public static Object read(String text) {
            Json json = new Json(text);
            try {
                Object value = json.value();
                json.skipSpace();
                if (json.at == text.length()) return value;
            } catch (StringIndexOutOfBoundsException cutShort) {
                // as any other text that is no JSON
            }
            throw json.wrong();
        }

        private IllegalArgumentException wrong() {
            int shown = Math.min(text.length(), 200);
            return new IllegalArgumentException("no JSON, see character " + at + ": " + text.substring(0, shown));
        }

        private void skipSpace() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        }

        private boolean skips(String word) {
            skipSpace();
            if (!text.startsWith(word, at)) return false;
            at += word.length();
            return true;
        }

        private Object value() {
            if (skips("{")) return readObject();
            if (skips("[")) return readList();
            if (skips("\"")) return string();
            if (skips("null")) return null;
            if (skips("true")) return true;
            if (skips("false")) return false;
            int begin = at;
            while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) at++;
            String number = text.substring(begin, at);
            if (number.matches("-?\\d+")) return Long.valueOf(number);
            if (number.isEmpty()) throw wrong();
            return Double.valueOf(number);
        }

        private Map<String, Object> readObject() {
            Map<String, Object> found = new LinkedHashMap<>();
            if (skips("}")) return found;
            do {
                if (!skips("\"")) throw wrong();
                String name = string();
                if (!skips(":")) throw wrong();
                found.put(name, value());
            } while (skips(","));
            if (!skips("}")) throw wrong();
            return found;
        }

        private List<Object> readList() {
            List<Object> found = new ArrayList<>();
            if (skips("]")) return found;
            do found.add(value()); while (skips(","));
            if (!skips("]")) throw wrong();
            return found;
        }

        private String string() {
            StringBuilder found = new StringBuilder();
            for (char c; (c = text.charAt(at++)) != '"'; ) {
                if (c != '\\') {
                    found.append(c);
                    continue;
                }
                char escaped = text.charAt(at++);
                int simple = "bfnrt".indexOf(escaped);
                if (escaped == 'u') {
                    found.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                    at += 4;
                } else {
                    found.append(simple < 0 ? escaped : "\b\f\n\r\t".charAt(simple));
                }
            }
            return found.toString();
        }

        /** Maps, lists, texts, numbers, booleans, byte arrays and null. */
        public static String write(Object value) {
            StringBuilder out = new StringBuilder();
            write(value, out);
            return out.toString();
        }

        private static void write(Object value, StringBuilder out) {
            if (value == null || value instanceof Number || value instanceof Boolean) {
                out.append(value);
            } else if (value instanceof byte[]) {
                write(Map.of("base64", Base64.getEncoder().encodeToString((byte[]) value)), out);
            } else if (value instanceof Map) {
                String before = "{";
                for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) {
                    out.append(before);
                    writeString(each.getKey().toString(), out);
                    out.append(':');
                    write(each.getValue(), out);
                    before = ",";
                }
                out.append(before.equals("{") ? "{}" : "}");
            } else if (value instanceof Iterable) {
                String before = "[";
                for (Object each : (Iterable<?>) value) {
                    out.append(before);
                    write(each, out);
                    before = ",";
                }
                out.append(before.equals("[") ? "[]" : "]");
            } else {
                writeString(value.toString(), out);
            }
        }

        private static void writeString(String text, StringBuilder out) {
            out.append('"');
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (c == '"' || c == '\\') out.append('\\').append(c);
                else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
                else out.append(c);
            }
            out.append('"');
        }
    }
}
