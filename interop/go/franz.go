package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct{}

func (franz) produce(a asked) error {
	codec := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[a.Codec]
	options := []kgo.Opt{
		kgo.SeedBrokers(a.Bootstrap), kgo.DefaultProduceTopic(a.Topic), kgo.ProducerBatchCompression(codec),
		kgo.ProducerLinger(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond), // it asks for metadata before it tries again
	}
	if a.TransactionalID != "" {
		options = append(options, kgo.TransactionalID(a.TransactionalID))
	} else if !a.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	cl, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if a.TransactionalID != "" {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
	}
	records := make([]*kgo.Record, len(a.Values))
	for i, value := range a.Values {
		records[i] = kgo.StringRecord(value)
	}
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		return err
	}
	if a.TransactionalID == "" {
		return nil
	}
	return cl.EndTransaction(context.Background(), kgo.TransactionEndTry(a.Outcome == "commit"))
}

func (franz) consume(bootstrap, topic, isolation string) ([]string, error) {
	level := kgo.ReadUncommitted()
	if isolation == "read_committed" {
		level = kgo.ReadCommitted()
	}
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(level))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	values := []string{}
	for {
		fetches := cl.PollFetches(context.Background())
		if errs := fetches.Errors(); len(errs) > 0 {
			return nil, errs[0].Err
		}
		for _, record := range fetches.Records() {
			if string(record.Value) == last {
				return values, nil
			}
			values = append(values, string(record.Value))
		}
	}
}

func (franz) group(a asked) ([]string, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(a.Bootstrap), kgo.ConsumerGroup(a.Group), kgo.ConsumeTopics(a.Topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if a.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	cl, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	values := []string{}
	for len(values) < a.Count {
		fetches := cl.PollRecords(context.Background(), a.Count-len(values))
		if errs := fetches.Errors(); len(errs) > 0 {
			return nil, errs[0].Err
		}
		for _, record := range fetches.Records() {
			values = append(values, string(record.Value))
		}
	}
	return values, cl.CommitUncommittedOffsets(context.Background())
}

func (franz) transform(a asked) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(a.Bootstrap), kgo.ConsumerGroup(a.Group), kgo.ConsumeTopics(a.Source), kgo.TransactionalID(a.TransactionalID),
		kgo.DefaultProduceTopic(a.Target), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	for done := 0; done < a.Count; {
		fetches := session.PollFetches(context.Background())
		if errs := fetches.Errors(); len(errs) > 0 {
			return errs[0].Err
		}
		if err := session.Begin(); err != nil {
			return err
		}
		failed := kgo.AbortingFirstErrPromise(session.Client())
		for _, record := range fetches.Records() {
			session.Produce(context.Background(), &kgo.Record{Value: bytes.ToUpper(record.Value)}, failed.Promise())
			done++
		}
		committed, err := session.End(context.Background(), failed.Err() == nil)
		if err != nil {
			return err
		}
		if !committed {
			return fmt.Errorf("not committed: %w", errors.Join(failed.Err()))
		}
	}
	return nil
}
