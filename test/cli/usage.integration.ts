/** Which command takes which option, and the messages about a wrong command line. None of this needs a broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowmill } from '../helpers/cli.ts'

/** Nothing listens there: a command that accepts the line ends with BROKER_UNREACHABLE. */
const NOWHERE = ['--brokers', '127.0.0.1:1', '--broker-timeout', '1']

const REFUSED: [string[], RegExp][] = [
  [
    ['jobs', 'list', '--cast', 'A=int64', '--python', '/nonexistent', ...NOWHERE],
    /^rowmill: jobs list has no option --cast\. These commands have it: run, check, publish, jobs open\. .*--help.* \[USAGE\]$/m,
  ],
  [
    ['jobs', 'cancel', '--job', 'x', '--header', ...NOWHERE],
    /^rowmill: jobs cancel has no option --header\..*\[USAGE\]$/m,
  ],
  [['rejects', 'list', '--force', ...NOWHERE], /^rowmill: rejects list has no option --force\..*rejects export/m],
  [['rejects', 'replay', '--job', 'x', 'out.csv', ...NOWHERE], /^rowmill: .*too many arguments.*\[USAGE\]$/m],
  [
    ['jobs', 'list', '--brokrs', 'x:1'],
    /^rowmill: jobs list has no option --brokrs\. Did you mean --brokers\? .*\[USAGE\]$/m,
  ],
  [['run', '--clasifier=x.py'], /^rowmill: run has no option --clasifier\. Did you mean --classifier\?/m],
  [['run', '--qqqqqqq'], /^rowmill: run has no option --qqqqqqq\. rowmill run --help lists its options \[USAGE\]$/m],
  [
    ['jobs', '--brokers', 'x:1', 'list'],
    /^rowmill: jobs has no option --brokers\. Give it after the command: rowmill jobs open --brokers \[USAGE\]$/m,
  ],
  [['jobs', 'close', '--job', 'j'], /^rowmill: jobs has no command close\. It has open, list, cancel, rm \[USAGE\]$/m],
  [['colect'], /^rowmill: there is no command colect\. Did you mean collect\? \[USAGE\]$/m],
  [['help', 'colect'], /^rowmill: there is no command colect\. Did you mean collect\? \[USAGE\]$/m],
  [['help', 'jobs', 'lits'], /^rowmill: jobs has no command lits\. Did you mean list\? \[USAGE\]$/m],
  [['help', 'run', 'list'], /^rowmill: run has no commands of its own \[USAGE\]$/m],
  [['run', '--workers'], /^rowmill: option '--workers <N>' argument missing \[USAGE\]$/m],
]

for (const [args, message] of REFUSED) {
  test(`rowmill ${args.join(' ')} is refused with a hint`, async () => {
    const { code, stdout, stderr } = await rowmill(args)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, message)
  })
}

test('an option unknown to a command is refused without its value, which may be a password', async () => {
  const { code, stderr } = await rowmill(['broker', '--schema-registry=http://me:secret@h'])
  assert.equal(code, 2)
  assert.match(stderr, /broker has no option --schema-registry/)
  assert.doesNotMatch(stderr, /secret/)
})

for (const args of [[], ['run'], ['jobs'], ['jobs', 'open'], ['rejects', 'export'], ['broker']]) {
  test(`rowmill ${args.join(' ')}: -h is --help, -V is --version`, async () => {
    const [h, help, v] = await Promise.all(['-h', '--help', '-V'].map(flag => rowmill([...args, flag])))
    assert.deepEqual([h!.code, help!.code, v!.code], [0, 0, 0])
    assert.match(h!.stdout, new RegExp(`^Usage: ${['rowmill', ...args].join(' ')} `))
    assert.equal(h!.stdout, help!.stdout)
    assert.match(v!.stdout, /^\d+\.\d+\.\d+\n$/)
    for (const flag of ['-V, --version', '-h, --help']) assert.ok(h!.stdout.includes(`  ${flag} `), flag)
  })
}

test('rowmill help prints what --help prints, of a nested command too', async () => {
  for (const words of [[], ['run'], ['jobs'], ['jobs', 'list'], ['rejects', 'export']]) {
    const [help, asOption] = await Promise.all([rowmill(['help', ...words]), rowmill([...words, '--help'])])
    assert.deepEqual([help.code, help.stdout, help.stderr], [0, asOption.stdout, ''], words.join(' '))
  }
  const ofGroup = await rowmill(['jobs', 'help', 'list'])
  assert.equal(ofGroup.stdout, (await rowmill(['jobs', 'list', '--help'])).stdout)
})

test('each command of a group lists only its own options', async () => {
  const list = (await rowmill(['jobs', 'list', '--help'])).stdout
  assert.match(list, /--brokers/)
  assert.doesNotMatch(list, /--cast|--python|--columns/)
  const open = (await rowmill(['jobs', 'open', '--help'])).stdout
  for (const flag of ['--cast', '--python', '--columns', '--max-rejects']) assert.ok(open.includes(flag), flag)
})

test('a misspelt variable gets one warning, none with --quiet; the broker variable has three flags', async () => {
  const env = { ROWMILL_BROKERS: '', ROWMILL_BROKRS: 'x:1' }
  const warned = await rowmill(['jobs', 'list'], { env })
  assert.match(warned.stderr, /^rowmill: rowmill reads no variable ROWMILL_BROKRS: did you mean ROWMILL_BROKERS\?\n/)
  assert.match(warned.stderr, /needs a Kafka/)
  const quiet = await rowmill(['jobs', 'list', '--quiet'], { env })
  assert.doesNotMatch(quiet.stderr, /BROKRS/)
  for (const flag of ['-b', '--bootstrap-server', '--brokers']) {
    const { code, stderr } = await rowmill(['jobs', 'list', flag, 'nowhere'])
    assert.equal(code, 2)
    assert.match(stderr, /--brokers "nowhere": must be HOST:PORT/)
  }
})
