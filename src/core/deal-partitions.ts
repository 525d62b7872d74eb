/** The partitions of each member, by its name. */
export type Dealt = ReadonlyMap<string, readonly number[]>

/**
 * Deals partitions 0 to `count - 1` one by one, as cards. Neighbours go to different members, so the blocks of a short job
 * do too.
 */
export function dealPartitions(members: readonly string[], count: number): Dealt {
  const dealt = new Map<string, number[]>(members.map(member => [member, []]))
  if (members.length === 0) return dealt
  for (let partition = 0; partition < count; partition++)
    dealt.get(members[partition % members.length]!)!.push(partition)
  return dealt
}

/**
 * Gives the partitions of a member that is gone to the others, evenly. No other partition moves. They come first in the list of
 * their next member, which serves them first: readers wait for the rows that were late.
 */
export function dealWithout(dealt: Dealt, gone: string): Dealt {
  const left = new Map([...dealt].filter(([member]) => member !== gone).map(([member, its]) => [member, [...its]]))
  const least = () => [...left.values()].reduce((a, b) => (b.length < a.length ? b : a))
  if (left.size > 0) for (const partition of [...(dealt.get(gone) ?? [])].reverse()) least().unshift(partition)
  return left
}
