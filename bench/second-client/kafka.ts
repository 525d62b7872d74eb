/**
 * src/kafka with @platformatic/kafka for reading and writing. Groups and administration stay with KafkaJS. A spike: no
 * TLS, no login, no compression, no value format. docs/decisions/second-client.md says what came of it.
 */
import { Consumer, Producer as PlatformaticProducer } from '@platformatic/kafka'
import { Kafka, type Producer, type Reader } from '../../src/kafka/index.ts'
import { asReal, type Public } from '../../test/fakes/kafka.ts'
import { OwnFetch } from './own-fetch.ts'
import { SecondProducer } from './producer.ts'
import { SecondReader } from './reader.ts'

const METADATA_MAX_AGE_MS = 60_000
const REQUEST_TIMEOUT_MS = 30_000
/** A send to a new topic must not fail before its broker knows it. */
const AS_KAFKAJS_RETRIES = { retries: 5, retryDelay: 100 }

export class SecondKafka implements Public<Kafka> {
  readonly settings: Kafka['settings']
  readonly #first: Kafka

  constructor(settings: Kafka['settings']) {
    this.settings = settings
    this.#first = new Kafka(settings)
  }

  get patience() {
    return this.#first.patience
  }

  admin() {
    return this.#first.admin()
  }

  member(groupId: string, topics: readonly string[]) {
    return this.#first.member(groupId, topics)
  }

  groupOffsets(groupId: string, topics: readonly string[]) {
    return this.#first.groupOffsets(groupId, topics)
  }

  probe(address: string, signal: AbortSignal) {
    return this.#first.probe(address, signal)
  }

  async producer(): Promise<Producer> {
    const producer = new PlatformaticProducer({ ...this.#options, ...AS_KAFKAJS_RETRIES })
    return asReal<Producer>(new SecondProducer(producer, this.patience))
  }

  async reader(topics: readonly string[], { stableEnds = false } = {}): Promise<Reader> {
    return asReal<Reader>(await SecondReader.open(this.consumer(), topics, { stableEnds, patience: this.patience }))
  }

  /** It joins no group. */
  protected consumer(): Consumer {
    return new Consumer({ ...this.#options, groupId: 'none' })
  }

  /** Without retries: feeds retry themselves. */
  get #options() {
    const { brokers, clientId } = this.settings
    return {
      bootstrapBrokers: [...brokers],
      clientId,
      retries: 0,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      timeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    }
  }
}

/** The same with the client's own fetch, for measurements: it has only what these need. */
export class OwnFetchKafka extends SecondKafka {
  override async reader(): Promise<Reader> {
    return new OwnFetch(this.consumer()) as unknown as Reader
  }
}
