package shop;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(KafkapyResource.class)
class ShopTest {
    Kafkapy kafka;

    @Test
    void anOrderHasAnInvoice() throws Exception {
        kafka.call("produce", "{\"topic\": \"orders\", \"records\": [{\"value\": \"3 tea\"}]}");
        assertTrue(kafka.call("wait_for_records", "{\"topic\": \"invoices\", \"timeout\": 60}").contains("tea: 750 cents"));
    }

    @Test
    void anOrderThatIsNoneGoesToTheDeadLetterTopic() throws Exception {
        kafka.call("produce", "{\"topic\": \"orders\", \"records\": [{\"value\": \"many cakes\"}]}");
        assertTrue(kafka.call("wait_for_records", "{\"topic\": \"orders-dlt\", \"timeout\": 60}").contains("many cakes"));
    }
}
