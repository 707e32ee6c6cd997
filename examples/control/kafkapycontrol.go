// Package kafkapycontrol is a client of kafkapy's control API: copy this file into your project. It needs Go 1.21 or
// newer and no other package.
//
//	control := kafkapycontrol.New("http://127.0.0.1:9090", "")
//	fault, err := control.AddFault(ctx, kafkapycontrol.Args{
//		"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1,
//	})
//	...                                                        // what you test produces to orders
//	state, err := fault.Wait(ctx, 1, 0, 10*time.Second)
//	err = control.Reset(ctx)
//
// Every operation of docs/control-api.md is Call(ctx, name, arguments, &result); the methods are the same with less to
// write. How long an answer may take is said by the context.
package kafkapycontrol

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Args are the arguments of an operation, or the fields of a rule, by name.
type Args map[string]any

// Error is what the API answers when it refuses something. errors.Is(err, ErrNotFound) and its like tell kinds apart.
type Error struct {
	Status  int    `json:"-"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Field   string `json:"field"`   // the argument that is wrong, if one is
	Reason  string `json:"reason"`  // what is wrong with it
	Nearest string `json:"nearest"` // what was probably meant
	Code    int    `json:"code"`    // Kafka's error code, if Kafka refuses it
}

// Kinds of Error, for errors.Is.
var (
	ErrInvalidArgument = errors.New("an argument is wrong, nothing was done")   // 400
	ErrNotAuthorized   = errors.New("the token is missing or wrong")            // 401, 403
	ErrNotFound        = errors.New("no such operation, topic, group or node")  // 404
	ErrRefusedByKafka  = errors.New("Kafka refuses it")                         // 409
	ErrNotYet          = errors.New("what was waited for has not come in time") // 504
)

var errorsByStatus = map[int]error{
	http.StatusBadRequest: ErrInvalidArgument, http.StatusUnauthorized: ErrNotAuthorized,
	http.StatusForbidden: ErrNotAuthorized, http.StatusNotFound: ErrNotFound,
	http.StatusConflict: ErrRefusedByKafka, http.StatusGatewayTimeout: ErrNotYet,
}

func (e *Error) Error() string { return e.Kind + ": " + e.Message }

// Unwrap is one of the kinds, or nil.
func (e *Error) Unwrap() error { return errorsByStatus[e.Status] }

// Client asks one control API. It may be used by several goroutines.
type Client struct {
	url, token string
	http       *http.Client
}

// New is a client of the API at a URL, as kafkapy prints it when it starts. The token is the value of its
// KAFKAPY_CONTROL_TOKEN, or "".
func New(url, token string) *Client {
	return &Client{url: strings.TrimRight(url, "/"), token: token, http: &http.Client{}}
}

// Call performs an operation and decodes its result, if one is wanted. It returns an *Error when the API refuses, and
// what net/http returns when nobody answers.
func (c *Client) Call(ctx context.Context, operation string, arguments Args, result any) error {
	if arguments == nil {
		arguments = Args{}
	}
	body, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	response, err := c.ask(ctx, http.MethodPost, "/v1/"+operation, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return answer(response, result)
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(request)
}

func answer(response *http.Response, result any) error {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK {
		if result == nil {
			return nil
		}
		return json.Unmarshal(text, result)
	}
	var refused struct{ Error *Error }
	if json.Unmarshal(text, &refused) != nil || refused.Error == nil {
		return fmt.Errorf("no answer of a control API: HTTP %s: %.200s", response.Status, text)
	}
	refused.Error.Status = response.StatusCode
	return refused.Error
}

// Live says whether the process runs.
func (c *Client) Live(ctx context.Context) bool {
	response, err := c.ask(ctx, http.MethodGet, "/live", nil)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Readiness says whether all nodes serve, and which do not run.
type Readiness struct {
	Ready      bool  `json:"ready"`
	NotRunning []int `json:"not_running"`
}

// Ready asks whether all nodes serve.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var found Readiness
	response, err := c.ask(ctx, http.MethodGet, "/ready", nil)
	if err != nil {
		return found, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusServiceUnavailable {
		return found, json.NewDecoder(response.Body).Decode(&found)
	}
	return found, answer(response, &found)
}

// WaitUntilReady returns when all nodes serve, or with an error when the context ends.
func (c *Client) WaitUntilReady(ctx context.Context) error {
	for {
		found, err := c.Ready(ctx)
		if err == nil && found.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; the last answer was %+v, %v", c.url, ctx.Err(), found, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// FaultState is a fault and what it has done. Rule has the fields of docs/faults.md.
type FaultState struct {
	ID      int  `json:"fault_id"`
	Rule    Args `json:"rule"`
	Matched int  `json:"matched"`
	Fired   int  `json:"fired"`
	Held    int  `json:"held"`
	IsSpent bool `json:"is_spent"`
}

// Fault is one that was added.
type Fault struct {
	ID     int
	client *Client
}

// AddFault adds one fault; an ErrInvalidArgument says what is wrong with the rule.
func (c *Client) AddFault(ctx context.Context, rule Args) (*Fault, error) {
	faults, err := c.AddFaults(ctx, rule)
	if err != nil {
		return nil, err
	}
	return faults[0], nil
}

// AddFaults adds all of the faults, or none if one rule is wrong.
func (c *Client) AddFaults(ctx context.Context, rules ...Args) ([]*Fault, error) {
	var added []FaultState
	if err := c.Call(ctx, "add_faults", Args{"rules": rules}, &added); err != nil {
		return nil, err
	}
	faults := make([]*Fault, len(added))
	for i, state := range added {
		faults[i] = &Fault{ID: state.ID, client: c}
	}
	return faults, nil
}

// Faults are those in force.
func (c *Client) Faults(ctx context.Context) (found []FaultState, err error) {
	err = c.Call(ctx, "faults", nil, &found)
	return found, err
}

// UnfiredFaults are those with must_fire that never fired: a test should end without any.
func (c *Client) UnfiredFaults(ctx context.Context) (found []FaultState, err error) {
	err = c.Call(ctx, "unfired_faults", nil, &found)
	return found, err
}

// ClearFaults removes all.
func (c *Client) ClearFaults(ctx context.Context) error { return c.Call(ctx, "clear_faults", nil, nil) }

// Read says what the fault has done.
func (f *Fault) Read(ctx context.Context) (state FaultState, err error) {
	err = f.client.Call(ctx, "fault", Args{"fault_id": f.ID}, &state)
	return state, err
}

// Wait returns when the fault has fired so often and holds so many requests; an ErrNotYet says what there was instead.
func (f *Fault) Wait(ctx context.Context, fired, held int, timeout time.Duration) (state FaultState, err error) {
	arguments := Args{"fault_id": f.ID, "fired": fired, "held": held, "timeout": timeout.Seconds()}
	err = f.client.Call(ctx, "wait_for_fault", arguments, &state)
	return state, err
}

// Release lets all requests that it holds go on, and later ones. It returns how many there were.
func (f *Fault) Release(ctx context.Context) (count int, err error) {
	err = f.client.Call(ctx, "release_fault", Args{"fault_id": f.ID}, &count)
	return count, err
}

// Remove ends the fault.
func (f *Fault) Remove(ctx context.Context) error {
	return f.client.Call(ctx, "remove_fault", Args{"fault_id": f.ID}, nil)
}

// Time is the brokers' clock.
type Time struct {
	NowMS       int64  `json:"now_ms"` // since 1970
	IsFrozen    bool   `json:"is_frozen"`
	NextTimerMS *int64 `json:"next_timer_ms"` // until the next timer is due; nil: there is none
}

// Time says what the brokers' clock shows.
func (c *Client) Time(ctx context.Context) (Time, error) { return c.clock(ctx, "time", nil) }

// FreezeTime stops the brokers' clock.
func (c *Client) FreezeTime(ctx context.Context) (Time, error) {
	return c.clock(ctx, "freeze_time", nil)
}

// AdvanceTime moves the brokers' clock; what falls due happens at once.
func (c *Client) AdvanceTime(ctx context.Context, by time.Duration) (Time, error) {
	return c.clock(ctx, "advance_time", Args{"milliseconds": by.Milliseconds()})
}

// JumpTime moves the brokers' clock to the next timer, which fires.
func (c *Client) JumpTime(ctx context.Context) (Time, error) { return c.clock(ctx, "jump_time", nil) }

// ReleaseTime lets the brokers' clock go on by itself.
func (c *Client) ReleaseTime(ctx context.Context) (Time, error) {
	return c.clock(ctx, "release_time", nil)
}

func (c *Client) clock(ctx context.Context, operation string, arguments Args) (found Time, err error) {
	err = c.Call(ctx, operation, arguments, &found)
	return found, err
}

// NodeState is a node of the cluster.
type NodeState struct {
	ID                 int    `json:"node_id"`
	Rack               string `json:"rack"`    // "": none
	Address            string `json:"address"` // where clients connect; "": it is no broker
	IsRunning          bool   `json:"is_running"`
	IsActiveController bool   `json:"is_active_controller"`
}

// Nodes are all of the cluster, running or not.
func (c *Client) Nodes(ctx context.Context) (found []NodeState, err error) {
	err = c.Call(ctx, "nodes", nil, &found)
	return found, err
}

// KillNode ends a node as SIGKILL does.
func (c *Client) KillNode(ctx context.Context, id int) error {
	return c.Call(ctx, "kill_node", Args{"node_id": id}, nil)
}

// StopNode stops a node in order.
func (c *Client) StopNode(ctx context.Context, id int) error {
	return c.Call(ctx, "stop_node", Args{"node_id": id}, nil)
}

// StartNode starts a node again.
func (c *Client) StartNode(ctx context.Context, id int) error {
	return c.Call(ctx, "start_node", Args{"node_id": id}, nil)
}

// AddNode starts another broker, in this rack unless it is "", and returns its id.
func (c *Client) AddNode(ctx context.Context, rack string) (id int, err error) {
	arguments := Args{}
	if rack != "" {
		arguments["rack"] = rack
	}
	err = c.Call(ctx, "add_node", arguments, &id)
	return id, err
}

// RemoveNode moves the replicas of a broker that is no controller to others, stops it and forgets it.
func (c *Client) RemoveNode(ctx context.Context, id int) error {
	return c.Call(ctx, "remove_node", Args{"node_id": id}, nil)
}

// Reset makes a fresh state, as before each test: no topics, groups and faults, all nodes run, the clock shows the time.
func (c *Client) Reset(ctx context.Context) error { return c.Call(ctx, "reset", nil, nil) }

// Bytes are those of a key, value or header.
type Bytes []byte

// UnmarshalJSON reads a text if the bytes are UTF-8, else {"base64": ...}.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			*b = Bytes(*text)
		}
		return nil
	}
	var encoded struct{ Base64 []byte }
	err := json.Unmarshal(data, &encoded)
	*b = encoded.Base64
	return err
}

// MarshalJSON writes what UnmarshalJSON reads.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(map[string][]byte{"base64": b})
}

// Event is what the brokers tell while it happens.
type Event struct {
	Name string          // "exchange"; or "missed": events came faster than they were read
	Data json.RawMessage // an exchange as in docs/recording.md; or how many were missed
}

// Events is a stream of them.
type Events struct {
	response *http.Response
	lines    *bufio.Reader
}

// Events begins a stream of what clients ask and are answered from now on. It ends with the context, and by Close.
func (c *Client) Events(ctx context.Context) (*Events, error) {
	response, err := c.ask(ctx, http.MethodGet, "/events", nil)
	if err != nil {
		return nil, err
	}
	events := &Events{response, bufio.NewReader(response.Body)}
	if response.StatusCode != http.StatusOK {
		defer events.Close()
		return nil, answer(response, nil)
	}
	// The server greets once it listens to its brokers: nothing is missed from here on.
	if _, err := events.lines.ReadString('\n'); err != nil {
		events.Close()
		return nil, err
	}
	return events, nil
}

// Next waits for an event. It returns io.EOF when the server has ended the stream.
func (e *Events) Next() (Event, error) {
	var found Event
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return found, err
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			found.Name = strings.TrimSpace(name)
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			found.Data = json.RawMessage(data)
			return found, nil
		}
		// Empty lines end an event, those that begin with ":" keep the connection alive, and "id" is in the data.
	}
}

// Close ends the stream.
func (e *Events) Close() error { return e.response.Body.Close() }
