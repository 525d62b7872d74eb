/**
 * All that rowmill needs of Kafka. Nothing outside src/kafka/ imports KafkaJS. It talks and decides nothing: offsets in,
 * messages out.
 *
 * Reading uses KafkaJS's cluster and protocol layer below its consumer, and membership its ConsumerGroup without its
 * runner (DESIGN.md, "Why not the KafkaJS consumer"). The version is pinned exactly for that reason.
 */
export { KafkaAdmin, type TopicSettings } from './kafka/admin.ts'
export { Kafka, type KafkaSettings, type ValueFormat } from './kafka/client.ts'
export { describeKafkaError } from './kafka/errors.ts'
export { type Committed, GroupMember, type MembershipHandlers } from './kafka/member.ts'
export type { Position, TopicPartition } from './kafka/partitions.ts'
export { type OutgoingMessage, Producer } from './kafka/producer.ts'
export { type Fetched, Reader } from './kafka/reader.ts'
export { describeUnreadable, MESSAGE_BYTES, type Message } from './kafka/record-batch.ts'
export { registerSchemas } from './kafka/schema-registry.ts'
