package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

type segmentio struct{}

func (segmentio) produce(a asked) error {
	if a.Idempotent || a.TransactionalID != "" {
		return errors.New("kafka-go has no such producer")
	}
	codec := map[string]kafka.Compression{
		"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}[a.Codec]
	writer := &kafka.Writer{
		Addr: kafka.TCP(a.Bootstrap), Topic: a.Topic, Compression: codec, RequiredAcks: kafka.RequireAll, BatchTimeout: 50 * time.Millisecond,
		Transport: &kafka.Transport{}, // the shared one knows the topics of seconds ago
	}
	messages := make([]kafka.Message, len(a.Values))
	for i, value := range a.Values {
		messages[i].Value = []byte(value)
	}
	return errors.Join(writer.WriteMessages(context.Background(), messages...), writer.Close())
}

func (segmentio) consume(bootstrap, topic, isolation string) ([]string, error) {
	level := kafka.ReadUncommitted
	if isolation == "read_committed" {
		level = kafka.ReadCommitted
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: 0, IsolationLevel: level, MaxWait: 200 * time.Millisecond, MaxBytes: 10e6,
	})
	defer reader.Close()
	values := []string{}
	for {
		message, err := reader.ReadMessage(context.Background())
		if err != nil {
			return nil, err
		}
		if string(message.Value) == last {
			return values, nil
		}
		values = append(values, string(message.Value))
	}
}

func (segmentio) group(a asked) ([]string, error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{a.Bootstrap}, GroupID: a.Group, Topic: a.Topic, StartOffset: kafka.FirstOffset, MaxWait: 200 * time.Millisecond,
	})
	values := []string{}
	for len(values) < a.Count {
		message, err := reader.FetchMessage(context.Background())
		if err != nil {
			return nil, errors.Join(err, reader.Close())
		}
		values = append(values, string(message.Value))
		if err := reader.CommitMessages(context.Background(), message); err != nil {
			return nil, errors.Join(err, reader.Close())
		}
	}
	return values, reader.Close()
}

func (segmentio) transform(asked) error {
	return errors.New("kafka-go has no transactions")
}
