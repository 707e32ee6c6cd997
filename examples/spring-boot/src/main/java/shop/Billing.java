package shop;

import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.stereotype.Component;

/** Reads orders such as "3 tea" and writes an invoice for each. */
@Component
class Billing {
    private final KafkaTemplate<String, String> template;

    Billing(KafkaTemplate<String, String> template) {
        this.template = template;
    }

    @KafkaListener(topics = "orders", groupId = "billing")
    void bill(String order) {
        String[] words = order.split(" ", 2);
        int cents = 250 * Integer.parseInt(words[0]);
        template.send("invoices", words[1] + ": " + cents + " cents").join();
    }
}
