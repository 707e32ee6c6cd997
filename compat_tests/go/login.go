package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// logIn logs in with a client, produces one record to a topic that exists and prints what is read back. `secret` is the
// password, or for OAUTHBEARER the token.
func logIn(client, bootstrap, topic, mechanism, user, secret string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if client == "sarama" {
		return saramaLogIn(bootstrap, topic, mechanism, user, secret)
	}
	var chosen sasl.Mechanism
	switch mechanism {
	case "PLAIN":
		chosen = plain.Auth{User: user, Pass: secret}.AsMechanism()
	case "SCRAM-SHA-256":
		chosen = scram.Auth{User: user, Pass: secret}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		chosen = scram.Auth{User: user, Pass: secret}.AsSha512Mechanism()
	default:
		chosen = oauth.Auth{Token: secret}.AsMechanism()
	}
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers(bootstrap)...), kgo.SASL(chosen), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RetryTimeout(5*time.Second),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.Ping(ctx); err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("franz " + user)}).FirstErr(); err != nil {
		return err
	}
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, each := range fetches.Records() {
			if string(each.Value) == "franz "+user {
				fmt.Println(string(each.Value))
				return nil
			}
		}
	}
}

type fixedToken string

func (t fixedToken) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(t)}, nil
}

// saramaLogIn has no SCRAM: sarama leaves that to another package.
func saramaLogIn(bootstrap, topic, mechanism, user, secret string) error {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Metadata.Retry.Max = 1
	config.Net.SASL.Enable = true
	config.Net.SASL.Version = sarama.SASLHandshakeV1
	config.Net.SASL.Mechanism = sarama.SASLMechanism(mechanism)
	config.Net.SASL.User, config.Net.SASL.Password = user, secret
	if mechanism == "OAUTHBEARER" {
		config.Net.SASL.TokenProvider = fixedToken(secret)
	}
	producer, err := sarama.NewSyncProducer(brokers(bootstrap), config)
	if err != nil {
		return err
	}
	defer producer.Close()
	_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("sarama")})
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer(brokers(bootstrap), config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, offset)
	if err != nil {
		return err
	}
	defer partition.Close()
	fmt.Println(string((<-partition.Messages()).Value))
	return nil
}
