import { closeSync, openSync, readSync } from 'node:fs'

/** What the classifiers of the run write down: a line for each batch, with the process and every index. */
export class ClassifiedLog {
  readonly #file: number
  #text = ''
  /** Job to index to count. */
  readonly #jobs = new Map<string, Map<string, number>>()
  readonly #pids = new Set<number>()

  constructor(path: string) {
    this.#file = openSync(path, 'a+')
  }

  /** Reads what came since the last call. */
  read(): void {
    const chunk = Buffer.alloc(1024 * 1024)
    for (let bytes = readSync(this.#file, chunk); bytes > 0; bytes = readSync(this.#file, chunk)) {
      const lines = (this.#text + chunk.toString('latin1', 0, bytes)).split('\n')
      this.#text = lines.pop()!
      for (const line of lines) this.#take(line)
    }
  }

  /** How often each index was classified. */
  of(job: string): ReadonlyMap<string, number> {
    return this.#jobs.get(job) ?? new Map()
  }

  /** It is complete. */
  forget(job: string): void {
    this.#jobs.delete(job)
  }

  /** Whether this process has classified something. */
  has(pid: number): boolean {
    return this.#pids.has(pid)
  }

  close(): void {
    closeSync(this.#file)
  }

  #take(line: string): void {
    const [pid, ...indices] = line.split(' ')
    this.#pids.add(Number(pid))
    for (const index of indices) {
      const job = jobOf(index)
      const counts = this.#jobs.get(job) ?? new Map<string, number>()
      this.#jobs.set(job, counts.set(index, (counts.get(index) ?? 0) + 1))
    }
  }
}

/** The index of a row, different from those of all other jobs: the number of the job, then seven digits. */
export function indexOf(job: number, row: number): string {
  return `${job}${String(row).padStart(7, '0')}`
}

function jobOf(index: string): string {
  return index.replace(/^\D+/, '').slice(0, -7)
}
