package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// order is one line of standard input of a group worker.
type order struct {
	Do        string       `json:"do"`
	Count     int          `json:"count"`
	Offsets   []groupPlace `json:"offsets"`
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Value     string       `json:"value"`
	Commit    bool         `json:"commit"`
}

// groupPlace is [topic, partition, offset] in JSON; the offset is null where the group has committed none.
type groupPlace struct {
	topic     string
	partition int32
	offset    int64
}

func (p groupPlace) MarshalJSON() ([]byte, error) {
	if p.offset < 0 {
		return json.Marshal([]any{p.topic, p.partition, nil})
	}
	return json.Marshal([]any{p.topic, p.partition, p.offset})
}

func (p *groupPlace) UnmarshalJSON(line []byte) error {
	return json.Unmarshal(line, &[]any{&p.topic, &p.partition, &p.offset})
}

type workplace struct {
	bootstrap, group, transactionalID string
	topics                            []string
	sessionTimeout                    time.Duration
}

const pollPatience = 100 * time.Millisecond

// endPatience: franz-go retries by itself until then; an order that nobody answers longer fails the test.
const endPatience = 60 * time.Second

// groupWorker is a member of a group, with a transactional id one that transforms in transactions.
type groupWorker struct {
	place   workplace
	client  *kgo.Client
	session *kgo.GroupTransactSession
	// polling keeps what is said in order: no new offsets are told between a poll and the line that tells of it. Only
	// a session needs it. A member's rebalances are blocked from a poll to the next order to poll anyway, and then a
	// poll waits for the end of a rebalance.
	polling sync.Mutex
	// sendFailed: of this transaction. A session commits what has arrived, unless it is told that something has not.
	sendFailed atomic.Bool
}

// workInGroup does what the lines of standard input say, until they end.
//
//	{"do": "poll", "count": N}              {"polled": [[topic, partition, offset, value], ...]}
//	{"do": "commit", "offsets": [...]}      {"done": true} or {"failed": "why"}
//	{"do": "begin"}                         {"done": true} or {"failed": "why"}
//	{"do": "send", "topic": T, "partition": P, "value": V}
//	    no answer; {"sent": V, "partition": P, "offset": O} or {"sent": V, "error": "why"} comes until the end is answered
//	{"do": "end", "commit": true|false}     {"committed": true|false} or {"failed": "why"}: then a restart has to follow
//	{"do": "restart"}                       {"done": true}: another client, as if the process had been killed
//
// In between it says {"revoked": true} when partitions went and {"resumed": [[topic, partition, offset or null], ...]}
// when it goes on from offsets that the group has committed.
func workInGroup(place workplace) error {
	worker := &groupWorker{place: place}
	if err := worker.open(); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var next order
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		if err := worker.obey(next); err != nil {
			return err
		}
	}
	worker.client.CloseAllowingRebalance()
	return nil
}

func (w *groupWorker) obey(next order) error {
	switch next.Do {
	case "poll":
		w.poll(next.Count)
	case "commit":
		sayDone(w.commit(next.Offsets))
	case "begin":
		w.sendFailed.Store(false)
		sayDone(w.session.Begin())
	case "send":
		w.send(next)
	case "end":
		w.end(next.Commit)
	case "restart":
		w.client.CloseAllowingRebalance()
		if err := w.open(); err != nil {
			return err
		}
		sayDone(nil)
	default:
		return fmt.Errorf("unknown order %q", next.Do)
	}
	return nil
}

func sayDone(err error) {
	if err != nil {
		say(map[string]string{"failed": err.Error()})
	} else {
		say(map[string]bool{"done": true})
	}
}

func (w *groupWorker) open() error {
	revoked := func(context.Context, *kgo.Client, map[string][]int32) {
		defer w.inOrder()()
		say(map[string]bool{"revoked": true})
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(brokers(w.place.bootstrap)...), kgo.DialTLSConfig(security()), kgo.SASL(franzLogin()...), franzMetadata,
		kgo.ConsumerGroup(w.place.group), kgo.ConsumeTopics(w.place.topics...),
		kgo.SessionTimeout(w.place.sessionTimeout), kgo.HeartbeatInterval(heartbeatInterval),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100 * time.Millisecond),
		// The balancer that the members of librdkafka have as well.
		kgo.Balancers(kgo.RangeBalancer()), kgo.AdjustFetchOffsetsFn(w.resumed),
		kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(revoked),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.RequestRetries(math.MaxInt32), kgo.RetryTimeout(endPatience), // by default it gives up after a second
	}
	var err error
	if w.place.transactionalID == "" {
		// Who commits what it has polled must still have the partitions.
		w.client, err = kgo.NewClient(append(options, kgo.BlockRebalanceOnPoll())...)
		return err
	}
	options = append(options, kgo.TransactionalID(w.place.transactionalID), kgo.TransactionTimeout(30*time.Second))
	if w.session, err = kgo.NewGroupTransactSession(options...); err == nil {
		w.client = w.session.Client()
	}
	return err
}

// inOrder locks polling where that is needed, and returns what unlocks it.
func (w *groupWorker) inOrder() func() {
	if w.place.transactionalID == "" {
		return func() {}
	}
	w.polling.Lock()
	return w.polling.Unlock
}

func (w *groupWorker) resumed(
	_ context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	defer w.inOrder()()
	places := []groupPlace{}
	for topic, partitions := range offsets {
		for partition, offset := range partitions {
			places = append(places, groupPlace{topic, partition, offset.EpochOffset().Offset})
		}
	}
	say(map[string][]groupPlace{"resumed": places})
	return offsets, nil
}

func (w *groupWorker) poll(count int) {
	ctx, cancel := context.WithTimeout(context.Background(), pollPatience)
	defer cancel()
	if w.session == nil {
		w.client.AllowRebalance()
	}
	defer w.inOrder()()
	records := [][]any{}
	w.client.PollRecords(ctx, count).EachRecord(func(r *kgo.Record) {
		records = append(records, []any{r.Topic, r.Partition, r.Offset, string(r.Value)})
	})
	say(map[string][][]any{"polled": records})
}

func (w *groupWorker) commit(places []groupPlace) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, place := range places {
		if offsets[place.topic] == nil {
			offsets[place.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[place.topic][place.partition] = kgo.EpochOffset{Epoch: -1, Offset: place.offset}
	}
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	var failed error
	w.client.CommitOffsetsSync(ctx, offsets, func(
		_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error,
	) {
		if failed = err; err != nil {
			return
		}
		for _, topic := range answer.Topics {
			for _, partition := range topic.Partitions {
				failed = errors.Join(failed, kerr.ErrorForCode(partition.ErrorCode))
			}
		}
	})
	return failed
}

func (w *groupWorker) send(next order) {
	record := &kgo.Record{Topic: next.Topic, Partition: next.Partition, Value: []byte(next.Value)}
	w.session.Produce(context.Background(), record, func(r *kgo.Record, err error) {
		if err != nil {
			w.sendFailed.Store(true)
			say(map[string]any{"sent": next.Value, "error": err.Error()})
		} else {
			say(map[string]any{"sent": next.Value, "partition": r.Partition, "offset": r.Offset})
		}
	})
}

func (w *groupWorker) end(commit bool) {
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	err := w.client.Flush(ctx)
	committed := false
	if err == nil {
		committed, err = w.session.End(ctx, kgo.TransactionEndTry(commit && !w.sendFailed.Load()))
	}
	if err == nil && ctx.Err() != nil {
		err = errors.New("the end of the transaction took longer than its time")
	}
	if err != nil {
		say(map[string]string{"failed": err.Error()})
		return
	}
	if !committed {
		w.sayWhereItStands()
	}
	say(map[string]bool{"committed": committed})
}

// sayWhereItStands: a session that did not commit has gone back to what is committed, or to the beginning.
func (w *groupWorker) sayWhereItStands() {
	places := []groupPlace{}
	for topic, partitions := range w.client.CommittedOffsets() {
		for partition, offset := range partitions {
			if offset.Offset == 0 {
				offset.Offset = -1 // that is how franz-go keeps that nothing is committed: nobody here commits zero
			}
			places = append(places, groupPlace{topic, partition, offset.Offset})
		}
	}
	say(map[string][]groupPlace{"resumed": places})
}
