/**
 * What becomes of the value of every message on its way into Kafka and out of it, as in the serializers of Kafka's own
 * clients. `read` gets whatever stands there, and gives back as it is what `write` did not make. Both are pure.
 */
export interface ValueFormat {
  write(value: Buffer): Buffer
  read(value: Buffer): Buffer
}
