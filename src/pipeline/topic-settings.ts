import type { PipelineTopics } from './topic-names.ts'

/**
 * A rows message is cut at 256 KB, but a single row with a few cells of the largest size is longer than Kafka's 1 MB.
 */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** What Kafka adds to the value of a message at most: its batch, its key, and what is left to be safe. */
export const OVERHEAD_BYTES = 1024
/**
 * Every topic must take this much: a request of several messages is this long (`SEND_BYTES` in partition-sender.ts).
 */
const LEAST_MESSAGE_BYTES = 1_000_000
/** Rows must survive a night without workers. */
const SHORT_RETENTION_MS = 24 * 3600 * 1000
/** How long the report of a command that was killed stays. */
const REPORTS_MS = 24 * 3600 * 1000
/** Of closed segments. A report comes every few seconds, so old ones hold nothing that a newer one does not. */
const REPORTS_BYTES = 16 * 1024 * 1024
/** Only closed segments are compacted. Kafka takes no smaller ones. */
const REPORTS_SEGMENT_BYTES = 1024 * 1024
const REPORTS_SEGMENT_MS = 10 * 60 * 1000
const ROW_LIMIT = 'max.message.bytes'
const CODECS: readonly string[] = ['gzip', 'snappy', 'lz4', 'zstd']

/** The settings of one topic by name, as the broker reports them. */
export type TopicSettingsFound = ReadonlyMap<string, string>

/** What is wrong with a setting of a topic. */
export interface Finding {
  readonly topic: string
  /** Whether rows would be lost. Otherwise the setting is only doubtful. */
  readonly losesRows: boolean
  /** A description with the setting and its value. */
  readonly text: string
  /** The setting that cures it. */
  readonly cure: readonly [name: string, value: string]
}

/** The settings of a new topic that do not depend on its cluster. */
export function newTopicConfig(topics: PipelineTopics, topic: string): Record<string, string> {
  if (topic === topics.reports) return newReportsConfig()
  const config = {
    'cleanup.policy': 'delete',
    // As the producer sent it: a broker that compresses again spends time on every batch.
    'compression.type': 'producer',
    'max.message.bytes': String(MAX_MESSAGE_BYTES),
    'message.timestamp.type': 'LogAppendTime',
  }
  // A job record is needed as long as any row of the job, so the job log never expires. `rowmill jobs rm` shortens it.
  return topic === topics.jobs ? { ...config, 'retention.ms': '-1', 'retention.bytes': '-1' } : config
}

/** It stays small: a reader begins with all of it. */
function newReportsConfig(): Record<string, string> {
  return {
    'cleanup.policy': 'compact,delete',
    'compression.type': 'producer',
    'message.timestamp.type': 'LogAppendTime',
    'retention.ms': String(REPORTS_MS),
    'retention.bytes': String(REPORTS_BYTES),
    'segment.bytes': String(REPORTS_SEGMENT_BYTES),
    'segment.ms': String(REPORTS_SEGMENT_MS),
  }
}

/** What is wrong with the settings of topics that existed before. Unknown settings are not judged. */
export function judgeSettings(topics: PipelineTopics, found: ReadonlyMap<string, TopicSettingsFound>): Finding[] {
  return [...found].flatMap(([topic, settings]) => {
    const judge = new Judge(topic, settings)
    if (topic === topics.reports) {
      judge.reports()
      return judge.findings
    }
    judge.size()
    judge.compression()
    if (topic === topics.jobs) judge.broadcast()
    else if (topic === topics.rejects) judge.rejects()
    else judge.rows()
    if (topic === topics.results) judge.outlasts([topics.rows, topics.bulk], found)
    return judge.findings
  })
}

class Judge {
  readonly findings: Finding[] = []
  readonly #topic: string
  readonly #settings: TopicSettingsFound

  constructor(topic: string, settings: TopicSettingsFound) {
    this.#topic = topic
    this.#settings = settings
  }

  size(): void {
    const name = ROW_LIMIT
    const bytes = this.#number(name)
    if (bytes === null || bytes >= MAX_MESSAGE_BYTES) return
    if (bytes < LEAST_MESSAGE_BYTES)
      this.#refuse(
        name,
        `is below ${LEAST_MESSAGE_BYTES}: the broker would refuse what rowmill sends`,
        MAX_MESSAGE_BYTES,
      )
    else
      this.#doubt(
        name,
        `limits rows to ${bytes - OVERHEAD_BYTES} bytes. Longer ones are refused or rejected`,
        MAX_MESSAGE_BYTES,
      )
  }

  compression(): void {
    const name = 'compression.type'
    if (CODECS.includes(this.#settings.get(name) ?? ''))
      this.#doubt(name, 'makes the broker compress every batch again', 'producer')
  }

  broadcast(): void {
    this.#compact('deletes job records, of which each job needs all')
    for (const name of ['retention.ms', 'retention.bytes']) {
      if (isLimit(this.#retention(name)))
        this.#refuse(name, 'deletes job records, and rows without a job record are rejected', -1)
    }
  }

  rejects(): void {
    if (this.#isCompacted) this.#doubt('cleanup.policy', 'deletes rejects: those of a job have one key', 'delete')
  }

  reports(): void {
    const isKnown = this.#settings.has('cleanup.policy')
    if (isKnown && !this.#isCompacted && !isLimit(this.#retention('retention.bytes')))
      this.#doubt('cleanup.policy', 'keeps every report, also those that a later one replaces', 'compact')
  }

  rows(): void {
    this.#compact('deletes rows: all rows of a job have one key')
    const retention = this.#retention('retention.ms')
    if (isLimit(retention) && retention < SHORT_RETENTION_MS)
      this.#doubt('retention.ms', 'deletes rows within a day, also those that nobody has read', 7 * SHORT_RETENTION_MS)
    if (isLimit(this.#retention('retention.bytes')))
      this.#doubt('retention.bytes', 'deletes rows of a large job, also those that nobody has read', -1)
    if (isLimit(retention) && this.#settings.get('message.timestamp.type') === 'CreateTime')
      this.#doubt(
        'message.timestamp.type',
        'lets a client with a wrong clock have its rows deleted at once',
        'LogAppendTime',
      )
  }

  /** Results must not be deleted before their rows: the rows count as done, so the results would be lost. */
  outlasts(rowTopics: readonly string[], found: ReadonlyMap<string, TopicSettingsFound>): void {
    for (const name of ['retention.ms', 'retention.bytes']) {
      const own = this.#retention(name)
      const limits = rowTopics.map(topic => ({ topic, limit: retentionOf(found.get(topic), name) }))
      const known = limits.filter((each): each is { topic: string; limit: number } => each.limit !== null)
      const longest = known.find(({ limit }) => !isLimit(limit)) ?? known.sort((a, b) => b.limit - a.limit)[0]
      if (!longest || !isLimit(own) || (isLimit(longest.limit) && own >= longest.limit)) continue
      const { topic, limit } = longest
      this.#refuse(name, `is below ${limit} of ${topic} and may delete results before their rows`, limit)
    }
  }

  get #isCompacted(): boolean {
    return (this.#settings.get('cleanup.policy') ?? '').split(',').includes('compact')
  }

  #compact(what: string): void {
    if (this.#isCompacted) this.#refuse('cleanup.policy', what, 'delete')
  }

  #retention(name: string): number | null {
    return retentionOf(this.#settings, name)
  }

  #number(name: string): number | null {
    return numberOf(this.#settings, name)
  }

  #refuse(name: string, what: string, cure: string | number): void {
    this.#add(true, name, { what, cure })
  }

  #doubt(name: string, what: string, cure: string | number): void {
    this.#add(false, name, { what, cure })
  }

  #add(losesRows: boolean, name: string, { what, cure }: { what: string; cure: string | number }): void {
    const text = `${name}=${this.#settings.get(name)} ${what}`
    this.findings.push({ topic: this.#topic, losesRows, text, cure: [name, String(cure)] })
  }
}

function numberOf(settings: TopicSettingsFound | undefined, name: string): number | null {
  const text = settings?.get(name)
  return text === undefined ? null : Number(text)
}

/** -1: nothing is deleted. Null: unknown, or the topic is only compacted, and so has no such limit. */
function retentionOf(settings: TopicSettingsFound | undefined, name: string): number | null {
  const policy = settings?.get('cleanup.policy')
  if (policy === undefined || policy.split(',').includes('delete')) return numberOf(settings, name)
  return policy.includes('compact') ? null : -1
}

/** Whether there is a limit: -1 means none. */
function isLimit(limit: number | null): limit is number {
  return limit !== null && limit >= 0
}

/** Whether the topic takes messages of the size that rowmill sends, but not the longest rows. */
export function limitsRows({ losesRows, cure: [name] }: Finding): boolean {
  return !losesRows && name === ROW_LIMIT
}

/** One sentence for each topic, with Kafka's own command that changes the settings. */
export function describeFindings(findings: readonly Finding[], brokers: string): string[] {
  return [...Map.groupBy(findings, ({ topic }) => topic)].map(
    ([topic, those]) =>
      `topic ${topic}: ${those.map(({ text }) => text).join('; ')}. To change it: ${settingsCommand(those, brokers)}`,
  )
}

/** One line about the longest row that fits. Null: the topics that carry rows are as long as those that we make. */
export function describeRowLimit(
  { rows, bulk, results }: PipelineTopics,
  found: ReadonlyMap<string, TopicSettingsFound>,
): string | null {
  const limits = [rows, bulk, results].map(topic => ({ topic, bytes: numberOf(found.get(topic), ROW_LIMIT) }))
  const low = limits.filter(({ bytes }) => bytes !== null && bytes >= LEAST_MESSAGE_BYTES && bytes < MAX_MESSAGE_BYTES)
  if (low.length === 0) return null
  const longest = Math.min(...low.map(({ bytes }) => bytes!)) - OVERHEAD_BYTES
  const names = low.map(({ topic }) => topic).join(', ')
  return `rows longer than ${longest} bytes are refused or rejected (${ROW_LIMIT} of ${names}). rowmill topics check prints the commands that raise it`
}

/** Kafka's own command that cures these findings, which are about one topic. */
export function settingsCommand(findings: readonly Pick<Finding, 'topic' | 'cure'>[], brokers: string): string {
  const cures = new Map(findings.map(({ cure }) => cure))
  const config = [...cures].map(([name, value]) => `${name}=${value}`).join(',')
  return `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics --entity-name ${findings[0]!.topic} --add-config ${config}`
}
