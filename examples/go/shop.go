// Package shop stores orders in Kafka and writes an invoice for each.
package shop

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// PlaceOrder stores an order, and returns when it is stored.
func PlaceOrder(ctx context.Context, client *kgo.Client, customer, order string) error {
	record := &kgo.Record{Topic: "orders", Key: []byte(customer), Value: []byte(order)}
	return client.ProduceSync(ctx, record).FirstErr()
}

// Bill writes an invoice for each of the next count orders, and commits them. The client is a member of a group that
// reads "orders". What is no order, such as "many cakes", goes to "orders.dlt".
func Bill(ctx context.Context, client *kgo.Client, count int) error {
	for billed := 0; billed < count; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		var answers []*kgo.Record
		fetches.EachRecord(func(order *kgo.Record) {
			answers = append(answers, invoice(order))
		})
		if err := client.ProduceSync(ctx, answers...).FirstErr(); err != nil {
			return err
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			return err
		}
		billed += len(answers)
	}
	return nil
}

func invoice(order *kgo.Record) *kgo.Record {
	var amount int
	var item string
	if _, err := fmt.Sscanf(string(order.Value), "%d %s", &amount, &item); err != nil {
		return &kgo.Record{Topic: "orders.dlt", Key: order.Key, Value: order.Value}
	}
	return &kgo.Record{Topic: "invoices", Key: order.Key, Value: fmt.Appendf(nil, "%s: %d cents", item, 250*amount)}
}
