package shop;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

@SpringBootTest
class ShopTest {
    static final Kafkapy kafka = new Kafkapy();

    @DynamicPropertySource
    static void address(DynamicPropertyRegistry registry) {
        registry.add("spring.kafka.bootstrap-servers", kafka::bootstrapServers);
    }

    @Autowired
    KafkaTemplate<String, String> template;

    @Test
    void anOrderHasAnInvoice() throws Exception {
        template.send("orders", "3 tea").join();
        kafka.call("wait_for_lag", "{\"group_id\": \"billing\", \"timeout\": 60}");
        assertThat(kafka.call("records", "{\"topic\": \"invoices\"}")).contains("tea: 750 cents");
    }

    @Test
    void anInvoiceIsSentAgainWhenTheLeaderMoves() throws Exception {
        kafka.call("add_faults", """
            {"rules": [{"api": "Produce", "topic": "invoices", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2}]}""");
        template.send("orders", "2 coffees").join();
        kafka.call("wait_for_lag", "{\"group_id\": \"billing\", \"timeout\": 60}");
        assertThat(kafka.call("records", "{\"topic\": \"invoices\"}")).containsOnlyOnce("coffees: 500 cents");
        assertThat(kafka.call("faults", "{}")).contains("\"fired\":2");
    }

    @Test
    void anOrderThatIsNoneGoesToTheDeadLetterTopic() throws Exception {
        template.send("orders", "many cakes").join();
        assertThat(kafka.call("wait_for_records", "{\"topic\": \"orders-dlt\", \"timeout\": 60}")).contains("many cakes");
    }
}
