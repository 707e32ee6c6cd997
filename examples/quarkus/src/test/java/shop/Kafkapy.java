package shop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A broker beside the tests, which ends with them. It needs the command `kafkapy`, or its path in KAFKAPY. */
final class Kafkapy {
    private final HttpClient http = HttpClient.newHttpClient();
    private final Process process;
    private final String started;

    Kafkapy() {
        String program = System.getenv().getOrDefault("KAFKAPY", "kafkapy");
        try {
            process = new ProcessBuilder(
                    program, "--ephemeral", "--port", "0", "--control", "0", "--json", "--exit-with-parent")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
            started = new BufferedReader(new InputStreamReader(process.getInputStream())).readLine();
        } catch (IOException error) {
            throw new IllegalStateException(
                "kafkapy does not start: run pip install './kafkapy[control]', where ./kafkapy is a checkout of kafkapy",
                error);
        }
        if (started == null) {
            throw new IllegalStateException("kafkapy has ended; standard error says why");
        }
    }

    String bootstrapServers() {
        return field("bootstrap_servers");
    }

    /** An operation of the control API, with its arguments and its result as JSON. */
    String call(String operation, String arguments) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(field("control_url") + "/v1/" + operation))
            .POST(BodyPublishers.ofString(arguments))
            .build();
        HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new AssertionError(answer.body());
        }
        return answer.body();
    }

    void stop() {
        process.destroy();
    }

    private String field(String name) {
        Matcher found = Pattern.compile('"' + name + "\": *\"([^\"]*)\"").matcher(started);
        if (!found.find()) {
            throw new IllegalStateException("no " + name + " in " + started);
        }
        return found.group(1);
    }
}
