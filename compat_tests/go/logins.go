package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	krb5 "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/kerberos"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	xdg "github.com/xdg-go/scram"
)

// loginPlan is what compat_tests/security/pairs.py writes.
type loginPlan struct {
	Ca          string  `json:"ca"`
	Certificate string  `json:"certificate"`
	Key         string  `json:"key"`
	Krb5        string  `json:"krb5"`
	Keytab      string  `json:"keytab"`
	Realm       string  `json:"realm"`
	Logins      []login `json:"logins"`
}

type login struct {
	Name        string `json:"name"`
	Bootstrap   string `json:"bootstrap"`
	Protocol    string `json:"protocol"`
	Mechanism   string `json:"mechanism"`
	Certificate bool   `json:"certificate"`
	Token       bool   `json:"token"`
	Wrong       bool   `json:"wrong"`
	User        string `json:"user"`
	Secret      string `json:"secret"`
	Topic       string `json:"topic"`
	Group       string `json:"group"`
}

func readPlan(file string) (loginPlan, error) {
	var plan loginPlan
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	return plan, err
}

// goThrough logs in by each login of the plan, produces a record and reads it in a group: a line says which login, and what
// was read, or what the client said when it was refused.
func goThrough(client, file string) error {
	plan, err := readPlan(file)
	if err != nil {
		return err
	}
	one := plan.franz
	if client == "sarama" {
		one = plan.sarama
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var running sync.WaitGroup
	for _, each := range plan.Logins {
		running.Go(func() {
			said, err := one(ctx, each)
			if err != nil {
				said = err.Error()
			}
			say(map[string]string{"login": each.Name, "said": said})
		})
	}
	running.Wait()
	return nil
}

// tls is what the login needs of TLS; nil where there is none.
func (p loginPlan) tls(l login) *tls.Config {
	if l.Protocol != "SSL" && l.Protocol != "SASL_SSL" {
		return nil
	}
	authority, err := os.ReadFile(p.Ca)
	if err != nil {
		panic(err)
	}
	made := &tls.Config{RootCAs: x509.NewCertPool()}
	if !made.RootCAs.AppendCertsFromPEM(authority) {
		panic("no certificate of an authority")
	}
	if l.Certificate {
		pair, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			panic(err)
		}
		made.Certificates = []tls.Certificate{pair}
	}
	return made
}

// sendUntilEnd produces by the plan's first login until something comes on standard input, or an error.
func sendUntilEnd(client, file string) error {
	plan, err := readPlan(file)
	if err != nil {
		return err
	}
	l := plan.Logins[0]
	send, end, err := plan.franzSender(l)
	if client == "sarama" {
		send, end, err = plan.saramaSender(l)
	}
	if err != nil {
		return err
	}
	defer end()
	ended := make(chan error)
	go func() {
		_, err := os.Stdin.Read(make([]byte, 1))
		ended <- err
	}()
	for {
		if err := send(); err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p loginPlan) franzSender(l login) (send func() error, end func(), err error) {
	mechanism, err := p.mechanism(l)
	if err != nil {
		return nil, nil, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers(l.Bootstrap)...), kgo.AllowAutoTopicCreation(), kgo.SASL(mechanism))
	if err != nil {
		return nil, nil, err
	}
	send = func() error {
		return cl.ProduceSync(context.Background(), &kgo.Record{Topic: l.Topic, Value: []byte(l.Name)}).FirstErr()
	}
	return send, cl.Close, nil
}

func (p loginPlan) saramaSender(l login) (send func() error, end func(), err error) {
	settings := sarama.NewConfig()
	settings.Producer.Return.Successes = true
	p.saramaLogin(settings, l)
	producer, err := sarama.NewSyncProducer(brokers(l.Bootstrap), settings)
	if err != nil {
		return nil, nil, err
	}
	send = func() error {
		message := &sarama.ProducerMessage{Topic: l.Topic, Value: sarama.StringEncoder(l.Name)}
		_, _, err := producer.SendMessage(message)
		return err
	}
	return send, func() { producer.Close() }, nil
}

func (p loginPlan) franz(ctx context.Context, l login) (string, error) {
	options := []kgo.Opt{kgo.SeedBrokers(brokers(l.Bootstrap)...), kgo.AllowAutoTopicCreation()}
	if l.Wrong { // it would go on trying
		options = append(options, kgo.RetryTimeout(time.Second))
	}
	if config := p.tls(l); config != nil {
		options = append(options, kgo.DialTLSConfig(config))
	}
	if l.Token {
		id, hmac, err := makeToken(ctx, append(options, kgo.SASL(plain.Auth{User: l.User, Pass: l.Secret}.AsMechanism())))
		if err != nil {
			return "", err
		}
		l.User, l.Secret = id, hmac
	}
	mechanism, err := p.mechanism(l)
	if err != nil {
		return "", err
	}
	if mechanism != nil {
		options = append(options, kgo.SASL(mechanism))
	}
	cl, err := kgo.NewClient(append(options, kgo.ConsumeTopics(l.Topic), kgo.ConsumerGroup(l.Group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())...)
	if err != nil {
		return "", err
	}
	defer cl.Close()
	if err := cl.Ping(ctx); err != nil {
		return "", err
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: l.Topic, Value: []byte(l.Name)}).FirstErr(); err != nil {
		return "", err
	}
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return "", err
		}
		for _, each := range fetches.Records() {
			return string(each.Value), cl.CommitRecords(ctx, each)
		}
	}
}

// liveByToken makes a delegation token as the user of the plan's first login, and produces with it: a line of standard
// input is what to do, and one of standard output the error, which is empty where there is none.
func liveByToken(file string) error {
	plan, err := readPlan(file)
	if err != nil {
		return err
	}
	l := plan.Logins[0]
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	seeds := []kgo.Opt{
		kgo.SeedBrokers(brokers(l.Bootstrap)...), kgo.RetryTimeout(time.Second), kgo.AllowAutoTopicCreation(),
	}
	owner, err := kgo.NewClient(append(seeds, kgo.SASL(plain.Auth{User: l.User, Pass: l.Secret}.AsMechanism()))...)
	if err != nil {
		return err
	}
	defer owner.Close()
	admin := kadm.NewClient(owner)
	token, err := admin.CreateDelegationToken(ctx, kadm.CreateDelegationToken{MaxLifetime: 24 * time.Hour})
	if err != nil {
		return err
	}
	password := base64.StdEncoding.EncodeToString(token.HMAC)
	holder := scram.Auth{User: token.TokenID, Pass: password, IsToken: true}.AsSha512Mechanism()
	cl, err := kgo.NewClient(append(seeds, kgo.SASL(holder))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "send":
			if err = pingUntilKnown(ctx, cl); err == nil {
				err = cl.ProduceSync(ctx, &kgo.Record{Topic: l.Topic, Value: []byte("by token")}).FirstErr()
			}
		case "renew":
			_, err = admin.RenewDelegationToken(ctx, token.HMAC, time.Hour)
		case "expire":
			_, err = admin.ExpireDelegationToken(ctx, token.HMAC, -time.Millisecond)
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		say(map[string]string{"error": said})
	}
	return nil
}

// pingUntilKnown says why the broker refuses the client, where producing would go on trying. A connection that has ended
// meanwhile is no answer.
func pingUntilKnown(ctx context.Context, cl *kgo.Client) error {
	for {
		err := cl.Ping(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, kerr.SaslAuthenticationFailed) {
			return err
		}
	}
}

// makeToken makes a delegation token: its id and its HMAC are the user and the password.
func makeToken(ctx context.Context, options []kgo.Opt) (string, string, error) {
	cl, err := kgo.NewClient(options...)
	if err != nil {
		return "", "", err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	token, err := admin.CreateDelegationToken(ctx, kadm.CreateDelegationToken{MaxLifetime: time.Hour})
	if err != nil {
		return "", "", err
	}
	// A broker of Apache Kafka hears of a new token a little later.
	err = until("the token is known", func() (bool, error) {
		known, err := admin.DescribeDelegationTokens(ctx)
		return slices.ContainsFunc(known, func(each kadm.DelegationToken) bool { return each.TokenID == token.TokenID }), err
	})
	return token.TokenID, base64.StdEncoding.EncodeToString(token.HMAC), err
}

// mechanism of franz-go; nil without SASL.
func (p loginPlan) mechanism(l login) (sasl.Mechanism, error) {
	switch l.Mechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Auth{User: l.User, Pass: l.Secret}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: l.User, Pass: l.Secret, IsToken: l.Token}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: l.User, Pass: l.Secret}.AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		return oauth.Auth{Token: l.Secret}.AsMechanism(), nil
	case "GSSAPI":
		settings, err := config.Load(p.Krb5)
		if err != nil {
			return nil, err
		}
		keys, err := keytab.Load(p.Keytab)
		if err != nil {
			return nil, err
		}
		client := krb5.NewWithKeytab(l.User, p.Realm, keys, settings)
		return kerberos.Auth{Client: client, Service: "kafka"}.AsMechanismWithClose(), nil
	}
	return nil, fmt.Errorf("no mechanism %q", l.Mechanism)
}

func (p loginPlan) sarama(ctx context.Context, l login) (string, error) {
	settings := sarama.NewConfig()
	settings.Producer.Return.Successes = true
	if !l.Wrong { // a topic that is made by the first request is not everywhere at once
		settings.Metadata.Retry.Max, settings.Producer.Retry.Max = 100, 100
	}
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	if config := p.tls(l); config != nil {
		settings.Net.TLS.Enable, settings.Net.TLS.Config = true, config
	}
	if l.Mechanism != "" {
		p.saramaLogin(settings, l)
	}
	producer, err := sarama.NewSyncProducer(brokers(l.Bootstrap), settings)
	if err != nil {
		return "", errors.Join(err, saramaReason(l, settings))
	}
	defer producer.Close()
	message := &sarama.ProducerMessage{Topic: l.Topic, Value: sarama.StringEncoder(l.Name)}
	if _, _, err := producer.SendMessage(message); err != nil {
		return "", err
	}
	group, err := sarama.NewConsumerGroup(brokers(l.Bootstrap), l.Group, settings)
	if err != nil {
		return "", err
	}
	defer group.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader := &firstValue{cancel: cancel}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{l.Topic}, reader); err != nil {
			return "", err
		}
	}
	return reader.value, nil
}

// saramaReason asks one broker: what NewSyncProducer says is that it has run out of brokers, and no more.
func saramaReason(l login, settings *sarama.Config) error {
	broker := sarama.NewBroker(l.Bootstrap)
	defer broker.Close()
	if err := broker.Open(settings); err != nil {
		return err
	}
	_, err := broker.Connected()
	return err
}

func (p loginPlan) saramaLogin(settings *sarama.Config, l login) {
	s := &settings.Net.SASL
	s.Enable, s.Version, s.Mechanism = true, sarama.SASLHandshakeV1, sarama.SASLMechanism(l.Mechanism)
	s.User, s.Password = l.User, l.Secret
	switch l.Mechanism {
	case "SCRAM-SHA-256":
		s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &xdgScram{hash: xdg.SHA256} }
	case "SCRAM-SHA-512":
		s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &xdgScram{hash: xdg.SHA512} }
	case "OAUTHBEARER":
		s.TokenProvider = fixedToken(l.Secret)
	case "GSSAPI":
		s.GSSAPI = sarama.GSSAPIConfig{
			AuthType: sarama.KRB5_KEYTAB_AUTH, KeyTabPath: p.Keytab, KerberosConfigPath: p.Krb5,
			ServiceName: "kafka", Username: l.User, Realm: p.Realm,
		}
	}
}

// xdgScram is the SCRAM that sarama leaves to another package.
type xdgScram struct {
	hash         xdg.HashGeneratorFcn
	conversation *xdg.ClientConversation
}

func (x *xdgScram) Begin(user, password, authorization string) error {
	client, err := x.hash.NewClient(user, password, authorization)
	if err == nil {
		x.conversation = client.NewConversation()
	}
	return err
}

func (x *xdgScram) Step(challenge string) (string, error) { return x.conversation.Step(challenge) }
func (x *xdgScram) Done() bool                            { return x.conversation.Done() }

type fixedToken string

func (t fixedToken) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(t)}, nil
}

// firstValue is a group member that keeps the first value it reads, marks it as consumed and ends.
type firstValue struct {
	cancel context.CancelFunc
	value  string
}

func (f *firstValue) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (f *firstValue) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (f *firstValue) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	select {
	case message := <-claim.Messages():
		f.value = string(message.Value)
		session.MarkMessage(message, "")
		session.Commit()
		f.cancel()
	case <-session.Context().Done():
	}
	return nil
}
