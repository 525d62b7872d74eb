/**
 * All that rowmill needs of Kafka. Nothing outside src/kafka/ imports KafkaJS. It talks and decides nothing: offsets in,
 * messages out.
 *
 * Reading uses KafkaJS's cluster and protocol layer below its consumer, and membership its ConsumerGroup without its
 * runner (DESIGN.md, "Why not the KafkaJS consumer"). The version is pinned exactly for that reason.
 */
export { KafkaAdmin, type TopicSettings } from './admin.ts'
export { Kafka, type KafkaSettings } from './client.ts'
export { describeKafkaError } from './errors.ts'
export { type Committed, GroupMember, type MembershipHandlers } from './member.ts'
export { type OutgoingMessage, Producer } from './producer.ts'
export { type Fetched, Reader } from './reader.ts'
export { bytesOf, copyOf, describeUnreadable, type Message } from './record-batch.ts'
export { registerSchemas } from './schema-registry.ts'
export type { Position, TopicPartition } from './topic-partition.ts'
export type { ValueFormat } from './value-format.ts'
