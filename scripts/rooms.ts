/**
 * Writes scripts/rooms.json: the rules by which Biome checks that imports point one way (DESIGN.md, "The rooms").
 * Run it after a change of FLOORS. With --check, which `npm run check` passes, it only compares.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** From the top. A room imports from the floors below its own, never from a neighbour. */
const FLOORS = [
  ['cli'],
  ['connectors'],
  ['index.ts', 'testing.ts'],
  ['monitor'],
  ['run.ts'],
  ['run', 'watch'],
  ['testing'],
  ['events', 'jobs', 'work', 'collect', 'doctor', 'adopt'],
  ['verify', 'publish', 'results', 'broker', 'probe', 'reports'],
  ['classifier'],
  ['pipeline'],
  ['wire', 'tracing'],
  ['client-config'],
  ['kafka'],
  ['pandas', 'python'],
  ['core'],
]
/** A folder of KafkaJS is no room, whatever its name. */
const OF_KAFKAJS = '!kafkajs/**'
const GROUND = [
  'src/model.ts',
  'src/errors.ts',
  'src/connector.ts',
  'src/options.ts',
  'src/option-spec.ts',
  'src/parse-option.ts',
]
const OUT = fileURLToPath(new URL('./rooms.json', import.meta.url))

type Rules = Readonly<Record<string, Readonly<Record<string, unknown>>>>

const override = (includes: readonly string[], rules: Rules) => ({ includes, linter: { rules } })
const mayNotImport = (group: readonly string[], message: string) => ({
  noRestrictedImports: { level: 'error', options: { patterns: [{ group, message }] } },
})
const isFile = (room: string) => room.endsWith('.ts')

/** Import paths that lead from `room` into `other`. */
function pathsInto(other: string, room: string): string[] {
  if (!isFile(other)) return [`**/${other}/**`]
  return isFile(room) ? [`./${other}`] : [`../${other}`, `../../${other}`]
}

function onFloors() {
  return FLOORS.flatMap((rooms, floor) =>
    rooms
      .filter(room => room !== 'connectors' && room !== 'core')
      .map(room => ({ room, closed: [...FLOORS.slice(0, floor).flat(), ...rooms.filter(other => other !== room)] }))
      .filter(({ closed }) => closed.length > 0)
      .map(({ room, closed }) => {
        const group = closed.flatMap(other => pathsInto(other, room))
        const message = `${room} may import only from the floors below it: DESIGN.md, The rooms.`
        const style = mayNotImport([...group, OF_KAFKAJS], message)
        return override([isFile(room) ? `src/${room}` : `src/${room}/**`], { style })
      }),
  )
}

const deniedGlobals = {
  ...Object.fromEntries(['Date', 'performance', 'setTimeout', 'setInterval'].map(name => [name, 'core has no clock'])),
  process: 'core has no process',
  fetch: 'core has no network',
}

const overrides = [
  ...onFloors(),
  override(['connectors/**'], {
    style: mayNotImport(
      [
        '**/src/**',
        ...['index.ts', 'errors.ts', 'model.ts', 'pandas/**', 'python/**', 'support/**'].map(open => `!**/src/${open}`),
      ],
      'Connectors import only the SDK, the rules of pandas, the reader of pandas, and support: DESIGN.md, The rooms.',
    ),
  }),
  override(['src/core/**'], {
    style: {
      ...mayNotImport(
        ['**', '!./**', '!../model.ts', '!../errors.ts'],
        'core imports only model and errors: DESIGN.md, The rooms.',
      ),
      noRestrictedGlobals: { level: 'error', options: { deniedGlobals } },
    },
  }),
  override(['src/support/**'], { style: mayNotImport(['../**'], 'support knows nothing about rowmill.') }),
  override(GROUND, {
    style: mayNotImport(['./*/**', '!./support/**'], 'The ground floor imports no room except support.'),
  }),
  override(['src/**', 'connectors/**'], {
    suspicious: { noImportCycles: { level: 'error', options: { ignoreTypes: false } } },
  }),
]

const text = `${JSON.stringify({ overrides })}\n`
if (!process.argv.includes('--check')) writeFileSync(OUT, text)
else if (readFileSync(OUT, 'utf8') !== text) {
  console.error('scripts/rooms.json is out of date: run node scripts/rooms.ts')
  process.exitCode = 1
}
