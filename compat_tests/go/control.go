package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafkapy/compat_tests/go/kafkapycontrol"
)

// What drives franz-go into faults by the control API, as a test of somebody who has copied its client.
type drive struct {
	bootstrap string
	control   *kafkapycontrol.Client
	producer  *kgo.Client
}

type refusal struct {
	Status  int    `json:"status"`
	Kind    string `json:"kind"`
	Field   string `json:"field"`
	Nearest string `json:"nearest"`
	Code    int    `json:"code"`
}

type driven struct {
	Refusals   []refusal  `json:"refusals"`
	Matched    int        `json:"matched"` // requests, by the fault that a produce met
	Fired      int        `json:"fired"`
	Answers    [][]string `json:"answers"`    // the errors of each answer to a produce, as the events have them
	WhileHeld  []string   `json:"while_held"` // values that were there while a produce was held
	Released   int        `json:"released"`
	Faults     int        `json:"faults"`    // when all were removed
	PassedMS   int64      `json:"passed_ms"` // between two records, by the broker's clock
	IsFrozen   []bool     `json:"is_frozen"`
	Jumped     bool       `json:"jumped"` // and not back
	Killed     int        `json:"killed"`
	NotReady   []int      `json:"not_ready"` // nodes, by the health check
	NotRunning []int      `json:"not_running"`
	Values     []string   `json:"values"`
	Unfired    int        `json:"unfired"`
	Added      int        `json:"added"` // a node, and its rack
	Racks      []string   `json:"racks"`
	Nodes      int        `json:"nodes"` // when it was removed
}

func driveControl(bootstrap, url, token string) (found driven, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := drive{bootstrap: bootstrap, control: kafkapycontrol.New(url, token)}
	if err := d.control.WaitUntilReady(ctx); err != nil {
		return found, err
	}
	if !d.control.Live(ctx) {
		return found, errors.New("it is ready and does not live")
	}
	if err := d.control.Reset(ctx); err != nil {
		return found, err
	}
	d.producer, err = kgo.NewClient(
		kgo.SeedBrokers(brokers(bootstrap)...), franzMetadata, kgo.ClientID("driven"),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
	)
	if err != nil {
		return found, err
	}
	defer d.producer.Close()
	for _, step := range []func(context.Context, *driven) error{
		func(ctx context.Context, found *driven) error { return d.meetRefusals(ctx, found, url) },
		d.meetAnError, d.meetABarrier, d.meetTheClock, d.meetAKilledNode,
	} {
		if err := step(ctx, &found); err != nil {
			return found, err
		}
	}
	unfired, err := d.control.UnfiredFaults(ctx)
	found.Unfired = len(unfired)
	return found, err
}

func (d drive) meetRefusals(ctx context.Context, found *driven, url string) error {
	stranger := kafkapycontrol.New(url, "a guess")
	_, typo := d.control.AddFault(ctx, kafkapycontrol.Args{"api": "Produce", "topik": "orders", "disconnect": "before"})
	topic := kafkapycontrol.Args{"name": "orders", "partitions": 1, "replicas": 3}
	if err := d.control.Call(ctx, "create_topic", topic, nil); err != nil {
		return err
	}
	for _, each := range []struct{ got, want error }{
		{stranger.Reset(ctx), kafkapycontrol.ErrNotAuthorized},
		{typo, kafkapycontrol.ErrInvalidArgument},
		{d.control.Call(ctx, "topic", kafkapycontrol.Args{"name": "payments"}, nil), kafkapycontrol.ErrNotFound},
		{d.control.Call(ctx, "create_topic", topic, nil), kafkapycontrol.ErrRefusedByKafka},
		{
			d.control.Call(ctx, "wait_for_records", kafkapycontrol.Args{"topic": "orders", "timeout": 0.01}, nil),
			kafkapycontrol.ErrNotYet,
		},
	} {
		var refused *kafkapycontrol.Error
		if !errors.Is(each.got, each.want) || !errors.As(each.got, &refused) {
			return fmt.Errorf("not %w: %w", each.want, each.got)
		}
		found.Refusals = append(found.Refusals, refusal{
			refused.Status, refused.Kind, refused.Field, refused.Nearest, refused.Code,
		})
	}
	return nil
}

func (d drive) send(ctx context.Context, topic, value string) error {
	return d.producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

func (d drive) meetAnError(ctx context.Context, found *driven) error {
	events, err := d.control.Events(ctx)
	if err != nil {
		return err
	}
	defer events.Close()
	fault, err := d.control.AddFault(ctx, kafkapycontrol.Args{
		"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1, "must_fire": true,
	})
	if err != nil {
		return err
	}
	if err := d.send(ctx, "orders", "tried again"); err != nil {
		return err
	}
	state, err := fault.Wait(ctx, 1, 0, patience)
	if err != nil {
		return err
	}
	found.Matched, found.Fired = state.Matched, state.Fired
	for len(found.Answers) < 2 {
		event, err := events.Next()
		if err != nil {
			return err
		}
		var exchange struct {
			API, ClientID string
			Errors        []string
		}
		if err := json.Unmarshal(event.Data, &exchange); err != nil {
			return err
		}
		if event.Name == "exchange" && exchange.API == "Produce" && exchange.ClientID == "driven" {
			found.Answers = append(found.Answers, exchange.Errors)
		}
	}
	return fault.Remove(ctx)
}

func (d drive) meetABarrier(ctx context.Context, found *driven) error {
	fault, err := d.control.AddFault(ctx, kafkapycontrol.Args{"api": "Produce", "hold": "before"})
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- d.send(ctx, "orders", "held") }()
	if _, err := fault.Wait(ctx, 1, 1, patience); err != nil {
		return err
	}
	if found.WhileHeld, err = d.values(ctx); err != nil {
		return err
	}
	if found.Released, err = fault.Release(ctx); err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	if err := d.control.ClearFaults(ctx); err != nil {
		return err
	}
	faults, err := d.control.Faults(ctx)
	found.Faults = len(faults)
	return err
}

func (d drive) values(ctx context.Context) ([]string, error) {
	var records []struct{ Value kafkapycontrol.Bytes }
	err := d.control.Call(ctx, "records", kafkapycontrol.Args{"topic": "orders"}, &records)
	values := make([]string, len(records))
	for i, record := range records {
		values[i] = string(record.Value)
	}
	return values, err
}

func (d drive) meetTheClock(ctx context.Context, found *driven) error {
	frozen, err := d.control.FreezeTime(ctx)
	if err != nil {
		return err
	}
	jumped, err := d.control.JumpTime(ctx)
	if err != nil {
		return err
	}
	found.Jumped = jumped.IsFrozen && jumped.NowMS >= frozen.NowMS
	topic := kafkapycontrol.Args{
		"name": "dated", "partitions": 1,
		"settings": map[string]string{"message.timestamp.type": "LogAppendTime"},
	}
	if err := d.control.Call(ctx, "create_topic", topic, nil); err != nil {
		return err
	}
	if err := d.send(ctx, "dated", "early"); err != nil {
		return err
	}
	if _, err := d.control.AdvanceTime(ctx, time.Hour); err != nil {
		return err
	}
	if err := d.send(ctx, "dated", "late"); err != nil {
		return err
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(brokers(d.bootstrap)...), kgo.ConsumeTopics("dated"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer consumer.Close()
	var times []int64
	for len(times) < 2 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) { times = append(times, r.Timestamp.UnixMilli()) })
	}
	found.PassedMS = times[1] - times[0]
	if _, err := d.control.ReleaseTime(ctx); err != nil {
		return err
	}
	released, err := d.control.Time(ctx)
	found.IsFrozen = []bool{frozen.IsFrozen, released.IsFrozen}
	return err
}

func (d drive) meetAKilledNode(ctx context.Context, found *driven) error {
	var topic struct {
		Partitions []struct{ Leader int }
	}
	if err := d.control.Call(ctx, "topic", kafkapycontrol.Args{"name": "orders"}, &topic); err != nil {
		return err
	}
	found.Killed = topic.Partitions[0].Leader
	if err := d.control.KillNode(ctx, found.Killed); err != nil {
		return err
	}
	if err := d.send(ctx, "orders", "by another leader"); err != nil {
		return err
	}
	ready, err := d.control.Ready(ctx)
	if err != nil {
		return err
	}
	found.NotReady = ready.NotRunning
	nodes, err := d.control.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if !node.IsRunning {
			found.NotRunning = append(found.NotRunning, node.ID)
		}
	}
	if found.Values, err = d.values(ctx); err != nil {
		return err
	}
	if err := d.control.StartNode(ctx, found.Killed); err != nil {
		return err
	}
	if err := d.control.WaitUntilReady(ctx); err != nil {
		return err
	}
	return d.meetAnotherNode(ctx, found)
}

func (d drive) meetAnotherNode(ctx context.Context, found *driven) (err error) {
	if found.Added, err = d.control.AddNode(ctx, "east"); err != nil {
		return err
	}
	nodes, err := d.control.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if node.ID == found.Added {
			found.Racks = append(found.Racks, node.Rack)
		}
	}
	if err := d.control.RemoveNode(ctx, found.Added); err != nil {
		return err
	}
	nodes, err = d.control.Nodes(ctx)
	found.Nodes = len(nodes)
	return err
}
