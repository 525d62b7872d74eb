/** The packages of OpenTelemetry. They are optional peer dependencies, so they are loaded where tracing is on and nowhere else. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Api from '@opentelemetry/api'
import { RowmillError } from '../errors.ts'

export type OpenTelemetry = typeof Api

/** The part of `@opentelemetry/sdk-node` that is used here. A clone is installed without it. */
export interface NodeSdk {
  readonly NodeSDK: new (options: {
    readonly serviceName?: string
    readonly metricReaders: readonly never[]
    readonly logRecordProcessors: readonly never[]
  }) => { start(): void }
}

const API = '@opentelemetry/api'
const SDK = '@opentelemetry/sdk-node'

/** Throws USAGE if the package is not installed. */
export async function loadApi(): Promise<OpenTelemetry> {
  const path = find(API)
  if (path === null) throw missing(`OpenTelemetry traces need the package ${API}, which is not installed`)
  return load<OpenTelemetry>(path)
}

/** Throws USAGE if the package is not installed. */
export async function loadSdk(): Promise<NodeSdk> {
  return load<NodeSdk>(findSdk())
}

/** Where the SDK is. Throws USAGE if it is not installed. */
export function findSdk(): string {
  const path = find(SDK)
  if (path !== null) return path
  throw missing(`OpenTelemetry traces need an SDK: none is registered, and ${SDK} is not installed`)
}

/** The project of the user comes first: what it registers is of its own copy of the packages. */
function find(name: string): string | null {
  for (const from of [join(process.cwd(), 'any.js'), import.meta.filename]) {
    try {
      return createRequire(from).resolve(name)
    } catch {} // not there
  }
  return null
}

async function load<T>(path: string): Promise<T> {
  const { default: loaded } = (await import(pathToFileURL(path).href)) as { default: T }
  return loaded
}

function missing(what: string): RowmillError {
  const message =
    `${what}. Run npm install ${API} ${SDK} where you run rowmill, or register an SDK of your own: ` +
    'NODE_OPTIONS="--import ./tracing.mjs". docs/tracing.md has an example'
  return new RowmillError('USAGE', message, { package: SDK })
}
