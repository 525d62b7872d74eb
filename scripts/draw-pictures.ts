/** Draws docs/pictures/*.svg, for light and dark pages. Run it after a change here; test/docs.test.ts compares. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The colours as plain values, not as CSS variables: some viewers of SVG know no variables. */
interface Palette {
  readonly ink: string
  readonly soft: string
  readonly paper: string
  readonly line: string
  readonly box: string
  readonly done: string
  readonly busy: string
}

const LIGHT: Palette = {
  ink: '#1f2328',
  soft: '#59636e',
  paper: '#ffffff',
  line: '#7a9cc6',
  box: '#eef4fb',
  done: '#cfe8d5',
  busy: '#fde3b0',
}

const DARK: Palette = {
  ink: '#e6edf3',
  soft: '#9198a1',
  paper: '#0d1117',
  line: '#4f7ab0',
  box: '#16263b',
  done: '#1d4a2b',
  busy: '#5c4212',
}

function colours({ ink, soft, paper, line, box, done, busy }: Palette): string {
  return `text { fill: ${ink} } .note, .head { fill: ${soft} } .paper, .free { fill: ${paper} }
  .box { fill: ${box} } .done { fill: ${done} } .busy { fill: ${busy} }
  .box, .done, .busy, .free { stroke: ${line} } .arrow { stroke: ${soft} }`
}

const STYLE = `<style>
  text { font-family: system-ui, sans-serif; font-size: 14px; text-anchor: middle }
  .note { font-size: 12px } .start { text-anchor: start }
  .arrow { fill: none; stroke-width: 1.5 } .dashed { stroke-dasharray: 5 4 }
  ${colours(LIGHT)}
  @media (prefers-color-scheme: dark) {
  ${colours(DARK)}
  }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>`

type Fill = 'box' | 'done' | 'busy' | 'free'

/** A box around `x`, `y`, with its text in the middle. */
function box(
  x: number,
  y: number,
  text: string,
  { width = 110, height = 34, fill = 'box' as Fill, note = '' } = {},
): string {
  const frame = `<rect class="${fill}" x="${x - width / 2}" y="${y - height / 2}" width="${width}" height="${height}" rx="5"/>`
  const lines = note === '' ? label(x, y + 5, text) : label(x, y - 2, text) + label(x, y + 14, note, 'note')
  return frame + lines
}

function label(x: number, y: number, text: string, style = ''): string {
  return `<text${style && ` class="${style}"`} x="${x}" y="${y}">${text}</text>`
}

/** An arrow through these points. */
function arrow(points: readonly (readonly [x: number, y: number])[], style = ''): string {
  return `<path class="arrow${style && ` ${style}`}" marker-end="url(#head)" d="M${points.map(point => point.join(' ')).join('L')}"/>`
}

function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`
  const paper = `<rect class="paper" width="${width}" height="${height}"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">\n<title>${title}</title>\n${[STYLE, paper, ...parts].join('\n')}\n</svg>\n`
}

const ROWS_OF_PICTURE = [80, 130, 180]

/** The whole of rowmill: README.md. */
function overview(): string {
  const lanes = ROWS_OF_PICTURE.flatMap((y, index) => [
    arrow([
      [200, 130],
      [248, y],
    ]),
    box(290, y, `rows ${index}`, { width: 80 }),
    arrow([
      [330, y],
      [378, y],
    ]),
    box(440, y, `worker ${index + 1}`, { width: 120, height: 40, note: 'your function' }),
    arrow([
      [500, y],
      [548, y],
    ]),
    box(594, y, `results ${index}`, { width: 88 }),
    arrow([
      [638, y],
      [686, 130],
    ]),
  ])
  return picture(860, 230, 'How rowmill classifies a CSV file', [
    box(440, 24, 'jobs: the header and the options of each job', { width: 340 }),
    arrow(
      [
        [150, 110],
        [150, 24],
        [268, 24],
      ],
      'dashed',
    ),
    arrow(
      [
        [440, 41],
        [440, 58],
      ],
      'dashed',
    ),
    box(50, 130, 'rows.csv', { width: 80, fill: 'free' }),
    arrow([
      [90, 130],
      [108, 130],
    ]),
    box(155, 130, 'publish', { width: 90 }),
    ...lanes,
    box(725, 130, 'collect', { width: 74 }),
    arrow([
      [762, 130],
      [774, 130],
    ]),
    box(815, 130, 'classified', { width: 78, height: 40, fill: 'free', note: '.csv' }),
    label(290, 218, 'partitions in Kafka', 'note'),
    label(440, 218, 'one for each core', 'note'),
    label(594, 218, 'partitions in Kafka', 'note'),
    label(725, 218, 'in order again', 'note'),
  ])
}

/** What happens to one row: DESIGN.md. */
function wayOfARow(): string {
  const steps = [
    ['source', 'bytes to rows', 3],
    ['partitionOf', 'block mod P', 4],
    ['topic rows', 'one Avro message', 5],
    ['batcher', 'at most 100 rows', 6],
    ['classifier', 'process or thread', 7],
    ['topic results', 'same partition', 8],
    ['reassembler', 'in order again', 9],
    ['sink', 'OUT, when complete', 10],
  ] as const
  const at = (index: number) =>
    (index < 4 ? [100 + index * 190, 60] : [100 + (7 - index) * 190, 190]) as [number, number]
  const boxes = steps.map(([name, note, step], index) => {
    const [x, y] = at(index)
    return box(x, y, name, { width: 140, height: 46, note }) + label(x - 62, y - 29, `${step}`, 'note')
  })
  const arrows = steps.slice(1).map((_, index) => {
    const [[x, y], [toX, toY]] = [at(index), at(index + 1)]
    if (y !== toY)
      return arrow([
        [x, y + 23],
        [toX, toY - 25],
      ])
    const side = Math.sign(toX - x) * 70
    return arrow([
      [x + side, y],
      [toX - side + Math.sign(side) * -2, toY],
    ])
  })
  return picture(780, 240, 'The way of a row, with the steps of the text', [
    ...boxes,
    ...arrows,
    arrow(
      [
        [480, 167],
        [480, 85],
      ],
      'dashed',
    ),
    label(335, 130, 'acknowledged: the offset may be committed', 'note'),
  ])
}

/** Which offset a worker may commit: DESIGN.md. */
function lowWater(): string {
  const states: readonly Fill[] = ['done', 'done', 'done', 'busy', 'box', 'box', 'busy', 'free', 'free']
  const first = 40
  const cells = states.map((fill, index) => box(70 + index * 62, 90, `${first + index}`, { width: 58, fill }))
  const key = (
    [
      ['done', 'result acknowledged'],
      ['busy', 'in the classifier'],
      ['box', 'classified'],
      ['free', 'waiting'],
    ] as const
  ).map(
    ([fill, text], index) =>
      box(60 + index * 180, 165, '', { width: 24, height: 18, fill }) +
      label(80 + index * 180, 170, text, 'note start'),
  )
  return picture(760, 190, 'The low-water mark of one partition', [
    label(
      40,
      22,
      'One partition of the topic rows, as a worker sees it. Each cell is a message with its offset.',
      'note start',
    ),
    ...cells,
    arrow([
      [225, 45],
      [225, 70],
    ]),
    label(232, 50, 'low-water mark: commit 43, and nothing above', 'start'),
    label(
      40,
      130,
      'Results are sent in order, so those of 44 and 45 wait for 43. If this worker dies, the next one reads from 43.',
      'note start',
    ),
    ...key,
  ])
}

/** What a rebalance does: DESIGN.md. */
function rebalance(): string {
  const [a, kafka, b] = [110, 380, 650]
  const lifeline = (x: number, to: number) => `<path class="arrow dashed" d="M${x} 50L${x} ${to}"/>`
  const messages: readonly (readonly [from: number, to: number, text: string])[] = [
    [kafka, a, 'rows from offset 40'],
    [a, kafka, 'results of 40 to 42, acknowledged'],
    [a, kafka, 'commit 43'],
    [a, kafka, 'results of 43 to 45, acknowledged'],
    [kafka, b, 'the partition, committed: 43'],
    [kafka, b, 'rows from offset 43'],
    [b, kafka, 'results of 43 to 45: second copies'],
    [b, kafka, 'results of 46, 47, ...'],
  ]
  const drawn = messages.map(([from, to, text], index) => {
    const y = 84 + index * 34 + (index > 3 ? 30 : 0)
    const side = Math.sign(to - from) * 4
    return (
      arrow([
        [from + side, y],
        [to - side, y],
      ]) + label((from + to) / 2, y - 6, text, 'note')
    )
  })
  return picture(760, 400, 'A worker dies and another one takes its partition over', [
    ...[lifeline(a, 208), lifeline(kafka, 355), lifeline(b, 355)],
    box(a, 30, 'worker A'),
    box(kafka, 30, 'Kafka'),
    box(b, 30, 'worker B'),
    box(a, 218, 'A dies', { width: 80, height: 26, fill: 'busy' }),
    ...drawn,
    label(
      380,
      382,
      'No row is lost: 43 was not committed. No row comes twice: readers count the first copy of a position.',
    ),
  ])
}

export const PICTURES: Readonly<Record<string, string>> = {
  'overview.svg': overview(),
  'way-of-a-row.svg': wayOfARow(),
  'low-water-mark.svg': lowWater(),
  'rebalance.svg': rebalance(),
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '../docs/pictures')
  mkdirSync(folder, { recursive: true })
  for (const [name, svg] of Object.entries(PICTURES)) writeFileSync(join(folder, name), svg)
}
