import type { TracerProvider } from '@opentelemetry/api'
import { findSdk, loadApi, loadSdk, type OpenTelemetry } from './load-packages.ts'
import { Tracing } from './tracing.ts'

const SERVICE = 'rowmill'
/** How long to wait for an exporter, unless the user says how long an export may take. */
const FLUSH_MS = 1000

/**
 * Turns tracing on in this process, with the SDK that the user registered, or with `@opentelemetry/sdk-node` and the OTEL_
 * variables. Once in a process. Throws USAGE if a package is missing.
 */
export async function openTracing(): Promise<Tracing> {
  protectStandardOutput()
  const api = await loadApi()
  if (!registered(api)) await startSdk()
  const flush = () => forceFlush(api.trace.getTracerProvider())
  const flushMs = Number(process.env['OTEL_BSP_EXPORT_TIMEOUT']) || FLUSH_MS
  return new Tracing(api, { flush, flushMs, parent: process.env['TRACEPARENT'] })
}

/** For a command whose workers alone trace. Throws USAGE if `openTracing` would. */
export async function checkTracing(): Promise<void> {
  if (!registered(await loadApi())) findSdk()
}

async function startSdk(): Promise<void> {
  const { NodeSDK } = await loadSdk()
  const { OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES = '' } = process.env
  const isNamed = OTEL_SERVICE_NAME || /(^|,)\s*service\.name=/.test(OTEL_RESOURCE_ATTRIBUTES)
  const sdk = new NodeSDK({
    ...(isNamed ? {} : { serviceName: SERVICE }),
    ...{ metricReaders: [], logRecordProcessors: [] }, // rowmill has traces only
  })
  sdk.start()
}

/** Whether somebody registered a provider of tracers. What the API gives before that passes nothing on. */
function registered({ trace, ProxyTracerProvider }: OpenTelemetry): boolean {
  const provider = trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(SERVICE) !== undefined
}

/** Only SDKs have this method, below the proxy of the API. */
async function forceFlush(provider: TracerProvider): Promise<void> {
  type Flushable = { forceFlush?(): Promise<void>; getDelegate?(): Flushable }
  const proxy = provider as Flushable
  await (proxy.getDelegate?.() ?? proxy).forceFlush?.()
}

/**
 * Exporters and the log of the SDK may write to the console, and standard output has rows, or the id of a job. The console
 * itself must change: whoever was loaded before may hold its functions.
 */
function protectStandardOutput(): void {
  Object.assign(console, { _stdout: process.stderr })
}
