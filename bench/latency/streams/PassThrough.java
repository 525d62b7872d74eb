import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Copies each message to the same partition of another topic; its key names the partition. Prints the configuration in
 * force, then "ready", and ends with its standard input.
 * Arguments: brokers, topic in, topic out, threads, folder.
 */
public final class PassThrough {
  @SuppressWarnings("removal") // of the only method that StreamPartitioner requires
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[2] + ".streams");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[3]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 0);

    Serde<byte[]> bytes = Serdes.ByteArray();
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(args[1], Consumed.with(bytes, bytes)).to(args[2], Produced.with(bytes, bytes,
        (topic, key, value, partitions) -> Optional.of(Set.of(partitionOf(key)))));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    CountDownLatch running = new CountDownLatch(1);
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING) running.countDown();
      if (now == KafkaStreams.State.ERROR) System.exit(1);
    });
    streams.start();
    running.await();
    print(new StreamsConfig(settings));
    System.out.println("ready");
    while (System.in.read() >= 0) {}
    streams.close(Duration.ofSeconds(10));
  }

  private static int partitionOf(byte[] key) {
    return Integer.parseInt(new String(key, StandardCharsets.US_ASCII));
  }

  private static void print(StreamsConfig config) {
    for (String name : new String[] {StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.NUM_STREAM_THREADS_CONFIG,
        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, StreamsConfig.POLL_MS_CONFIG})
      System.out.println(name + "=" + config.values().get(name));
    Map<String, Object> sending = new HashMap<>(config.getProducerConfigs("p"));
    sending.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    sending.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    Map<String, ?> producer = new ProducerConfig(sending).values();
    for (String name : new String[] {ProducerConfig.LINGER_MS_CONFIG, ProducerConfig.BATCH_SIZE_CONFIG,
        ProducerConfig.ACKS_CONFIG, ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG})
      System.out.println("producer " + name + "=" + producer.get(name));
    Map<String, Object> reading = new HashMap<>(config.getMainConsumerConfigs("g", "c", 0));
    reading.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    reading.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    Map<String, ?> consumer = new ConsumerConfig(reading).values();
    for (String name : new String[] {ConsumerConfig.FETCH_MIN_BYTES_CONFIG, ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG,
        ConsumerConfig.MAX_POLL_RECORDS_CONFIG})
      System.out.println("consumer " + name + "=" + consumer.get(name));
  }
}
