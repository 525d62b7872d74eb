/** docs/going-real-time.md, block by block, as a reader runs it: in one shell, with the same workers throughout. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { testFolder } from './helpers/cli.ts'
import { descendants, untilGone } from './helpers/processes.ts'
import { python } from './helpers/python.ts'
import { until } from './helpers/until.ts'

const ROOT = join(import.meta.dirname, '..')
const DOC = readFileSync(join(ROOT, 'docs/going-real-time.md'), 'utf8')

interface Block {
  readonly language: string
  readonly text: string
}

/** What the page needs and rowmill does not bring, in words. */
function missing(): string | false {
  return spawnSync('kcat', ['-V']).error ? 'there is no kcat here' : false
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

/** The page's blocks, in order, with another port in place of 9092. */
function blocksOf(port: number): Block[] {
  const blocks = [...DOC.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return blocks.map(([, language, text]) => ({ language: language!, text: text!.replaceAll('9092', `${port}`) }))
}

/** A folder in which `rowmill` is installed, and what finds it there. */
function install(folder: string): NodeJS.ProcessEnv {
  const bin = join(folder, 'bin')
  const sdk = join(folder, 'node_modules/rowmill')
  for (const path of [bin, sdk]) mkdirSync(path, { recursive: true })
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'bin/rowmill.js')}" "$@"\n`
  writeFileSync(join(bin, 'rowmill'), command, { mode: 0o755 })
  writeFileSync(join(sdk, 'package.json'), '{"name": "rowmill", "type": "module", "exports": "./index.js"}')
  writeFileSync(
    join(sdk, 'index.js'),
    `export * from ${JSON.stringify(pathToFileURL(join(ROOT, 'src/index.ts')).href)}\n`,
  )
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  symlinkSync(join(ROOT, 'examples'), join(sdk, 'examples'))
  const PATH = [bin, dirname(process.execPath), dirname(python), process.env['PATH']].join(delimiter)
  return { ...process.env, PATH }
}

test('docs/going-real-time.md runs as it stands, step by step, and says what it says it says', {
  skip: missing(),
}, async t => {
  const folder = testFolder(t)
  const env = install(folder)
  const blocks = blocksOf(await freePort())
  assert.ok(blocks.filter(({ language }) => language === 'sh').length >= 6)
  for (const { language, text } of blocks) {
    if (language === 'ts') writeFileSync(join(folder, /^\/\/ (\S+\.ts)\n/.exec(text)![1]!), text)
  }
  const shell = spawn('bash', ['-e'], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let [stdout, stderr] = ['', '']
  shell.stdout.on('data', chunk => {
    stdout += chunk
  })
  shell.stderr.on('data', chunk => {
    stderr += chunk
  })
  let ended = false
  shell.once('exit', () => {
    ended = true
  })
  let started = descendants(shell.pid!)
  t.after(async () => {
    // What runs in the background outlives the shell, and is of its group all the same.
    started = [...started, ...descendants(shell.pid!)]
    try {
      process.kill(-shell.pid!, 'SIGKILL')
    } catch {
      // There is nothing left.
    }
    await untilGone(started)
  })
  const says = (what: string, holds: () => boolean) =>
    until(what, () => {
      assert.ok(!ended, `the shell ended before it said ${what}\n${stdout}\n${stderr}`)
      return holds()
    })
  const said: string[] = []
  for (const [i, { language, text }] of blocks.entries()) {
    if (language === 'text') {
      for (const line of text.trimEnd().split('\n')) await says(line, () => stdout.split('\n').includes(line))
      said.push(...text.trimEnd().split('\n'))
    }
    if (language !== 'sh') continue
    shell.stdin.write(`${text}\necho "done ${i}"\n`)
    await says(`done ${i}`, () => stdout.split('\n').includes(`done ${i}`))
    started = [...started, ...descendants(shell.pid!)]
  }
  assert.ok(said.length >= 9)
  const follows = () => readFileSync(join(folder, 'orders.csv'), 'utf8').trimEnd().split('\n').sort()
  await says('orders.csv grows', () => follows().length === 2)
  assert.deepEqual(follows(), ['20,a green shoe,shoe', '21,a cap,other'])
  for (const line of ['20,a green shoe,shoe', '0 30,a blue shoe,shoe'])
    assert.equal(stdout.split('\n').filter(other => other === line).length, 1, `${line} once`)
})
