package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz is franz-go; serverSide: with the consumer protocol of KIP-848.
type franz struct{ serverSide bool }

// franzMetadata: a new topic is looked for again at once, where five seconds is the default.
var franzMetadata = kgo.MetadataMinAge(20 * time.Millisecond)

func (franz) create(ctx context.Context, bootstrap, topic string, partitions int32) error {
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(brokers(bootstrap)...), kgo.DialTLSConfig(security()), franzMetadata)
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, err := cl.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		return err
	}
	return until("created", func() (bool, error) {
		topics, err := cl.ListTopics(ctx, topic)
		return len(topics[topic].Partitions) == int(partitions), err
	})
}

func (franz) guess(ctx context.Context, bootstrap string) (string, error) {
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(brokers(bootstrap)...), kgo.DialTLSConfig(security()))
	if err != nil {
		return "", err
	}
	defer cl.Close()
	versions, err := cl.ApiVersions(ctx)
	if err != nil {
		return "", err
	}
	for _, each := range versions.Sorted() {
		return each.VersionGuess(), each.Err
	}
	return "", errors.New("no broker has answered")
}

func (franz) produce(bootstrap, topic, codec string, records <-chan record, done func(outcome)) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	// Idempotent: that is what franz-go is by default.
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers(bootstrap)...), kgo.DialTLSConfig(security()), kgo.SASL(franzLogin()...), franzMetadata, kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerLinger(2*time.Millisecond), kgo.MaxBufferedRecords(1<<20),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.RetryTimeout(patience),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	var unknown atomic.Pointer[error]
	for r := range records {
		out := &kgo.Record{
			Partition: r.Partition, Timestamp: time.UnixMilli(r.Timestamp), Key: r.Key, Value: r.Value,
		}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		cl.Produce(context.Background(), out, func(produced *kgo.Record, err error) {
			code, ok := franzCode(err)
			if !ok {
				unknown.CompareAndSwap(nil, &err)
			}
			done(outcome{Partition: produced.Partition, Offset: produced.Offset, Error: code})
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := unknown.Load(); err != nil {
		return *err
	}
	return nil
}

// franzCode is the error code that Kafka answered; false: err is something else.
func franzCode(err error) (int16, bool) {
	if err == nil {
		return 0, true
	}
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Code, true
	}
	return -1, false
}

func (franz) consume(
	ctx context.Context, bootstrap, topic string, count int, from int64, each func(record),
) error {
	offset := kgo.NewOffset().AtStart()
	if from != earliest {
		offset = kgo.NewOffset().AfterMilli(from)
	}
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers(bootstrap)...), kgo.DialTLSConfig(security()), franzMetadata, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(offset),
		kgo.KeepControlRecords(), // so that one we should not have written is seen
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for count > 0 {
		fetches := cl.PollRecords(ctx, count)
		if errs := fetches.Errors(); len(errs) > 0 {
			return errs[0].Err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			in := record{
				Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
				Key: r.Key, Value: r.Value, Headers: []header{},
			}
			for _, h := range r.Headers {
				in.Headers = append(in.Headers, header{Key: h.Key, Value: h.Value})
			}
			each(in)
			count--
		})
	}
	return nil
}

func (f franz) member(ctx context.Context, m membership) error {
	var (
		mutex    sync.Mutex
		assigned []int32
	)
	change := func(lost bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			mutex.Lock()
			defer mutex.Unlock()
			if lost {
				assigned = slices.DeleteFunc(assigned, func(p int32) bool {
					return slices.Contains(partitions[m.topic], p)
				})
			} else {
				assigned = append(assigned, partitions[m.topic]...)
			}
			slices.Sort(assigned)
			sayAssigned(assigned)
		}
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(brokers(m.bootstrap)...), franzMetadata, kgo.ConsumerGroup(m.group), kgo.ConsumeTopics(m.topic),
		kgo.SessionTimeout(m.sessionTimeout), kgo.HeartbeatInterval(heartbeatInterval),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(change(false)), kgo.OnPartitionsRevoked(change(true)),
		kgo.OnPartitionsLost(change(true)),
	}
	if f.serverSide {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	}
	if m.instance != "" {
		// An eager balancer takes all partitions away at a rebalance: nobody can overlook that there was one.
		options = append(options, kgo.InstanceID(m.instance), kgo.Balancers(kgo.RangeBalancer()))
	}
	cl, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachRecord(func(r *kgo.Record) { sayValue(r.Value) })
		if err := cl.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
			// A commit that a rebalance overtook: the next owner reads those records again. Or nobody has answered at
			// the coordinator's address for 4 s, and franz-go gives up; the next commit has these offsets, too.
			var known *kerr.Error
			var refused *net.OpError
			if !errors.As(err, &known) && !(errors.As(err, &refused) && refused.Op == "dial") {
				return err
			}
		}
	}
	return nil
}

func (franz) admin(
	ctx context.Context, bootstrap, topic, group string, timestamp int64,
) (round adminRound, err error) {
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(brokers(bootstrap)...), kgo.DialTLSConfig(security()), franzMetadata)
	if err != nil {
		return round, err
	}
	defer cl.Close()
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
		answered, ok := franzCode(err)
		if !ok {
			check("an error code", err)
		}
		return answered
	}

	cluster, err := cl.BrokerMetadata(ctx)
	check("metadata", err)
	for _, broker := range cluster.Brokers {
		round.Ports = append(round.Ports, broker.Port)
	}
	round.HasController = cluster.Controller >= 0

	made, created, altered := topic+"-made", "60000", "120000"
	config := map[string]*string{"retention.ms": &created}
	_, err = cl.CreateTopic(ctx, 2, 1, config, made)
	check("create", err)
	_, err = cl.CreateTopic(ctx, 2, 1, nil, made)
	round.CreateAgainError = code(err)
	_, err = cl.CreateTopic(ctx, 2, 1, nil, "not a name!")
	round.InvalidNameError = code(err)
	_, err = cl.DeleteTopic(ctx, topic+"-unknown")
	round.DeleteUnknownError = code(err)
	partitions := func() int {
		topics, err := cl.ListTopics(ctx, made)
		check("list topics", err)
		return len(topics[made].Partitions)
	}
	check("created", until("created", func() (bool, error) { return partitions() == 2, nil }))
	more, err := cl.UpdatePartitions(ctx, 4, made)
	check("more partitions", err)
	check("more partitions", more[made].Err)
	check("four partitions", until("four partitions", func() (bool, error) { return partitions() == 4, nil }))
	round.Partitions = partitions()
	retention := func() string {
		described, err := cl.DescribeTopicConfigs(ctx, made)
		check("describe config", err)
		for _, c := range described[0].Configs {
			if c.Key == "retention.ms" {
				return c.MaybeValue()
			}
		}
		return "(not described)"
	}
	round.Retention = append(round.Retention, retention())
	changes, err := cl.AlterTopicConfigs(
		ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &altered}}, made)
	check("alter config", err)
	check("alter config", changes[0].Err)
	check("altered", until("altered", func() (bool, error) { return retention() != created, nil }))
	round.Retention = append(round.Retention, retention())
	_, err = cl.DeleteTopic(ctx, made)
	check("delete topic", err)
	check("deleted", until("deleted", func() (bool, error) { return partitions() == 0, nil }))
	round.TopicGone = true

	offset := func(listed kadm.ListedOffsets, err error) int64 {
		check("list offsets", err)
		check("list offsets", listed.Error())
		return listed[topic][0].Offset
	}
	round.Earliest = offset(cl.ListStartOffsets(ctx, topic))
	round.Latest = offset(cl.ListEndOffsets(ctx, topic))
	round.AtTimestamp = offset(cl.ListOffsetsAfterMilli(ctx, timestamp, topic))
	cut := kadm.Offsets{}
	cut.AddOffset(topic, 0, 3, -1)
	_, err = cl.DeleteRecords(ctx, cut)
	check("delete records", err)
	round.EarliestAfterCut = offset(cl.ListStartOffsets(ctx, topic))

	commit := kadm.Offsets{}
	commit.AddOffset(topic, 0, 5, -1)
	check("commit", cl.CommitAllOffsets(ctx, group, commit))
	fetched, err := cl.FetchOffsets(ctx, group)
	check("fetch offsets", err)
	round.Committed = fetched[topic][0].At
	groups, err := cl.ListGroups(ctx)
	check("list groups", err)
	_, round.GroupListed = groups[group]
	described, err := cl.DescribeGroups(ctx, group)
	check("describe group", err)
	round.GroupState = described[group].State
	_, err = cl.DeleteGroup(ctx, group)
	check("delete group", err)
	_, err = cl.DeleteGroup(ctx, group)
	round.DeleteGroupAgain = code(err)
	return round, nil
}
