import { RowmillError } from '../../errors.ts'
import { openFilesAdvice, openFilesLimit } from '../../support/open-files.ts'

/** Kafka 4.4.0 had 102 files open before its first topic, jars and sockets included. */
const KAFKA_FILES = 110
/** Of each partition a segment in each of the topics rows, bulk and results. */
const FILES_A_PARTITION = 3
/** The connections of a worker; the command's own are as many as those of two. */
const FILES_A_WORKER = 8

/**
 * Throws TOO_MANY_OPEN_FILES where a local broker would run out of them: a JVM that cannot open its jars complains of a
 * class, and a broker that cannot accept a connection keeps its clients waiting without a word.
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
