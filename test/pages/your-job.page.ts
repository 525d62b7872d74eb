/** Each program of docs/your-job.md and its command write the same bytes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { BIN, startProgram, testFolder } from '../helpers/cli.ts'
import { succeeded } from '../helpers/installed.ts'
import { blocksOf } from '../helpers/page.ts'
import { python } from '../helpers/python.ts'

const ROWS = 250
const texts = ['a red shoe', 'a hat', 'a blue shoe, large', '']
const lines = (header: string, row: (i: number, text: string) => string) =>
  `${header}\n${Array.from({ length: ROWS }, (_, i) => row(i, `"${texts[i % 4]}"`)).join('\n')}\n`
const day = (i: number) => `${String(1 + (i % 28)).padStart(2, '0')}/0${1 + (i % 9)}/2024`
const plain = lines('id,text,price,sold', (i, text) => `${i},${text},${i % 9 ? i / 4 : ''},${i % 2 ? 'True' : 'False'}`)

/** What each program reads. */
const INPUTS: Readonly<Record<string, string | Buffer>> = {
  'orders.csv': plain,
  'bestellungen.csv': Buffer.from(
    lines('id;text;preis', (i, text) => `${i};${text.replace('shoe', 'shoe für')};1.${100 + i},${i % 7}`),
    'latin1',
  ),
  'dates.csv': lines('id,text,ordered', (i, text) => `${i},${text},${day(i)}`),
  'codes.csv': lines('id,text,zip,size', (i, text) => `${i},${text},${String(i).padStart(5, '0')},${'SML'[i % 3]}`),
  'report.csv': `Orders\nof the year\n${lines('id,text,price', (i, text) => `${i},${text},${i / 8}`)}sum,,1234\n`,
  'measured.txt': Array.from({ length: ROWS }, (_, i) => `${i}   shoe${i}  ${i / 8}  # ok\n`).join(''),
  'prices.csv': lines('id,text,price,stock', (i, text) => `${i},${text},${i / 4},${i % 50 ? i : 'n/a'}`),
  'excel.txt': Buffer.from(
    `\ufeff${lines('id\ttext\tsize', (i, text) => `${i}\t${text}\t${'ÄÖÜ'[i % 3]}`)}`,
    'utf16le',
  ),
  'amounts.csv': lines('id;text;amount', (i, text) => `${i};${text};${i},5`),
}

const [scoring, ...blocks] = blocksOf('docs/your-job.md')

test('docs/your-job.md has ten programs', () => {
  assert.equal(scoring?.file, 'scoring.py')
  assert.equal(blocks.length, 20)
})

for (let at = 0; at < blocks.length; at += 2) {
  const [program, command] = [blocks[at]!.text, blocks[at + 1]!.text]
  const input = /^rowmill run (\S+) /.exec(command)![1]!
  test(`${input}: the command writes what the program wrote`, async t => {
    const folder = testFolder(t)
    mkdirSync(join(folder, 'bin'))
    symlinkSync(BIN, join(folder, 'bin/rowmill'))
    writeFileSync(join(folder, 'scoring.py'), scoring!.text)
    writeFileSync(join(folder, 'program.py'), program)
    if (input.endsWith('.zip')) zip(folder, input)
    else writeFileSync(join(folder, input), INPUTS[input]!)
    const PATH = [join(folder, 'bin'), dirname(process.execPath), dirname(python), process.env['PATH']].join(delimiter)
    const env = { PATH, ROWMILL_BROKERS: await brokerAddress() }
    const run = async (file: string, ...args: string[]) =>
      succeeded(await startProgram(file, args, { cwd: folder, env }).finished)
    await run('python3', '-B', 'program.py')
    renameSync(join(folder, 'classified.csv'), join(folder, 'original.csv'))
    await run('bash', '-ec', command)
    assert.deepEqual(readFileSync(join(folder, 'classified.csv')), readFileSync(join(folder, 'original.csv')))
  })
}

function zip(folder: string, name: string): void {
  const member = name.replace('.zip', '')
  writeFileSync(join(folder, member), plain)
  execFileSync(python, ['-m', 'zipfile', '-c', name, member], { cwd: folder })
}
