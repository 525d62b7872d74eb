import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Finished } from './cli.ts'
import { descendants } from './processes.ts'

/** Secrets that nothing may show: not what a command prints, not the files that it leaves, not a process that it starts. */
export class Canaries {
  readonly #forms: readonly string[]
  readonly #folder: string

  /** Every file of `folder` is searched. The files that hold the secrets are elsewhere. */
  constructor(secrets: readonly string[], folder: string) {
    this.#folder = folder
    this.#forms = secrets.flatMap(secret => [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      ...[0, 1, 2].map(shift => base64Within(secret, shift)),
      Buffer.from(secret).toString('hex'),
    ])
  }

  /** Fails if a secret is in an output or in a file of the folder. Returns what the command printed. */
  check({ code, stdout, stderr }: Finished, expected: number): string {
    assert.equal(code, expected, stderr)
    this.search('its output', `${stdout}${stderr}`)
    for (const name of readdirSync(this.#folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(this.#folder, name)
      if (statSync(file).isFile()) this.search(name, readFileSync(file, 'latin1'))
    }
    return stdout + stderr
  }

  /** The same for the command line of `pid`, and for that and the environment of every process below it. */
  checkProcesses(pid: number): void {
    this.search('its command line', readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
    const below = descendants(pid)
    assert.ok(below.some(({ name }) => name.startsWith('python')))
    for (const { pid, name } of below)
      for (const file of ['cmdline', 'environ']) {
        const text = readFileSync(`/proc/${pid}/${file}`, 'latin1')
        this.search(`${file} of ${name}`, text)
        assert.ok(!text.includes('ROWMILL_PROPERTY'), `${file} of ${name} has ROWMILL_PROPERTY`)
      }
  }

  /** The same for all that a thrown error holds, also where nobody looks. */
  checkError(error: unknown): void {
    this.search('an error', inspect(error, { depth: null, showHidden: true, getters: true }))
  }

  search(where: string, text: string): void {
    const held = this.#forms.filter(form => text.includes(form))
    assert.deepEqual(held, [], `a secret is in ${where}`)
  }
}

/** What base64 of any text with `secret` after `shift` bytes holds for sure: not the characters at both ends. */
function base64Within(secret: string, shift: number): string {
  const text = Buffer.from(`${'x'.repeat(shift)}${secret}`)
    .toString('base64')
    .replace(/=+$/, '')
  return text.slice(shift === 0 ? 0 : 4, -2)
}
