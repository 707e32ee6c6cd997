package shop;

import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.reactive.messaging.Incoming;
import org.eclipse.microprofile.reactive.messaging.Outgoing;

/** Reads orders such as "3 tea" and writes an invoice for each. */
@ApplicationScoped
public class Billing {
    @Incoming("orders")
    @Outgoing("invoices")
    public String bill(String order) {
        String[] words = order.split(" ", 2);
        return words[1] + ": " + 250 * Integer.parseInt(words[0]) + " cents";
    }
}
