import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { installRowmill, succeeded } from '../helpers/installed.ts'
import { asARun, blocksOf, PageShell } from '../helpers/page.ts'

/** What the page needs and rowmill does not bring, in words. */
function missing(): string | false {
  return spawnSync('kcat', ['-V']).error ? 'there is no kcat here' : false
}

test('docs/going-real-time.md runs as written, step by step, and prints what the page says', {
  skip: missing(),
}, async t => {
  const { home, env, run, compile, remove } = await installRowmill()
  t.after(remove)
  succeeded(await run('npm', ['pkg', 'set', 'type=commonjs'])) // as newer versions of `npm init` write by themselves
  const port = await freePort()
  const blocks = blocksOf('docs/going-real-time.md')
  assert.ok(blocks.filter(({ language }) => language === 'sh').length >= 6)
  const programs = blocks.filter(({ language }) => language === 'ts').map(({ file }) => file!)
  assert.equal(programs.length, 2)
  for (const { file, text } of blocks) if (file) writeFileSync(join(home, file), text.replaceAll('9092', `${port}`))
  await compile(programs, { node: true })
  const shell = new PageShell(t, { cwd: home, env })
  const said: string[] = []
  for (const { language, text } of blocks) {
    if (language === 'sh') await shell.run(text.replaceAll('9092', `${port}`))
    if (language !== 'text') continue
    for (const line of text.trimEnd().split('\n')) await shell.says(line)
    said.push(...text.trimEnd().split('\n'))
  }
  assert.ok(said.length >= 9)
  const follows = () => readFileSync(join(home, 'orders.csv'), 'utf8').trimEnd().split('\n').sort()
  await shell.until('orders.csv grows', () => follows().length === 2)
  assert.deepEqual(follows(), ['20,a green shoe,shoe', '21,a cap,other'])
  for (const line of ['20,a green shoe,shoe', '0 30,a blue shoe,shoe'])
    assert.equal(shell.lines.filter(other => other === line).length, 1, `${line} once`)

  // The same reader opens the other pages about events, with the same broker and the same workers.
  const others = [...blocksOf('examples/producers/README.md').slice(0, 2), ...blocksOf('docs/events.md')]
  assert.deepEqual(
    others.map(({ language }) => language),
    ['sh', 'sh', 'sh', 'ts'],
  )
  for (const { language, text, file } of others) {
    const here = text.replaceAll('9092', `${port}`)
    if (language === 'sh') {
      await shell.run(here.split('\n').map(asARun).join('\n'))
    } else {
      writeFileSync(join(home, file!), here)
      await compile([file!], { node: true })
      await shell.run(`node ${file}`)
    }
  }
  assert.equal(shell.lines.filter(line => line === "0 [ '17', 'shoe', 'shoe' ]").length, 1)
})
