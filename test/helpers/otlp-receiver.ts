/** Receives traces as a collector of OpenTelemetry does: OTLP over HTTP, in JSON. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

/** A project of a user who installed the packages of OpenTelemetry: scripts/prepare-machine.ts. */
export const TRACING_PROJECT = join(import.meta.dirname, '../tracing-sdk')

type Value = string | number | boolean
type Attributes = Readonly<Record<string, Value>>

export interface ReceivedSpan {
  readonly service: Value
  readonly name: string
  /** 1 is internal, 4 a producer, 5 a consumer. */
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[]
  /** Code 2 is an error. */
  readonly status: { readonly code?: number; readonly message?: string }
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = []
  /** Whether requests stay without an answer. */
  hangs = false
  /** How many requests came. */
  requests = 0
  readonly #server: Server
  #arrived = Promise.withResolvers<void>()

  private constructor() {
    this.#server = createServer(async (request, answer) => {
      const body = (await json(request)) as Exported
      this.requests++
      if (this.hangs) return this.#news()
      if (request.url === '/v1/traces') this.spans.push(...spansOf(body))
      answer.setHeader('content-type', 'application/json').end('{}')
      this.#news()
    })
  }

  static async start(t: TestContext): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    const server = receiver.#server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return receiver
  }

  /** What turns tracing on for a process that runs in TRACING_PROJECT, with this receiver. */
  get env() {
    const { port } = this.#server.address() as AddressInfo
    return {
      ROWMILL_TRACING: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_BSP_EXPORT_TIMEOUT: '30000', // the machine may stall for a second
    }
  }

  named(start: string): ReceivedSpan[] {
    return this.spans.filter(({ name }) => name.startsWith(start))
  }

  /** Resolves when the condition holds. It is looked at after each request. */
  async until(holds: (receiver: this) => boolean): Promise<void> {
    while (!holds(this)) await this.#arrived.promise
  }

  #news(): void {
    this.#arrived.resolve()
    this.#arrived = Promise.withResolvers<void>()
  }
}

interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: KeyValues }
    readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[]
  }[]
}

type KeyValues = readonly { readonly key: string; readonly value: Readonly<Record<string, Value>> }[]

interface ExportedSpan
  extends Omit<ReceivedSpan, 'attributes' | 'events' | 'startMs' | 'endMs' | 'service' | 'parentSpanId'> {
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: KeyValues
  readonly events: readonly { readonly name: string; readonly attributes: KeyValues }[]
}

function spansOf({ resourceSpans }: Exported): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = attributesOf(resource.attributes)['service.name']!
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ attributes, events, startTimeUnixNano, endTimeUnixNano, parentSpanId = '', ...span }) => ({
        ...span,
        parentSpanId,
        service,
        startMs: Number(startTimeUnixNano) / 1e6,
        endMs: Number(endTimeUnixNano) / 1e6,
        attributes: attributesOf(attributes),
        events: events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
      })),
    )
  })
}

function attributesOf(list: KeyValues): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, 'intValue' in value ? Number(value['intValue']) : Object.values(value)[0]!]),
  )
}
