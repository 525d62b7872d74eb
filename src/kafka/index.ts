/**
 * Everything that rowmill needs from Kafka. Nothing outside src/kafka/ imports KafkaJS. This room decides nothing: offsets
 * in, messages out.
 *
 * We read with KafkaJS's cluster and protocol layer, below its consumer, and use its ConsumerGroup without its runner
 * (docs/decisions.md, "Why not the KafkaJS consumer"). For that reason the version of KafkaJS is pinned exactly.
 */
export type { KafkaAdmin, PartitionReplicas, TopicSettings } from './admin.ts'
export { Kafka, type KafkaSettings } from './client.ts'
export type { ClusterProbe } from './cluster-probe.ts'
export type { ClusterSettings } from './cluster-settings.ts'
export type {
  AllowedOperations,
  DescribedCluster,
  DescribedGroup,
  DescribedMember,
  Operation,
} from './describe-requests.ts'
export { describeKafkaError } from './errors.ts'
export { findOpenTransaction, openTransactions } from './find-open-transaction.ts'
export { type Committed, GroupOffsets } from './group-offsets.ts'
export { TRACEPARENT } from './headers.ts'
export type { LeaderlessPartition } from './leaderless.ts'
export type { ClientLimits } from './limits.ts'
export type { GroupMember, Member, MemberHandlers } from './member.ts'
export { bytesOf, copyOf, describeUnreadable, type Message } from './message.ts'
export type { OutgoingMessage } from './outgoing-batch.ts'
export { Producer } from './producer.ts'
export { type Fetched, Reader } from './reader.ts'
export { aclCommand, type Right } from './rights.ts'
export { registerSchemas } from './schema-registry.ts'
export type { ClusterSecurity, SaslSettings, TlsSettings } from './security.ts'
export type { PartitionOffset, TopicPartition } from './topic-partition.ts'
export { type TopicRefusal, TopicsRefused } from './topic-refusals.ts'
export type { ValueFormat } from './value-format.ts'
