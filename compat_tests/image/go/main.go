// The Kafka module of testcontainers-go, unmodified:  image IMAGE [DIRECTORY]
//
// Starts a container, sends three records to it and reads them as a group; prints what was read as JSON. With DIRECTORY,
// which has the certificates of `kafkapy certs`, the listener has TLS, and a user logs in who was added to the running
// broker.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/kafka"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var values = []string{"one", "two", "three"}

// What the listener of the host gets in place of PLAINTEXT.
func secured(directory string) []testcontainers.ContainerCustomizer {
	return []testcontainers.ContainerCustomizer{
		testcontainers.WithEnv(map[string]string{
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":                         "BROKER:PLAINTEXT,PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
			"KAFKA_SSL_KEYSTORE_TYPE":                                      "PEM",
			"KAFKA_SSL_KEYSTORE_LOCATION":                                  "/etc/kafka/secrets/server.pem",
			"KAFKA_LISTENER_NAME_PLAINTEXT_SASL_ENABLED_MECHANISMS":        "SCRAM-SHA-256",
			"KAFKA_LISTENER_NAME_PLAINTEXT_SCRAM-SHA-256_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		}),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			HostFilePath:      filepath.Join(directory, "server.pem"),
			ContainerFilePath: "/etc/kafka/secrets/server.pem",
			FileMode:          0o644,
		}),
	}
}

func addUser(ctx context.Context, container testcontainers.Container) error {
	exitCode, printed, err := container.Exec(ctx, []string{
		"kafka-configs", "--bootstrap-server", "localhost:9092", "--alter", "--entity-type", "users",
		"--entity-name", "alice", "--add-config", "SCRAM-SHA-256=[iterations=4096,password=alice-secret]",
	})
	if err != nil {
		return err
	}
	if exitCode != 0 {
		text, _ := io.ReadAll(printed)
		return fmt.Errorf("kafka-configs: %s", text)
	}
	return nil
}

func credentials(directory string) ([]kgo.Opt, error) {
	authority, err := os.ReadFile(filepath.Join(directory, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return []kgo.Opt{
		kgo.DialTLSConfig(&tls.Config{RootCAs: pool}),
		kgo.SASL(scram.Auth{User: "alice", Pass: "alice-secret"}.AsSha256Mechanism()),
	}, nil
}

func run(image string, directory string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	options := []testcontainers.ContainerCustomizer{kafka.WithClusterID("kraftCluster")}
	if directory != "" {
		options = append(options, secured(directory)...)
	}
	container, err := kafka.Run(ctx, image, options...)
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
	var security []kgo.Opt
	if directory != "" {
		if err := addUser(ctx, container); err != nil {
			return err
		}
		if security, err = credentials(directory); err != nil {
			return err
		}
	}
	client, err := kgo.NewClient(append(
		security,
		kgo.SeedBrokers(brokers...),
		kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("orders"),
		kgo.ConsumeTopics("orders"),
		kgo.ConsumerGroup("g"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
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
	if err := run(os.Args[1], strings.Join(os.Args[2:], "")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
