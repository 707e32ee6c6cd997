// The Kafka module of testcontainers-go, unmodified:  image IMAGE
//
// Starts a container, sends three records to it and reads them as a group; prints what was read as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/kafka"
	"github.com/twmb/franz-go/pkg/kgo"
)

var values = []string{"one", "two", "three"}

func run(image string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	container, err := kafka.Run(ctx, image, kafka.WithClusterID("kraftCluster"))
	defer func() { _ = testcontainers.TerminateContainer(container, testcontainers.StopTimeout(0)) }()
	if err != nil {
		return err
	}
	if container.ClusterID != "kraftCluster" {
		return fmt.Errorf("the cluster id is %q", container.ClusterID)
	}
	brokers, err := container.Brokers(ctx)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("orders"),
		kgo.ConsumeTopics("orders"),
		kgo.ConsumerGroup("g"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, value := range values {
		if err := client.ProduceSync(ctx, &kgo.Record{Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	var read []string
	for len(read) < len(values) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) { read = append(read, string(record.Value)) })
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"bootstrap": brokers[0], "read": read})
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
