/** What happens to real processes on a real broker is on the page of a real monitor, in words. */
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { ownBroker } from '../../crash/own-broker.ts'
import { openBrowser, withoutBrowser } from '../../helpers/browser.ts'
import { rowmill, startRowmill, testFolder } from '../../helpers/cli.ts'
import { descendants, freeze } from '../../helpers/processes.ts'

/** It tells a fault from a machine that is busy. How long it took is in the report of the test. */
const NEVER = { timeout: 90_000 }

/** Waits at row 400 while the file `hold` exists. */
const CLASSIFIER = `
import os, time
def classify_df(df):
    while os.path.exists('hold') and int(df.index[0]) >= 400:
        time.sleep(0.05)
    time.sleep(0.1)
    if (df['A'] == 'bad').any():
        raise ValueError('cannot classify bad')
    df['LENGTH'] = [len(value) for value in df['A']]
`

async function open(t: TestContext) {
  const broker = await ownBroker(t)
  const folder = testFolder(t)
  writeFileSync(join(folder, 'classifier.py'), CLASSIFIER)
  const lines = Array.from({ length: 4000 }, (_, n) => `${n},${n === 210 ? 'bad' : `x${n}`}\n`)
  writeFileSync(join(folder, 'in.csv'), `ID,A\n${lines.join('')}`)
  const at = { env: { ROWMILL_BROKERS: broker.address, ROWMILL_PIPELINE: 'scene' }, cwd: folder }
  const start = (...args: string[]) => {
    const started = startRowmill(args, at)
    t.after(() => started.child.kill('SIGKILL'))
    return started.child
  }
  await rowmill(['topics', 'apply', '--partitions', '4'], at)
  const monitor = start('monitor', '--port', '0')
  const [url] = (await once(createInterface({ input: monitor.stdout }), 'line')) as [string]
  const browser = await openBrowser()
  t.after(() => browser.close())
  const page = await browser.newPage()
  await page.goto(url)
  return {
    broker,
    publish: (job: string, rejects: number) =>
      rowmill(['publish', 'in.csv', '--job', job, '--batch-rows', '50', '--max-rejects', `${rejects}`], at),
    collect: (job: string) => rowmill(['collect', `${job}.csv`, '--job', job], at),
    work: () => start('work', '--classifier', 'classifier.py', '--workers', '1', '--batch-rows', '50'),
    hold: () => writeFileSync(join(folder, 'hold'), ''),
    release: () => rmSync(join(folder, 'hold'), { force: true }),
    async shows(place: string, text: string | RegExp) {
      const from = performance.now()
      await page.locator(place).filter({ hasText: text }).first().waitFor(NEVER)
      t.diagnostic(`${place} ${text}: after ${((performance.now() - from) / 1000).toFixed(1)} s`)
    },
  }
}

/** The process of the worker of a supervisor. */
function workerOf(supervisor: number): number {
  return descendants(supervisor).find(({ parent, name }) => parent === supervisor && name !== 'python')!.pid
}

test('two workers, one killed, one frozen, a rejected row, a failed job, and a broker that comes back', {
  skip: withoutBrowser,
  timeout: 600_000,
}, async t => {
  const { broker, publish, collect, work, hold, release, shows } = await open(t)
  await shows('h1', 'There is no job yet.')
  hold()
  await publish('night', 5)
  await shows('h1', 'Job night waits for a worker: none is running.')
  await shows('#help-command', /^rowmill work .*--pipeline scene/)
  const [first, second] = [work(), work()]
  await shows('h1', 'Job night is running')
  await shows('#reasons', /CLASSIFIER_FAILED\s*1/)
  await shows('#rejects', 'cannot classify bad')
  const classifies = (pid: number) => new RegExp(`-${pid}-1.*pid ${workerOf(pid)}classifying`)
  for (const { pid } of [first, second]) await shows('#workers tbody tr', classifies(pid!))

  process.kill(workerOf(first.pid!), 'SIGKILL')
  await shows('#workers tbody tr', new RegExp(`-${first.pid}-1.*1 restart`))
  await shows('#timeline', /Partitions moved/)
  await shows('#workers tbody tr', classifies(first.pid!))

  const frozen = workerOf(second.pid!)
  t.after(() => process.kill(frozen, 'SIGKILL'))
  await freeze(frozen)
  await shows('#workers tbody tr', new RegExp(`pid ${frozen}! silent for`))
  await shows('#partitions tr.blocks', /output waits here/)
  first.kill('SIGKILL')
  await shows('h1', /waits for worker .*, which stopped answering/)
  second.kill('SIGKILL')

  release()
  work()
  await shows('h1', 'Job night is complete, but 1 row was rejected.')
  await publish('strict', 0)
  void collect('strict') // it is what finds that a row is rejected, and ends the job
  await shows('h1', 'Job strict failed.')
  await shows('#detail', /reject/)

  await broker.kill()
  await shows('h1', 'No Kafka broker answers at')
  await broker.start()
  await shows('h1', 'Job strict failed.')
  await shows('#timeline', 'The broker answers again')
})
