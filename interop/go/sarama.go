package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

type ibm struct{}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Retry.Backoff = 20 * time.Millisecond
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	config.Consumer.MaxWaitTime = 50 * time.Millisecond // which its end waits for
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	return config
}

func (ibm) produce(a asked) error {
	config := saramaConfig()
	config.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[a.Codec]
	if a.Idempotent || a.TransactionalID != "" {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	config.Producer.Transaction.ID = a.TransactionalID
	producer, err := sarama.NewSyncProducer([]string{a.Bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	if a.TransactionalID != "" {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
	}
	messages := make([]*sarama.ProducerMessage, len(a.Values))
	for i, value := range a.Values {
		messages[i] = &sarama.ProducerMessage{Topic: a.Topic, Value: sarama.StringEncoder(value)}
	}
	if err := producer.SendMessages(messages); err != nil {
		return err
	}
	switch a.Outcome {
	case "commit":
		return producer.CommitTxn()
	case "abort":
		return producer.AbortTxn()
	}
	return nil
}

func (ibm) consume(bootstrap, topic, isolation string) ([]string, error) {
	config := saramaConfig()
	if isolation == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, 0)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	values := []string{}
	for message := range partition.Messages() {
		if string(message.Value) == last {
			return values, nil
		}
		values = append(values, string(message.Value))
	}
	return nil, errors.New("the messages ended")
}

// As many messages as are wanted, from all partitions of a member.
type saramaMember struct {
	count int
	each  func(sarama.ConsumerGroupSession, *sarama.ConsumerMessage) error
	done  chan error
	seen  chan struct{}
}

func (saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.seen <- struct{}{} // one at a time
			err := m.each(session, message)
			<-m.seen
			if err != nil {
				m.done <- err
				return err
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func inSaramaGroup(a asked, topic string, config *sarama.Config, each func(sarama.ConsumerGroupSession, *sarama.ConsumerMessage) error) error {
	group, err := sarama.NewConsumerGroup([]string{a.Bootstrap}, a.Group, config)
	if err != nil {
		return err
	}
	defer group.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 16)
	count := 0
	member := saramaMember{a.Count, func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) error {
		if count == a.Count {
			return nil
		}
		if err := each(session, message); err != nil {
			return err
		}
		count++
		if count == a.Count {
			done <- nil
		}
		return nil
	}, done, make(chan struct{}, 1)}
	go func() {
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, member); err != nil {
				done <- err
				return
			}
		}
	}()
	return <-done
}

func (ibm) group(a asked) ([]string, error) {
	values := []string{}
	err := inSaramaGroup(a, a.Topic, saramaConfig(), func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) error {
		values = append(values, string(message.Value))
		session.MarkMessage(message, "")
		if len(values) == a.Count {
			session.Commit()
		}
		return nil
	})
	return values, err
}

func (ibm) transform(a asked) error {
	config := saramaConfig()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Transaction.ID = a.TransactionalID
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	producer, err := sarama.NewSyncProducer([]string{a.Bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	return inSaramaGroup(a, a.Source, config, func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) error {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		value := sarama.StringEncoder(strings.ToUpper(string(message.Value)))
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: a.Target, Value: value}); err != nil {
			return err
		}
		if err := producer.AddMessageToTxn(message, a.Group, nil); err != nil {
			return err
		}
		return producer.CommitTxn()
	})
}
