"""
Kafka clients of Python, played by a test: `kafka_clients.py LIBRARY`. A line of JSON comes in for each thing to do, and one goes out
for each that was done. ../src/kafka/foreign-client.ts tells what there is to do.
"""
import asyncio
import json
import sys

LAST = "END"


class KafkaPython:
    def __init__(self):
        import kafka

        self.kafka = kafka
        self.version = kafka.__version__

    def produce(self, bootstrap, topic, codec, values, idempotent=False, transactional_id=None, outcome=None):
        settings = {"compression_type": None if codec == "none" else codec, "linger_ms": 50}
        if transactional_id is None:
            settings["enable_idempotence"] = idempotent
        else:
            settings["transactional_id"] = transactional_id
        producer = self.kafka.KafkaProducer(bootstrap_servers=bootstrap, retry_backoff_ms=20, **settings)
        if transactional_id is not None:
            producer.init_transactions()
            producer.begin_transaction()
        sent = [producer.send(topic, value.encode()) for value in values]
        if outcome == "abort":
            producer.flush()
            producer.abort_transaction()
        elif outcome == "commit":
            producer.commit_transaction()
        producer.flush()
        if outcome != "abort":
            for future in sent:
                future.get(timeout=20)
        producer.close()

    def consume(self, bootstrap, topics, isolation):
        consumer = self.kafka.KafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, fetch_max_wait_ms=50)
        found = {}
        for topic in topics:
            partition = self.kafka.TopicPartition(topic, 0)
            consumer.assign([partition])
            consumer.seek(partition, 0)
            found[topic] = []
            for record in consumer:
                if record.value == LAST.encode():
                    break
                found[topic].append(record.value.decode())
        consumer.close()
        return found

    def group(self, bootstrap, group, topic, protocol, count):
        consumer = self.kafka.KafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
        )
        values = []
        for record in consumer:
            values.append(record.value.decode())
            if len(values) == count:
                break
        consumer.commit()
        consumer.close()
        return values

    def transform(self, bootstrap, group, source, target, transactional_id, count):
        consumer = self.kafka.KafkaConsumer(
            source,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        producer = self.kafka.KafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
        producer.init_transactions()
        done = 0
        while done < count:
            polled = consumer.poll(timeout_ms=500)
            if not polled:
                continue
            producer.begin_transaction()
            offsets = {}
            for partition, records in polled.items():
                for record in records:
                    producer.send(target, record.value.upper())
                    done += 1
                offsets[partition] = self.kafka.OffsetAndMetadata(records[-1].offset + 1, "", -1)
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
        producer.close()
        consumer.close()


class AioKafka:
    def __init__(self):
        import aiokafka

        self.aiokafka = aiokafka
        self.version = aiokafka.__version__

    def produce(self, **args):
        asyncio.run(self._produce(**args))

    def consume(self, **args):
        return asyncio.run(self._consume(**args))

    def group(self, **args):
        return asyncio.run(self._group(**args))

    def transform(self, **args):
        asyncio.run(self._transform(**args))

    async def _produce(self, bootstrap, topic, codec, values, idempotent=False, transactional_id=None, outcome=None):
        producer = self.aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=None if codec == "none" else codec,
            linger_ms=50,
            retry_backoff_ms=20,
            enable_idempotence=idempotent or transactional_id is not None,
            transactional_id=transactional_id,
        )
        await producer.start()
        try:
            if transactional_id is not None:
                await producer.begin_transaction()
            sent = [await producer.send(topic, value.encode()) for value in values]
            await asyncio.gather(*sent)
            if outcome == "abort":
                await producer.abort_transaction()
            elif outcome == "commit":
                await producer.commit_transaction()
        finally:
            await producer.stop()

    async def _consume(self, bootstrap, topics, isolation):
        consumer = self.aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, fetch_max_wait_ms=50)
        await consumer.start()
        found = {}
        for topic in topics:
            partition = self.aiokafka.TopicPartition(topic, 0)
            consumer.assign([partition])
            consumer.seek(partition, 0)
            found[topic] = []
            async for record in consumer:
                if record.value == LAST.encode():
                    break
                found[topic].append(record.value.decode())
        await consumer.stop()
        return found

    async def _group(self, bootstrap, group, topic, protocol, count):
        consumer = self.aiokafka.AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        values = []
        async for record in consumer:
            values.append(record.value.decode())
            if len(values) == count:
                break
        await consumer.commit()
        await consumer.stop()
        return values

    async def _transform(self, bootstrap, group, source, target, transactional_id, count):
        consumer = self.aiokafka.AIOKafkaConsumer(
            source,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        producer = self.aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
        await consumer.start()
        await producer.start()
        done = 0
        while done < count:
            polled = await consumer.getmany(timeout_ms=500)
            if not polled:
                continue
            async with producer.transaction():
                for records in polled.values():
                    for record in records:
                        await producer.send(target, record.value.upper())
                        done += 1
                offsets = {partition: records[-1].offset + 1 for partition, records in polled.items()}
                await producer.send_offsets_to_transaction(offsets, group)
        await producer.stop()
        await consumer.stop()


class ConfluentKafka:
    def __init__(self):
        import confluent_kafka

        self.confluent_kafka = confluent_kafka
        self.version = confluent_kafka.version()

    def produce(self, bootstrap, topic, codec, values, idempotent=False, transactional_id=None, outcome=None):
        settings = {"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 10_000, "retry.backoff.ms": 20}
        if transactional_id is None:
            settings["enable.idempotence"] = idempotent
        else:
            settings["transactional.id"] = transactional_id
        producer = self.confluent_kafka.Producer(settings)
        failures = []
        if transactional_id is not None:
            producer.init_transactions(20)
            producer.begin_transaction()
        for value in values:
            producer.produce(topic, value.encode(), on_delivery=lambda error, _message: error and failures.append(error))
        if outcome == "abort":
            producer.flush(20)
            producer.abort_transaction(20)
        elif outcome == "commit":
            producer.commit_transaction(20)
        if producer.flush(20) > 0 or failures:
            raise RuntimeError(f"not delivered: {failures}")

    def _read(self, consumer):
        while True:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                raise RuntimeError(message.error())
            yield message.topic(), message.value().decode()

    def consume(self, bootstrap, topics, isolation):
        settings = {"bootstrap.servers": bootstrap, "group.id": "none", "isolation.level": isolation}
        consumer = self.confluent_kafka.Consumer(settings)
        consumer.assign([self.confluent_kafka.TopicPartition(topic, 0, 0) for topic in topics])
        found = {topic: [] for topic in topics}
        is_open = set(topics)
        for topic, value in self._read(consumer):
            if value != LAST:
                found[topic].append(value)
                continue
            is_open.remove(topic)
            if not is_open:
                break
        consumer.close()
        return found

    def group(self, bootstrap, group, topic, protocol, count):
        consumer = self.confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": protocol,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        consumer.subscribe([topic])
        values = []
        for _topic, value in self._read(consumer):
            values.append(value)
            if len(values) == count:
                break
        consumer.commit(asynchronous=False)
        consumer.close()
        return values

    def transform(self, bootstrap, group, source, target, transactional_id, count):
        consumer = self.confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        producer = self.confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id})
        producer.init_transactions(20)
        consumer.subscribe([source])
        done = 0
        while done < count:
            messages = consumer.consume(20, 1)
            if not messages:
                continue
            producer.begin_transaction()
            for message in messages:
                producer.produce(target, message.value().upper())
                done += 1
            places = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), 20)
            producer.commit_transaction(20)
        consumer.close()


LIBRARIES = {"aiokafka": AioKafka, "kafka-python": KafkaPython, "confluent-kafka": ConfluentKafka}


def main():
    client = LIBRARIES[sys.argv[1]]()
    for line in sys.stdin:
        asked = json.loads(line)
        command = asked.pop("command")
        try:
            answer = {"done": client.version if command == "version" else getattr(client, command)(**asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
