package shop

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is what these tests look at of a record.
type Record struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func newClient(t *testing.T, kafkapy *Kafkapy, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	options = append(options,
		kgo.SeedBrokers(kafkapy.BootstrapServers),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestAnOrderIsSentAgainWhenTheLeaderMoves(t *testing.T) {
	kafkapy := startKafkapy(t)
	kafkapy.Call(t, "create_topic", map[string]any{"name": "orders"}, nil)
	rule := map[string]any{"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2}
	var faults []struct {
		ID int `json:"fault_id"`
	}
	kafkapy.Call(t, "add_faults", map[string]any{"rules": []any{rule}}, &faults)

	if err := PlaceOrder(t.Context(), newClient(t, kafkapy), "alice", "1 tea"); err != nil {
		t.Fatal(err)
	}
	var records []Record
	kafkapy.Call(t, "records", map[string]any{"topic": "orders"}, &records)
	if len(records) != 1 || records[0] != (Record{"alice", "1 tea"}) {
		t.Errorf("orders has %v", records)
	}
	kafkapy.Call(t, "wait_for_fault", map[string]any{"fault_id": faults[0].ID, "fired": 2}, nil)
}

func TestAnOrderHasAnInvoiceAndWhatIsNoOrderIsSetAside(t *testing.T) {
	kafkapy := startKafkapy(t)
	for _, topic := range []string{"orders", "invoices", "orders.dlt"} {
		kafkapy.Call(t, "create_topic", map[string]any{"name": topic}, nil)
	}
	orders := map[string]any{"topic": "orders", "records": []Record{{"a", "3 tea"}, {"b", "many cakes"}, {"c", "1 coffee"}}}
	kafkapy.Call(t, "produce", orders, nil)
	client := newClient(t, kafkapy, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Bill(ctx, client, 3); err != nil {
		t.Fatal(err)
	}
	var invoices, dead []Record
	kafkapy.Call(t, "records", map[string]any{"topic": "invoices"}, &invoices)
	kafkapy.Call(t, "records", map[string]any{"topic": "orders.dlt"}, &dead)
	if len(invoices) != 2 || invoices[0].Value != "tea: 750 cents" || invoices[1].Value != "coffee: 250 cents" {
		t.Errorf("invoices has %v", invoices)
	}
	if len(dead) != 1 || dead[0].Value != "many cakes" {
		t.Errorf("orders.dlt has %v", dead)
	}
	kafkapy.Call(t, "wait_for_lag", map[string]any{"group_id": "billing"}, nil)
}
