package shop;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.util.Map;

/** Starts the broker before the application, which then has its address. */
public class KafkapyResource implements QuarkusTestResourceLifecycleManager {
    private final Kafkapy kafka = new Kafkapy();

    @Override
    public Map<String, String> start() {
        return Map.of("kafka.bootstrap.servers", kafka.bootstrapServers());
    }

    @Override
    public void inject(TestInjector injector) {
        injector.injectIntoFields(kafka, new TestInjector.MatchesType(Kafkapy.class));
    }

    @Override
    public void stop() {
        kafka.stop();
    }
}
