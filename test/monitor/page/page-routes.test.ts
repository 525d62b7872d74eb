import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PAGE_FILES } from '../../../src/monitor/page/page-files.ts'
import { ask } from '../../helpers/http.ts'
import { aJob, aView, MadeSource } from '../../helpers/made-view.ts'
import { servePage } from '../../helpers/page-server.ts'

const FILES = join(import.meta.dirname, '../../../src/monitor/page/files')

test('every file of the page is served, with a strict policy, and loads nothing from elsewhere', async t => {
  const page = await servePage(new MadeSource())
  t.after(() => page.close())
  for (const [path, { type }] of Object.entries(PAGE_FILES)) {
    const { status, headers, body } = await ask(`${page.address}${path}`)
    assert.deepEqual([status, headers['content-type'], headers['x-content-type-options']], [200, type, 'nosniff'], path)
    assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self';/)
    assert.equal(headers['referrer-policy'], 'no-referrer')
    if (path.startsWith('/uplot/')) continue
    assert.doesNotMatch(
      body,
      /innerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|style="|onclick=/,
      path,
    )
    assert.doesNotMatch(body.replace('http://www.w3.org/2000/svg', ''), /https?:\/\//, path)
  }
  assert.equal(Object.keys(PAGE_FILES).length, readdirSync(FILES).length + 3)
  assert.match((await ask(`${page.address}/uplot/license.txt`)).body, /Permission is hereby granted, free of charge/)
})

test('scripts of the page import only scripts that are served', () => {
  for (const name of readdirSync(FILES).filter(name => name.endsWith('.js')))
    for (const [, imported] of readFileSync(join(FILES, name), 'utf8').matchAll(/^import .* from '\.(.*)'$/gm))
      assert.ok(PAGE_FILES[imported!], `${name} imports ${imported}`)
})

test('/api/view says what the page shows now, of the job that is asked for', async t => {
  const source = new MadeSource()
  const page = await servePage(source)
  t.after(() => page.close())
  assert.equal(
    JSON.parse((await ask(`${page.address}/api/view`)).body).headline.sentence,
    'Reading the pipeline for the first time.',
  )
  source.show(aView({ jobs: [aJob({ id: 'a' }), aJob({ id: 'b' })] }))
  const { headers, body } = await ask(`${page.address}/api/view?job=b`)
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(JSON.parse(body).job.id, 'b')
})

test('a stream of another origin, or for a name that is not ours, is refused', async t => {
  const page = await servePage(new MadeSource())
  t.after(() => page.close())
  const stream = `${page.address}/api/stream`
  assert.equal((await ask(stream, { headers: { Origin: 'http://evil.example' } })).status, 403)
  assert.equal((await ask(stream, { headers: { Host: 'evil.example' } })).status, 403)
})
