/** Waits for all of them, also if one fails, and throws the first error then: none of them goes on unseen. */
export async function allSettled<T extends readonly unknown[]>(
  promises: readonly [...{ [I in keyof T]: Promise<T[I]> }],
): Promise<T> {
  const settled = await Promise.allSettled(promises)
  const failed = settled.find(({ status }) => status === 'rejected')
  if (failed) throw (failed as PromiseRejectedResult).reason
  return settled.map(each => (each as PromiseFulfilledResult<unknown>).value) as unknown as T
}
