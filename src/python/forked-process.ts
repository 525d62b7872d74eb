import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { realTime } from '../support/clock.ts'
import { killIfSame, type ProcessIdentity } from '../support/process-identity.ts'
import type { Say } from '../support/say.ts'
import { newMark } from '../support/started-processes.ts'
import { afterSilence } from './after-silence.ts'
import { type OutputPipe, openOutputPipes } from './output-pipes.ts'
import type { ProcessEnd, PythonProcess } from './python-process.ts'

/** The connections to one process. All but `control` become its descriptors, `channel` two of them. */
const PARTS = ['control', 'channel', 'lifeline'] as const

/** A fork server answers within this time, or it is killed, as when somebody stopped it. Then its processes end too. */
const ANSWER_MS = 5_000

export interface ForkServerAddress {
  /** The path of its socket. */
  readonly socket: string
  readonly server: ProcessIdentity
}

/** What the fork server says on `control`, in one line of JSON each. */
type FromServer = { readonly pid: number } | ProcessEnd

/**
 * Has this fork server fork a process. `args` are those of the program after the pid. The server kills the process as soon as
 * `control` ends on our side. A server that does not answer is killed, and `say` is told in one sentence. Resolves with null
 * if the server gives no process, and never rejects.
 */
export async function forkPython(
  { socket, server }: ForkServerAddress,
  args: readonly string[],
  say: Say,
): Promise<PythonProcess | null> {
  const outputs = openOutputPipes()
  if (outputs === null) return null
  const [stdout, stderr] = [outputs.stdout.readable, outputs.stderr.readable]
  const pathOf = ({ descriptor }: OutputPipe) => `/proc/${process.pid}/fd/${descriptor}`
  const request = { mark: newMark(), args, stdout: pathOf(outputs.stdout), stderr: pathOf(outputs.stderr) }
  const connections = openConnections(socket, request)
  const [control, channel] = connections as [Socket, Socket, Socket]
  const release = () => {
    for (const stream of [stdout, stderr, ...connections]) stream.destroy()
  }
  const forked = Promise.withResolvers<number | null>()
  const ended = Promise.withResolvers<ProcessEnd>()
  for (const connection of connections) connection.on('error', () => forked.resolve(null))
  onLines(control, line => {
    const said = JSON.parse(line) as FromServer
    if ('pid' in said) forked.resolve(said.pid)
    else ended.resolve(said)
  })
  control.on('close', () => {
    forked.resolve(null)
    ended.resolve({ exitCode: null, signal: 'SIGKILL' }) // the server was killed, and the kernel kills its processes
  })
  const killSilent = () => {
    if (!killIfSame(server)) return
    say(
      `the fork server (pid ${server.pid}) did not answer for ${ANSWER_MS / 1000} s and was killed: each Python now starts by itself`,
      { level: 'warn' },
    )
  }
  afterSilence(forked.promise, killSilent, { ms: ANSWER_MS, time: realTime })
  const pid = await forked.promise
  outputs.handOver()
  if (pid === null) {
    release()
    return null
  }
  return {
    ...{ pid, mark: request.mark, stdout, stderr, requests: channel, answers: channel },
    ended: ended.promise,
    closed: Promise.all([stdout, stderr, channel].map(stream => new Promise(resolve => stream.once('close', resolve)))),
    kill() {
      control.end()
      afterSilence(ended.promise, killSilent, { ms: ANSWER_MS, time: realTime })
    },
    release,
  }
}

/** Each connection begins with a line that says which process and which part of it it is for. */
function openConnections(socket: string, request: object): Socket[] {
  const id = randomBytes(8).toString('hex')
  return PARTS.map(part => {
    // After we have ended `control`, the server still says how the process ended.
    const connection = connect({ path: socket, allowHalfOpen: part === 'control' })
    connection.write(`${JSON.stringify({ id, part, ...(part === 'control' ? request : {}) })}\n`)
    return connection
  })
}

function onLines(control: Socket, take: (line: string) => void): void {
  let text = ''
  control.setEncoding('utf8')
  control.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    for (const line of lines) take(line)
  })
  control.on('end', () => control.end())
}
