// Command clients puts franz-go and sarama behind one command line, for the compatibility tests.
//
//	clients franz|sarama create BOOTSTRAP TOPIC PARTITIONS
//	    A new topic; ends when the broker names all its partitions.
//	clients franz|sarama produce BOOTSTRAP TOPIC CODEC
//	    One record a line on standard input, one outcome a line on standard output, in the order they end.
//	clients franz|sarama consume BOOTSTRAP TOPIC COUNT earliest|TIMESTAMP_MS
//	    COUNT records of all partitions, without a group.
//	clients franz|sarama member BOOTSTRAP GROUP TOPIC SESSION_TIMEOUT_MS [INSTANCE_ID]
//	    A group member until SIGTERM; says what it is assigned and what it reads, and commits what it said.
//	clients franz group BOOTSTRAP GROUP TOPIC,TOPIC SESSION_TIMEOUT_MS [TRANSACTIONAL_ID]
//	    A group member that does what it is told, a line at a time: see workInGroup.
//	clients franz|sarama admin BOOTSTRAP TOPIC GROUP TIMESTAMP_MS
//	    A round of admin calls on a topic with ten records; one JSON object of what came back.
//	clients franz|sarama logins FILE
//	    Every login of the file, each with a record that is produced and read: see goThrough.
//	clients franz|sarama send FILE
//	    Produces by the first login of the file until something comes on standard input.
//	clients franz token FILE
//	    Produces with a delegation token of its own, which it renews and expires when it is told: see liveByToken.
//	clients franz guess BOOTSTRAP
//	    Which release of Apache Kafka the broker seems to be, by the versions that it announces.
//	clients franz control BOOTSTRAP URL TOKEN
//	    Drives itself into faults by the control API; one JSON object of what it met.
//
// Lines are JSON. Keys and values are base64, a tombstone's value is null.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is far more than anything here needs: whoever waits this long has failed.
const patience = 30 * time.Second

// heartbeatInterval is how soon a member hears of a rebalance.
const heartbeatInterval = 100 * time.Millisecond

type header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

type record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

// outcome of one produced record; Error is Kafka's error code.
type outcome struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
	Error     int16 `json:"error"`
}

// adminRound is what the admin calls answered; the fields whose names end in Error are Kafka's error codes.
type adminRound struct {
	Ports              []int32  `json:"ports"`
	HasController      bool     `json:"has_controller"`
	CreateAgainError   int16    `json:"create_again_error"`
	InvalidNameError   int16    `json:"invalid_name_error"`
	DeleteUnknownError int16    `json:"delete_unknown_error"`
	Partitions         int      `json:"partitions"`
	Retention          []string `json:"retention"` // of the topic: as created, and as altered
	Earliest           int64    `json:"earliest"`
	Latest             int64    `json:"latest"`
	AtTimestamp        int64    `json:"at_timestamp"`
	EarliestAfterCut   int64    `json:"earliest_after_cut"`
	Committed          int64    `json:"committed"`
	GroupListed        bool     `json:"group_listed"`
	GroupState         string   `json:"group_state"`
	DeleteGroupAgain   int16    `json:"delete_group_again_error"`
	TopicGone          bool     `json:"topic_gone"`
}

type client interface {
	create(ctx context.Context, bootstrap, topic string, partitions int32) error
	produce(bootstrap, topic, codec string, records <-chan record, done func(outcome)) error
	consume(ctx context.Context, bootstrap, topic string, count int, from int64, each func(record)) error
	member(ctx context.Context, m membership) error
	admin(ctx context.Context, bootstrap, topic, group string, timestamp int64) (adminRound, error)
}

const earliest = int64(-2) // as ListOffsets says it

type membership struct {
	bootstrap, group, topic, instance string
	sessionTimeout                    time.Duration
}

// brokers is BOOTSTRAP as a list: host:port, several with commas between them.
func brokers(bootstrap string) []string {
	return strings.Split(bootstrap, ",")
}

var output sync.Mutex

func say(line any) {
	encoded, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(encoded, '\n'))
}

func sayAssigned(partitions []int32) {
	if partitions == nil {
		partitions = []int32{}
	}
	say(map[string][]int32{"assigned": partitions})
}

func sayValue(value []byte) {
	say(map[string]string{"value": string(value)})
}

// until calls condition until it is true: a broker may answer a change before each of its parts has seen it.
func until(what string, condition func() (bool, error)) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		done, err := condition()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("not within %s: %s", patience, what)
}

func readRecords(records chan<- record) {
	defer close(records)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		records <- r
	}
}

func run(arguments []string) error {
	if len(arguments) == 3 && arguments[0] == "franz" && arguments[1] == "guess" {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		guess, err := (franz{}).guess(ctx, arguments[2])
		if err == nil {
			say(map[string]string{"guess": guess})
		}
		return err
	}
	if len(arguments) == 5 && arguments[0] == "franz" && arguments[1] == "control" {
		found, err := driveControl(arguments[2], arguments[3], arguments[4])
		if err == nil {
			say(found)
		}
		return err
	}
	if len(arguments) == 3 && arguments[1] == "logins" {
		return goThrough(arguments[0], arguments[2])
	}
	if len(arguments) == 3 && arguments[1] == "send" {
		return sendUntilEnd(arguments[0], arguments[2])
	}
	if len(arguments) == 3 && arguments[0] == "franz" && arguments[1] == "token" {
		return liveByToken(arguments[2])
	}
	clients := map[string]client{"franz": franz{}, "franz-848": franz{serverSide: true}, "sarama": saramaClient{}}
	if len(arguments) < 5 || clients[arguments[0]] == nil {
		return fmt.Errorf("usage: clients franz|franz-848|sarama create|produce|consume|member|admin BOOTSTRAP ...")
	}
	c, bootstrap, rest := clients[arguments[0]], arguments[2], arguments[3:]
	switch arguments[1] {
	case "create":
		partitions, err := strconv.ParseInt(rest[1], 10, 32)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return c.create(ctx, bootstrap, rest[0], int32(partitions))
	case "produce":
		records := make(chan record)
		go readRecords(records)
		return c.produce(bootstrap, rest[0], rest[1], records, func(o outcome) { say(o) })
	case "consume":
		count, err := strconv.Atoi(rest[1])
		if err != nil {
			return err
		}
		from := earliest
		if rest[2] != "earliest" {
			if from, err = strconv.ParseInt(rest[2], 10, 64); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return c.consume(ctx, bootstrap, rest[0], count, from, func(r record) { say(r) })
	case "member":
		milliseconds, err := strconv.Atoi(rest[2])
		if err != nil {
			return err
		}
		m := membership{
			bootstrap: bootstrap, group: rest[0], topic: rest[1],
			sessionTimeout: time.Duration(milliseconds) * time.Millisecond,
		}
		if len(rest) > 3 {
			m.instance = rest[3]
		}
		ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer cancel()
		return c.member(ctx, m)
	case "group":
		milliseconds, err := strconv.Atoi(rest[2])
		if err != nil {
			return err
		}
		place := workplace{
			bootstrap: bootstrap, group: rest[0], topics: strings.Split(rest[1], ","),
			sessionTimeout: time.Duration(milliseconds) * time.Millisecond,
		}
		if len(rest) > 3 {
			place.transactionalID = rest[3]
		}
		return workInGroup(place)
	case "admin":
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		timestamp, err := strconv.ParseInt(rest[2], 10, 64)
		if err != nil {
			return err
		}
		round, err := c.admin(ctx, bootstrap, rest[0], rest[1], timestamp)
		if err == nil {
			say(round)
		}
		return err
	}
	return fmt.Errorf("unknown command %q", arguments[1])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
