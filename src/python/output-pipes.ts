import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** A pipe for an output of a process. */
export interface OutputPipe {
  readonly readable: Readable
  /** The descriptor that writes into it. */
  readonly descriptor: number
}

/** The pipes for standard output and standard error. */
export interface OutputPipes {
  readonly stdout: OutputPipe
  readonly stderr: OutputPipe
  /** Closes our descriptors that write: the process has them now. Otherwise the outputs would never end. */
  handOver(): void
}

/**
 * Pipes as a shell makes them. The pipes of Node are pairs of sockets, and Linux lets nobody open a socket by its path: so
 * `echo failed > /dev/stderr` would end with ENXIO in a process that the user's code starts. Null: the system has none.
 */
export function openOutputPipes(): OutputPipes | null {
  if (process.platform !== 'linux') return null // elsewhere /dev/stderr is a copy of the descriptor, whatever it is
  let folder: string | null = null
  try {
    folder = mkdtempSync(join(tmpdir(), 'rowmill-output-'))
    const paths = [join(folder, 'stdout'), join(folder, 'stderr')] as const
    // Node has no call for it.
    if (spawnSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' }).status !== 0) return null
    const [stdout, stderr] = [openPipe(paths[0]), openPipe(paths[1])]
    const handOver = () => {
      for (const { descriptor } of [stdout, stderr]) closeSync(descriptor)
    }
    return { stdout, stderr, handOver }
  } catch {
    return null
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}

function openPipe(path: string): OutputPipe {
  // Opened first and without waiting for a writer. Then the writer need not wait either.
  const reads = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const readable = new Socket({ fd: reads, readable: true, writable: false })
  readable.on('error', () => {}) // the end of the process tells what went wrong
  return { readable, descriptor: openSync(path, constants.O_WRONLY) }
}
