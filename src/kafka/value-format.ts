/**
 * Encodes the value of every message on its way into Kafka and out of it, like the serializers of Kafka's own clients.
 * `read` gets any value, and returns a value unchanged that `write` did not make. Both are pure.
 */
export interface ValueFormat {
  write(value: Buffer): Buffer
  read(value: Buffer): Buffer
}
