import { RowmillError } from '../../errors.ts'
import { openFilesAdvice, openFilesLimit } from '../../support/open-files.ts'

/** Kafka 4.4.0 had 102 files open before its first topic, jars and sockets included. */
const KAFKA_FILES = 110
/** One segment of each partition in each of the topics rows, bulk and results. */
const FILES_A_PARTITION = 3
/** The connections of a worker. The command itself needs as many as two workers. */
const FILES_A_WORKER = 8

/**
 * Throws TOO_MANY_OPEN_FILES if a local broker would reach the limit. Without this check, a JVM that cannot open its jars
 * reports a missing class, and a broker that cannot accept a connection leaves its clients waiting in silence.
 */
export function requireOpenFiles(
  { partitions, workers }: { partitions: number; workers: number },
  limit = openFilesLimit(),
): void {
  const needed = KAFKA_FILES + FILES_A_PARTITION * partitions + FILES_A_WORKER * (workers + 2)
  if (limit === null || limit >= needed) return
  const what =
    partitions === 0 ? ', and more with each partition' : ` for ${partitions} partitions and ${workers} workers`
  const needs = `the local Kafka needs ${needed} open files${what}`
  throw new RowmillError('TOO_MANY_OPEN_FILES', `${needs}. ${openFilesAdvice(limit)}`, { limit, needed })
}
