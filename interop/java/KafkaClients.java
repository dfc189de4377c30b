import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The official Java client, played by a test. A line of JSON comes in for each thing to do, and one goes out for each that was done.
 * ../src/kafka/foreign-client.ts tells what there is to do; `admin` is this client's alone.
 */
public class KafkaClients {
  static final String LAST = "END";
  static final Duration POLL = Duration.ofMillis(200);
  static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> answer = new HashMap<>();
      try {
        answer.put("done", run(JSON.readTree(line)));
      } catch (Throwable error) {
        Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
        answer.put("error", cause.getClass().getSimpleName() + ": " + cause.getMessage());
      }
      answers.println(JSON.writeValueAsString(answer));
      answers.flush();
    }
  }

  static Object run(JsonNode asked) throws Exception {
    switch (asked.get("command").asText()) {
      case "version": return version();
      case "produce": return produce(asked);
      case "consume": return consume(asked);
      case "group": return group(asked);
      case "transform": return transform(asked);
      case "fence": return fence(asked);
      case "admin": return new Administration(text(asked, "bootstrap")).play();
      default: throw new IllegalArgumentException("no command " + asked.get("command"));
    }
  }

  static String version() throws Exception {
    Properties properties = new Properties();
    try (InputStream file = KafkaProducer.class.getResourceAsStream("/kafka/kafka-version.properties")) {
      properties.load(file);
    }
    return properties.getProperty("version");
  }

  static String text(JsonNode asked, String field) {
    return asked.hasNonNull(field) ? asked.get(field).asText() : null;
  }

  static KafkaProducer<String, String> producer(JsonNode asked, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", text(asked, "bootstrap"));
    settings.put("linger.ms", 50);
    settings.put("retry.backoff.ms", 20);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(JsonNode asked, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", text(asked, "bootstrap"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false);
    settings.put("fetch.max.wait.ms", 50);
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  static Object produce(JsonNode asked) throws Exception {
    Map<String, Object> settings = new HashMap<>();
    settings.put("compression.type", text(asked, "codec"));
    String transactionalId = text(asked, "transactional_id");
    if (transactionalId != null) settings.put("transactional.id", transactionalId);
    else settings.put("enable.idempotence", asked.path("idempotent").asBoolean());
    try (KafkaProducer<String, String> producer = producer(asked, settings)) {
      if (transactionalId != null) {
        producer.initTransactions();
        producer.beginTransaction();
      }
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (JsonNode value : asked.get("values")) sent.add(producer.send(new ProducerRecord<>(text(asked, "topic"), value.asText())));
      producer.flush();
      for (Future<RecordMetadata> each : sent) each.get();
      if ("commit".equals(text(asked, "outcome"))) producer.commitTransaction();
      if ("abort".equals(text(asked, "outcome"))) producer.abortTransaction();
    }
    return null;
  }

  static Object consume(JsonNode asked) {
    Map<String, List<String>> found = new HashMap<>();
    try (KafkaConsumer<String, String> consumer = consumer(asked, Map.of("isolation.level", text(asked, "isolation")))) {
      for (JsonNode topic : asked.get("topics")) found.put(topic.asText(), readAll(consumer, topic.asText()));
    }
    return found;
  }

  static List<String> readAll(KafkaConsumer<String, String> consumer, String topic) {
    List<String> values = new ArrayList<>();
    consumer.assign(List.of(new TopicPartition(topic, 0)));
    for (;;) {
      for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
        if (record.value().equals(LAST)) return values;
        values.add(record.value());
      }
    }
  }

  static Object group(JsonNode asked) {
    List<String> values = new ArrayList<>();
    Map<String, Object> settings = Map.of(
      "group.id", text(asked, "group"), "group.protocol", text(asked, "protocol"), "max.poll.records", asked.get("count").asInt());
    try (KafkaConsumer<String, String> consumer = consumer(asked, settings)) {
      consumer.subscribe(List.of(text(asked, "topic")));
      while (values.size() < asked.get("count").asInt()) {
        for (ConsumerRecord<String, String> record : consumer.poll(POLL)) values.add(record.value());
      }
      consumer.commitSync();
    }
    return values;
  }

  static Object transform(JsonNode asked) {
    Map<String, Object> reading = Map.of(
      "group.id", text(asked, "group"), "isolation.level", "read_committed", "group.protocol", text(asked, "protocol"));
    Map<String, Object> writing = Map.of("transactional.id", text(asked, "transactional_id"));
    try (KafkaConsumer<String, String> consumer = consumer(asked, reading); KafkaProducer<String, String> producer = producer(asked, writing)) {
      producer.initTransactions();
      consumer.subscribe(List.of(text(asked, "source")));
      for (int done = 0; done < asked.get("count").asInt(); ) {
        ConsumerRecords<String, String> records = consumer.poll(POLL);
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
          producer.send(new ProducerRecord<>(text(asked, "target"), record.value().toUpperCase()));
          offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
          done++;
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        producer.commitTransaction();
      }
    }
    return null;
  }

  /** One that begins anew with the same id: what the first of them is told. */
  static Object fence(JsonNode asked) throws Exception {
    Map<String, Object> settings = Map.of("transactional.id", text(asked, "transactional_id"));
    try (KafkaProducer<String, String> first = producer(asked, settings); KafkaProducer<String, String> second = producer(asked, settings)) {
      first.initTransactions();
      first.beginTransaction();
      first.send(new ProducerRecord<>(text(asked, "topic"), "of the first")).get();
      second.initTransactions();
      try {
        first.commitTransaction();
        return "committed";
      } catch (org.apache.kafka.common.KafkaException error) {
        return error.getClass().getSimpleName();
      }
    }
  }

  /** What AdminClient can ask, each answer under a name of its own. */
  static class Administration {
    final String bootstrap;
    final Map<String, Object> told = new LinkedHashMap<>();

    Administration(String bootstrap) {
      this.bootstrap = bootstrap;
    }

    static String errorOf(KafkaFuture<?> future) throws InterruptedException {
      try {
        future.get();
        return "none";
      } catch (ExecutionException error) {
        return error.getCause().getClass().getSimpleName();
      }
    }

    Object play() throws Exception {
      try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
        topics(admin);
        configs(admin);
        records(admin);
        groups(admin);
        transactions(admin);
        cluster(admin);
        deletions(admin);
      }
      return told;
    }

    void topics(Admin admin) throws Exception {
      NewTopic orders = new NewTopic("orders", 2, (short) 1).configs(Map.of("retention.ms", "1000000"));
      CreateTopicsResult created = admin.createTopics(List.of(orders, new NewTopic("many", 1, (short) 3)));
      told.put("created", created.numPartitions("orders").get() + " " + created.config("orders").get().get("retention.ms").value());
      told.put("createdMany", errorOf(created.values().get("many")));
      told.put("createdAgain", errorOf(admin.createTopics(List.of(orders)).all()));
      admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(3))).all().get();
      told.put("shrunk", errorOf(admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(1))).all()));
      told.put("listed", admin.listTopics().names().get());
      TopicDescription topic = admin.describeTopics(List.of("orders")).allTopicNames().get().get("orders");
      told.put("described", topic.partitions().size() + " " + topic.partitions().get(2).leader().id() + " " + topic.isInternal());
      String name = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(topic.topicId()))).allTopicIds().get()
        .get(topic.topicId()).name();
      told.put("describedById", name);
      told.put("unknown", errorOf(admin.describeTopics(List.of("nothing")).allTopicNames()));
    }

    void configs(Admin admin) throws Exception {
      ConfigResource orders = new ConfigResource(ConfigResource.Type.TOPIC, "orders");
      admin.incrementalAlterConfigs(Map.of(orders, List.of(
        new AlterConfigOp(new ConfigEntry("max.message.bytes", "5000"), AlterConfigOp.OpType.SET),
        new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
        new AlterConfigOp(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE)))).all().get();
      Config config = admin.describeConfigs(List.of(orders)).all().get().get(orders);
      told.put("configs", List.of(
        config.get("max.message.bytes").value() + " " + config.get("max.message.bytes").source(),
        config.get("cleanup.policy").value(),
        config.get("retention.ms").value() + " " + config.get("retention.ms").isDefault()));
      told.put("badConfig", errorOf(admin.incrementalAlterConfigs(Map.of(orders, List.of(
        new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)))).all()));
      ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
      told.put("brokerConfig", admin.describeConfigs(List.of(broker)).all().get().get(broker).get("num.partitions").value());
    }

    void records(Admin admin) throws Exception {
      TopicPartition partition = new TopicPartition("orders", 0);
      try (KafkaProducer<String, String> producer = new KafkaProducer<>(
          Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
        for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>("orders", 0, 1000L * (i == 4 ? 99 : i), "key", "value " + i));
      }
      Map<String, Object> offsets = new TreeMap<>();
      Map<String, OffsetSpec> specs = Map.of(
        "earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(), "time", OffsetSpec.forTimestamp(6500), "max", OffsetSpec.maxTimestamp());
      for (Map.Entry<String, OffsetSpec> spec : specs.entrySet()) {
        offsets.put(spec.getKey(), admin.listOffsets(Map.of(partition, spec.getValue())).partitionResult(partition).get().offset());
      }
      told.put("offsets", offsets);
      DeletedRecords deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(3))).lowWatermarks().get(partition).get();
      told.put("deletedRecords", deleted.lowWatermark());
      told.put("deletedTooMany", errorOf(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(11))).all()));
      Map<Integer, Map<String, LogDirDescription>> directories = admin.describeLogDirs(List.of(1)).allDescriptions().get();
      LogDirDescription directory = directories.get(1).values().iterator().next();
      told.put("logDirs", directories.get(1).size() + " " + (directory.replicaInfos().get(partition).size() > 0));
      TopicPartitionReplica replica = new TopicPartitionReplica("orders", 0, 1);
      told.put("replicaLogDir", admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaOffsetLag());
    }

    void groups(Admin admin) throws Exception {
      TopicPartition partition = new TopicPartition("orders", 0);
      admin.alterConsumerGroupOffsets("billing", Map.of(partition, new OffsetAndMetadata(5, "note"))).all().get();
      OffsetAndMetadata offset = admin.listConsumerGroupOffsets("billing").partitionsToOffsetAndMetadata().get().get(partition);
      told.put("groupOffset", offset.offset() + " " + offset.metadata());
      Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "group.id", "live", "group.instance.id", "one");
      try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
        consumer.subscribe(List.of("orders"));
        while (consumer.assignment().size() < 3) consumer.poll(POLL);
        ConsumerGroupDescription live = admin.describeConsumerGroups(List.of("live")).all().get().get("live");
        MemberDescription member = live.members().iterator().next();
        told.put("describedGroup", List.of(
          String.valueOf(member.assignment().topicPartitions().size()), member.groupInstanceId().get(), live.partitionAssignor(),
          String.valueOf(live.coordinator().id())));
        told.put("deletedLive", errorOf(admin.deleteConsumerGroups(List.of("live")).all()));
        admin.removeMembersFromConsumerGroup("live", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")))).all().get();
        told.put("leftOver", admin.describeConsumerGroups(List.of("live")).all().get().get("live").members().size());
      }
      List<String> listed = new ArrayList<>();
      for (ConsumerGroupListing each : admin.listConsumerGroups().all().get()) listed.add(each.groupId());
      listed.sort(null);
      told.put("listedGroups", listed);
      admin.deleteConsumerGroupOffsets("billing", Set.of(partition)).all().get();
      told.put("offsetsLeft", admin.listConsumerGroupOffsets("billing").partitionsToOffsetAndMetadata().get().size());
      told.put("deletedUnknown", errorOf(admin.deleteConsumerGroups(List.of("nobody")).all()));
    }

    void transactions(Admin admin) throws Exception {
      TopicPartition partition = new TopicPartition("orders", 1);
      Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "transactional.id", "pay");
      try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>("orders", 1, "key", "open")).get();
        TransactionDescription open = admin.describeTransactions(List.of("pay")).all().get().get("pay");
        told.put("transaction", open.state() + " " + open.topicPartitions());
        told.put("transactions", admin.listTransactions().all().get().size());
        DescribeProducersResult.PartitionProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get();
        ProducerState active = state.activeProducers().get(0);
        told.put("producers", state.activeProducers().size() + " " + active.currentTransactionStartOffset().getAsLong());
        AbortTransactionSpec spec = new AbortTransactionSpec(partition, active.producerId(), (short) active.producerEpoch(), active.coordinatorEpoch().orElse(0));
        admin.abortTransaction(spec).all().get();
        told.put("afterAbort", admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0)
          .currentTransactionStartOffset().isPresent());
      }
      admin.fenceProducers(List.of("pay")).all().get();
      told.put("afterFence", admin.describeTransactions(List.of("pay")).all().get().get("pay").state().toString());
    }

    void cluster(Admin admin) throws Exception {
      DescribeClusterResult cluster = admin.describeCluster();
      told.put("cluster", cluster.nodes().get().size() + " " + cluster.controller().get().id() + " " + cluster.clusterId().get().length());
      told.put("features", admin.describeFeatures().featureMetadata().get().finalizedFeatures().keySet());
      QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
      told.put("quorum", quorum.leaderId() + " " + quorum.voters().size());
      TopicPartition partition = new TopicPartition("orders", 0);
      told.put("election", admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, Set.of(partition)).partitions().get()
        .get(partition).map((error) -> error.getClass().getSimpleName()).orElse("none"));
      told.put("reassignments", admin.listPartitionReassignments().reassignments().get().size());
      told.put("reassigned", errorOf(admin.alterPartitionReassignments(
        Map.of(partition, java.util.Optional.of(new NewPartitionReassignment(List.of(7))))).all()));
    }

    void deletions(Admin admin) throws Exception {
      admin.deleteTopics(List.of("orders")).all().get();
      told.put("deletedAgain", errorOf(admin.deleteTopics(List.of("orders")).all()));
    }
  }
}
