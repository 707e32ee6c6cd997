package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

type saramaClient struct{}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.Retry.Max = 600 // a restart of the broker is to be outlived
	config.Metadata.Retry.Backoff = 50 * time.Millisecond
	config.Net.TLS.Config = security()
	config.Net.TLS.Enable = config.Net.TLS.Config != nil
	return config
}

func (saramaClient) create(_ context.Context, bootstrap, topic string, partitions int32) error {
	admin, err := sarama.NewClusterAdmin(brokers(bootstrap), saramaConfig())
	if err != nil {
		return err
	}
	defer admin.Close()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}
	if err := admin.CreateTopic(topic, detail, false); err != nil {
		return err
	}
	return until("created", func() (bool, error) {
		topics, err := admin.DescribeTopics([]string{topic})
		return err == nil && len(topics[0].Partitions) == int(partitions), err
	})
}

func (saramaClient) produce(bootstrap, topic, codec string, records <-chan record, done func(outcome)) error {
	config := saramaConfig()
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Net.MaxOpenRequests = 1
	config.Producer.Retry.Max = 600
	config.Producer.Retry.Backoff = 50 * time.Millisecond
	config.Producer.Return.Successes = true
	config.Producer.MaxMessageBytes = 16 << 20
	config.Producer.Partitioner = sarama.NewManualPartitioner
	if err := config.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return err
	}
	producer, err := sarama.NewAsyncProducer(brokers(bootstrap), config)
	if err != nil {
		return err
	}
	sent := make(chan int, 1)
	go func() {
		count := 0
		for r := range records {
			message := &sarama.ProducerMessage{
				Topic: topic, Partition: r.Partition, Timestamp: time.UnixMilli(r.Timestamp),
			}
			if r.Key != nil {
				message.Key = sarama.ByteEncoder(r.Key)
			}
			if r.Value != nil {
				message.Value = sarama.ByteEncoder(r.Value)
			}
			for _, h := range r.Headers {
				message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
			}
			producer.Input() <- message
			count++
		}
		sent <- count
	}()
	var unknown error
	// Closed only when all is answered: a closing sarama gives up what it would have sent again.
	for ended, total := 0, -1; ended != total; {
		select {
		case total = <-sent:
		case m := <-producer.Successes():
			ended++
			done(outcome{Partition: m.Partition, Offset: m.Offset})
		case failed := <-producer.Errors():
			ended++
			code, ok := saramaCode(failed.Err)
			if !ok && unknown == nil {
				unknown = failed.Err
			}
			done(outcome{Partition: failed.Msg.Partition, Offset: -1, Error: code})
		}
	}
	return errors.Join(unknown, producer.Close())
}

// saramaCode is the error code that Kafka answered; false: err is something else.
func saramaCode(err error) (int16, bool) {
	var code sarama.KError
	if err == nil || errors.As(err, &code) {
		return int16(code), true
	}
	return -1, false
}

func (saramaClient) consume(
	ctx context.Context, bootstrap, topic string, count int, from int64, each func(record),
) error {
	config := saramaConfig()
	config.Consumer.Return.Errors = true
	cl, err := sarama.NewClient(brokers(bootstrap), config)
	if err != nil {
		return err
	}
	defer cl.Close()
	consumer, err := sarama.NewConsumerFromClient(cl)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partitions, err := cl.Partitions(topic)
	if err != nil {
		return err
	}
	messages, failures := make(chan *sarama.ConsumerMessage), make(chan error)
	for _, partition := range partitions {
		offset, err := cl.GetOffset(topic, partition, from)
		if err != nil {
			return err
		}
		if offset < 0 { // nothing that late
			offset = sarama.OffsetNewest
		}
		reader, err := consumer.ConsumePartition(topic, partition, offset)
		if err != nil {
			return err
		}
		go func() {
			for m := range reader.Messages() {
				messages <- m
			}
		}()
		go func() {
			for failed := range reader.Errors() {
				failures <- failed
			}
		}()
	}
	for ; count > 0; count-- {
		select {
		case m := <-messages:
			in := record{
				Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(),
				Key: m.Key, Value: m.Value, Headers: []header{},
			}
			for _, h := range m.Headers {
				in.Headers = append(in.Headers, header{Key: string(h.Key), Value: h.Value})
			}
			each(in)
		case failed := <-failures:
			return failed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// saramaMember is sarama's callbacks for one member.
type saramaMember struct{ topic string }

func (m saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	assigned := session.Claims()[m.topic]
	slices.Sort(assigned)
	sayAssigned(assigned)
	return nil
}

func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	sayAssigned(nil)
	return nil
}

func (saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			sayValue(message.Value)
			session.MarkMessage(message, "")
			session.Commit()
		case <-session.Context().Done():
			return nil
		}
	}
}

func (saramaClient) member(ctx context.Context, m membership) error {
	config := saramaConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = m.sessionTimeout
	config.Consumer.Group.Heartbeat.Interval = heartbeatInterval
	config.Consumer.Group.InstanceId = m.instance
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	group, err := sarama.NewConsumerGroup(brokers(m.bootstrap), m.group, config)
	if err != nil {
		return err
	}
	defer group.Close()
	for ctx.Err() == nil {
		// Returns at each rebalance.
		if err := group.Consume(ctx, []string{m.topic}, saramaMember{m.topic}); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (saramaClient) admin(
	_ context.Context, bootstrap, topic, group string, timestamp int64,
) (round adminRound, err error) {
	cl, err := sarama.NewClient(brokers(bootstrap), saramaConfig())
	if err != nil {
		return round, err
	}
	admin, err := sarama.NewClusterAdminFromClient(cl)
	if err != nil {
		return round, err
	}
	defer admin.Close()
	check := func(step string, err error) {
		if err != nil {
			panic(fmt.Errorf("%s: %w", step, err))
		}
	}
	defer func() {
		if failed, ok := recover().(error); ok {
			err = failed
		}
	}()
	code := func(err error) int16 {
		answered, ok := saramaCode(err)
		if !ok {
			check("an error code", err)
		}
		return answered
	}

	brokers, controller, err := admin.DescribeCluster()
	check("describe cluster", err)
	for _, broker := range brokers {
		port, err := strconv.Atoi(broker.Addr()[strings.LastIndex(broker.Addr(), ":")+1:])
		check("port", err)
		round.Ports = append(round.Ports, int32(port))
	}
	round.HasController = controller >= 0

	made, created, altered := topic+"-made", "60000", "120000"
	detail := &sarama.TopicDetail{
		NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &created},
	}
	check("create", admin.CreateTopic(made, detail, false))
	round.CreateAgainError = code(topicError(admin.CreateTopic(made, detail, false)))
	round.InvalidNameError = code(topicError(admin.CreateTopic("not a name!", detail, false)))
	round.DeleteUnknownError = code(admin.DeleteTopic(topic + "-unknown"))
	partitions := func() int {
		topics, err := admin.DescribeTopics([]string{made})
		check("describe topic", err)
		return len(topics[0].Partitions)
	}
	check("created", until("created", func() (bool, error) { return partitions() == 2, nil }))
	check("more partitions", admin.CreatePartitions(made, 4, nil, false))
	check("four partitions", until("four partitions", func() (bool, error) { return partitions() == 4, nil }))
	round.Partitions = partitions()
	retention := func() string {
		described, err := admin.DescribeConfigs([]*sarama.ConfigResource{
			{Type: sarama.TopicResource, Name: made, ConfigNames: []string{"retention.ms"}},
		}, sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true})
		check("describe config", err)
		return described[0].Configs[0].Value
	}
	round.Retention = append(round.Retention, retention())
	check("alter config", admin.IncrementalAlterConfig(sarama.TopicResource, made,
		map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &altered},
		}, false))
	check("altered", until("altered", func() (bool, error) { return retention() != created, nil }))
	round.Retention = append(round.Retention, retention())
	check("delete topic", admin.DeleteTopic(made))
	check("deleted", until("deleted", func() (bool, error) { return partitions() == 0, nil }))
	round.TopicGone = true

	offset := func(timestamp int64) int64 {
		found, err := cl.GetOffset(topic, 0, timestamp)
		check("list offsets", err)
		return found
	}
	round.Earliest = offset(sarama.OffsetOldest)
	round.Latest = offset(sarama.OffsetNewest)
	round.AtTimestamp = offset(timestamp)
	check("delete records", admin.DeleteRecords(topic, map[int32]int64{0: 3}))
	round.EarliestAfterCut = offset(sarama.OffsetOldest)

	committed, err := admin.AlterConsumerGroupOffsets(group,
		map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: 5, LeaderEpoch: -1}}}, nil)
	check("commit", err)
	if answered := committed.Errors[topic][0]; answered != sarama.ErrNoError {
		check("commit", answered)
	}
	fetched, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	check("fetch offsets", err)
	round.Committed = fetched.GetBlock(topic, 0).Offset
	groups, err := admin.ListConsumerGroups()
	check("list groups", err)
	_, round.GroupListed = groups[group]
	described, err := admin.DescribeConsumerGroups([]string{group})
	check("describe group", err)
	round.GroupState = described[0].State
	check("delete group", admin.DeleteConsumerGroup(group))
	round.DeleteGroupAgain = code(admin.DeleteConsumerGroup(group))
	return round, nil
}

// topicError is the plain code of what CreateTopic wraps with its message.
func topicError(err error) error {
	var wrapped *sarama.TopicError
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
