/** Clusters that take a connection and then say nothing, or that want a token which never comes. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { until } from './until.ts'

export const SILENT_PLACES = ['port', 'TLS port', 'token command', 'token endpoint'] as const
export type SilentPlace = (typeof SILENT_PLACES)[number]

export interface Silent {
  /** The properties file of a client. */
  readonly config: string
  /** Resolves when somebody waits there for an answer. */
  readonly asked: Promise<void>
  /** The process that the token command started. Null: there is no token command, or it did not run yet. */
  helper(): number | null
}

export async function silentPlace(
  place: SilentPlace,
  { folder, after }: { folder: string; after: (end: () => void) => void },
): Promise<Silent> {
  const silent = await listen(after, () => {})
  if (place === 'port' || place === 'TLS port') {
    const protocol = place === 'port' ? 'PLAINTEXT' : 'SSL'
    const config = propertiesFile(folder, [
      `bootstrap.servers=127.0.0.1:${silent.port}`,
      `security.protocol=${protocol}`,
    ])
    return { config, asked: silent.asked, helper: () => null }
  }
  const broker = await listen(after, saysItsVersions)
  const pidFile = join(folder, 'helper.pid')
  const helper = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) || null : null)
  const isCommand = place === 'token command'
  const token = isCommand
    ? [`rowmill.token.command=sleep 1000 & echo $! > '${pidFile}'; wait`]
    : [
        `sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:${silent.port}/`,
        'sasl.oauthbearer.client.id=me',
        'sasl.oauthbearer.client.secret=its secret',
      ]
  const login = ['security.protocol=SASL_PLAINTEXT', 'sasl.mechanism=OAUTHBEARER', ...token]
  const config = propertiesFile(folder, [`bootstrap.servers=127.0.0.1:${broker.port}`, ...login])
  const asked = isCommand ? until('the token command runs', () => helper() !== null) : silent.asked
  return { config, asked, helper }
}

function propertiesFile(folder: string, lines: readonly string[]): string {
  const file = join(folder, 'client.properties')
  writeFileSync(file, lines.join('\n'), { mode: 0o600 })
  return file
}

async function listen(after: (end: () => void) => void, serve: (socket: Socket) => void) {
  const asked = Promise.withResolvers<void>()
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    serve(socket)
    asked.resolve()
  })
  after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port, asked: asked.promise }
}

/** Answers ApiVersions (version 2), the first request of a client: it knows that, and how to begin a login. */
function saysItsVersions(socket: Socket): void {
  socket.on('data', request => {
    const known = [
      [17, 0, 1],
      [18, 0, 2],
      [36, 0, 1],
    ].flat() // SaslHandshake, ApiVersions, SaslAuthenticate
    const answer = Buffer.alloc(4 + 4 + 2 + 4 + known.length * 2 + 4)
    answer.writeInt32BE(answer.length - 4)
    request.copy(answer, 4, 8, 12) // the number of the request
    answer.writeInt32BE(known.length / 3, 10)
    for (const [at, value] of known.entries()) answer.writeInt16BE(value, 14 + at * 2)
    socket.write(answer)
  })
}
