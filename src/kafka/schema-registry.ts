import { RowmillError } from '../errors.ts'
import { maskKnown } from '../support/credentials.ts'

/** An optional peer dependency, so it is loaded where a registry is used and nowhere else. */
const CLIENT = '@kafkajs/confluent-schema-registry'
/** How long the registry has for one answer. */
const ANSWER_MS = 10_000

/**
 * The ids of these Avro schemas (subject to JSON text) in the schema registry at `url`, which may hold user:password.
 * Registers what is not there; where all are, it only reads. The registry's rules of compatibility stay as they are.
 * Throws USAGE where the client is not installed, and REGISTRY_UNREACHABLE.
 */
export async function registerSchemas<S extends string>(
  url: string,
  schemas: Readonly<Record<S, string>>,
): Promise<Record<S, number>> {
  const client = await loadClient()
  const { host, auth } = splitUrl(url)
  const registry = new client.SchemaRegistry({ host, middlewares: [answerInTime], ...(auth ? { auth } : {}) })
  const idOf = async ([subject, schema]: [string, string]): Promise<[string, number]> => {
    try {
      return [subject, await findOrRegister(client, registry, { subject, schema })]
    } catch (cause) {
      throw unreachable(host, subject, withoutLogin(cause as Error, auth))
    }
  }
  return Object.fromEntries(await Promise.all(Object.entries<string>(schemas).map(idOf))) as Record<S, number>
}

/** The parts of the client that are used here. A clone is installed without the client, so these are not its own types. */
interface Client {
  readonly SchemaRegistry: new (options: {
    readonly host: string
    readonly middlewares: readonly Middleware[]
    readonly auth?: { readonly username: string; readonly password: string }
  }) => SchemaRegistry
  readonly SchemaType: { readonly AVRO: string }
  readonly COMPATIBILITY: Readonly<Record<string, string>>
}

interface SchemaRegistry {
  getRegistryIdBySchema(subject: string, schema: AvroText): Promise<number>
  register(
    schema: AvroText,
    options: { readonly subject: string; readonly compatibility: string; readonly updateConfig: boolean },
  ): Promise<{ readonly id: number }>
}

/** Throws USAGE if the package of the client is not installed. */
export async function requireRegistryClient(): Promise<void> {
  await loadClient()
}

interface AvroText {
  readonly type: string
  readonly schema: string
}

interface Request {
  enhance(options: { readonly timeout: number }): Request
}

type Middleware = () => { prepareRequest(next: () => Promise<Request>): Promise<Request> }

async function loadClient(): Promise<Client> {
  try {
    return await import(CLIENT)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = `--schema-registry needs the package ${CLIENT}, which is not installed: npm install ${CLIENT}@4 beside rowmill (with -g where rowmill was installed so)`
    throw new RowmillError('USAGE', message, { package: CLIENT }, { cause })
  }
}

/** Several that start at once all find nothing, and one of them registers it: to the others that may be an error. */
async function findOrRegister(
  client: Client,
  registry: SchemaRegistry,
  { subject, schema: text }: { subject: string; schema: string },
): Promise<number> {
  const schema: AvroText = { type: client.SchemaType.AVRO, schema: text }
  try {
    return await registry.getRegistryIdBySchema(subject, schema)
  } catch (error) {
    if ((error as Error).name !== 'ConfluentSchemaRegistryError') throw error // what this one says is: not found
  }
  try {
    return await register(client, registry, { subject, schema })
  } catch (error) {
    return await registry.getRegistryIdBySchema(subject, schema).catch(() => Promise.reject(error))
  }
}

/** The client refuses a subject under another level than it is told, and cannot be asked which one that is. */
async function register(
  { COMPATIBILITY }: Client,
  registry: SchemaRegistry,
  { subject, schema }: { subject: string; schema: AvroText },
): Promise<number> {
  let fault: unknown
  for (const compatibility of Object.values(COMPATIBILITY)) {
    try {
      return (await registry.register(schema, { subject, compatibility, updateConfig: false })).id
    } catch (error) {
      fault = error
      if ((error as Error).name !== 'ConfluentSchemaRegistryCompatibilityError') break
    }
  }
  throw fault
}

function splitUrl(text: string): { host: string; auth: { username: string; password: string } | null } {
  const url = new URL(text)
  const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  url.username = ''
  url.password = ''
  return { host: url.href.replace(/\/+$/, ''), auth: username || password ? { username, password } : null }
}

/** Without it, a registry that never answers is waited for without end. */
const answerInTime: Middleware = () => ({
  prepareRequest: async next => (await next()).enhance({ timeout: ANSWER_MS }),
})

/** The error without the login, which a registry may repeat. */
function withoutLogin(error: Error, auth: { username: string; password: string } | null): Error {
  if (auth) error.message = maskKnown(error.message, [auth.password, `${auth.username}:${auth.password}`])
  return error
}

function unreachable(host: string, subject: string, cause: unknown): RowmillError {
  const { message: said, status = 0 } = cause as { message: string; status?: number }
  // The client calls what did not get an answer a status of 400.
  const what = said.replace(/^Confluent_Schema_Registry - (Error, status 400: )?/, '').trim()
  const message = `no schema registry at ${host} gives an id for ${subject}: ${what}. ${adviceOn(status)}`
  return new RowmillError('REGISTRY_UNREACHABLE', message, { registry: host, subject }, { cause })
}

function adviceOn(status: number): string {
  if (status === 401 || status === 403)
    return 'Give user and password in ROWMILL_SCHEMA_REGISTRY=https://USER:PASSWORD@HOST, or in a file: --schema-registry-userinfo-file FILE'
  if (status === 409 || status === 422) return 'The registry refuses the schema: what are its rules of compatibility?'
  return 'Is the registry running, and --schema-registry the address that it serves /subjects below?'
}
