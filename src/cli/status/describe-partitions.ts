import type { JobView, PartitionView } from '../../watch/view.ts'
import { duration } from '../duration.ts'
import { inColumns, type TextLine, wrapped } from './layout.ts'
import { rowCount, speed } from './words.ts'

/** How many partitions are shown unless all are asked for. */
const SHOWN = 8

/** The partitions that lag, the worst first. `all`: the others too. */
export function describePartitions(
  { partitions }: JobView,
  { width, all }: { width: number; all: boolean },
): TextLine[] {
  const lagging = partitions.filter(({ lagRows, blocks }) => blocks || (lagRows ?? 0) > 0)
  const wanted = [...(all ? partitions : lagging)].sort(worstFirst)
  if (wanted.length === 0) return []
  const shown = all ? wanted : wanted.slice(0, SHOWN)
  const more = wanted.length - shown.length
  const title = `${lagging.length} of ${partitions.length} partitions have rows without a result`
  return [
    ...wrapped(title, width, { tone: 'title' }),
    ...inColumns(shown.map(cellsOf), width),
    ...(more === 0 ? [] : wrapped(`${more} more: --all shows them`, width, { indent: '  ' })),
  ]
}

function worstFirst(a: PartitionView, b: PartitionView): number {
  return (
    Number(b.blocks) - Number(a.blocks) ||
    (b.lagSeconds ?? 0) - (a.lagSeconds ?? 0) ||
    (b.lagRows ?? 0) - (a.lagRows ?? 0) ||
    a.partition - b.partition
  )
}

function cellsOf({ partition, lagRows, lagSeconds, rowsPerSecond, owner, blocks }: PartitionView): string[] {
  return [
    `partition ${partition}`,
    lagRows === null ? '' : rowCount(lagRows),
    lagSeconds ? `oldest ${duration(lagSeconds)}` : '',
    speed(rowsPerSecond),
    owner ?? (rowsPerSecond > 0 ? '' : 'no worker'),
    blocks ? 'the next row' : '',
  ]
}
