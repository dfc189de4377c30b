import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Applications of Kafka Streams, played by a test: a line of JSON comes in for each thing to do, `start` and `stop`, and one goes out
 * when it is done.
 */
public class StreamsApps {
  static final Duration WINDOW = Duration.ofSeconds(10);
  static final Duration GRACE = Duration.ofSeconds(5);
  static KafkaStreams streams;

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err);
    ObjectMapper json = new ObjectMapper();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> answer = new HashMap<>();
      try {
        answer.put("done", run(json.readTree(line)));
      } catch (Throwable error) {
        answer.put("error", error.toString());
      }
      answers.println(json.writeValueAsString(answer));
      answers.flush();
    }
  }

  static Object run(JsonNode asked) throws Exception {
    switch (asked.get("command").asText()) {
      case "version": return version();
      case "start": return start(asked);
      case "stop": return streams.close(Duration.ofSeconds(30)) ? "stopped" : "still running";
      default: throw new IllegalArgumentException("no command " + asked.get("command"));
    }
  }

  static String version() throws Exception {
    Properties properties = new Properties();
    try (var file = KafkaStreams.class.getResourceAsStream("/kafka/kafka-streams-version.properties")) {
      properties.load(file);
    }
    return properties.getProperty("version");
  }

  static Object start(JsonNode asked) throws Exception {
    String app = asked.get("app").asText();
    Properties settings = new Properties();
    settings.put("application.id", app);
    settings.put("bootstrap.servers", asked.get("bootstrap").asText());
    settings.put("processing.guarantee", "exactly_once_v2");
    settings.put("state.dir", asked.get("state_dir").asText());
    settings.put("commit.interval.ms", 50);
    settings.put("statestore.cache.max.bytes", 0);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    StreamsBuilder builder = new StreamsBuilder();
    if (app.equals("word-count")) wordCount(builder);
    else joins(builder);
    streams = new KafkaStreams(builder.build(settings), settings);
    CountDownLatch running = new CountDownLatch(1);
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING || now == KafkaStreams.State.ERROR) running.countDown();
    });
    streams.setUncaughtExceptionHandler((error) -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.start();
    running.await(50, TimeUnit.SECONDS);
    return streams.state().toString();
  }

  static void wordCount(StreamsBuilder builder) {
    builder.<String, String>stream("lines")
      .flatMapValues((line) -> Arrays.asList(line.split(" ")))
      .groupBy((key, word) -> word)
      .count(Materialized.as("words"))
      .toStream()
      .mapValues((count) -> Long.toString(count))
      .to("counts");
  }

  /** Orders are keyed by customer, and say "order item"; payments likewise. */
  static void joins(StreamsBuilder builder) {
    KTable<String, String> customers = builder.table("customers");
    KStream<String, String> orders = builder.stream("orders");
    KStream<String, String> payments = builder.stream("payments");
    orders.join(customers, (order, customer) -> order + " for " + customer).to("enriched");
    orders.join(payments, (order, payment) -> order + " paid by " + payment, JoinWindows.ofTimeDifferenceAndGrace(WINDOW, GRACE)).to("paid");
    orders.groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
      .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
      .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("per-window"))
      .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
      .toStream((window, count) -> window.key() + "@" + window.window().start())
      .mapValues((count) -> Long.toString(count))
      .to("final-counts");
    // By a foreign key: a shipment, keyed by its number, names its customer.
    KTable<String, String> shipments = builder.table("shipments");
    shipments.join(customers, (shipment) -> shipment, (shipment, customer) -> "to " + customer).toStream().to("addressed");
  }
}
